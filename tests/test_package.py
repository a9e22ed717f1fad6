"""The package from outside: its imports, exports, errors and requirements."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import scratchgen as sg
from scratchgen.ground import errors, versions

ROOT = Path(__file__).parent.parent


def run(code: str, *options: str) -> str:
    """The output of code in a fresh interpreter."""
    command = [sys.executable, *options, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=os.sep)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_package_imports_no_room_of_it():
    code = (
        "import sys, numpy; before = set(sys.modules); import scratchgen;"
        "print(sorted(m for m in set(sys.modules) - before if m.startswith('scratchgen')))"
    )
    assert run(code) == "['scratchgen']"


def test_loading_and_sampling_import_neither_numba_nor_matplotlib(tmp_path):
    sg.save(sg.models.vae((2,), latent=2, rng=0), tmp_path / "m.npz")
    code = f"""
import sys, scratchgen as sg
model = sg.load({str(tmp_path / "m.npz")!r})
model.sample(3, rng=0); model.reconstruct([[0.0, 0.0]])
print([m for m in ("numba", "matplotlib", "tqdm") if m in sys.modules])
"""
    assert run(code) == "[]"


def test_every_exported_name_exists():
    for name in sg.__all__:
        if name != "plots" or versions.is_installed("matplotlib"):
            assert getattr(sg, name) is not None
    assert sorted(dir(sg)) == sorted(sg.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'vea'"):
        _ = sg.vea


def test_every_error_is_a_scratchgen_error_and_a_standard_error():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert len(kinds) > 5
    for kind in kinds:
        if issubclass(kind, Warning):
            assert issubclass(kind, errors.ScratchgenWarning)
            assert kind.__name__ in errors.__doc__
            continue
        assert issubclass(kind, sg.ScratchgenError)
        if kind is not sg.ScratchgenError:
            assert issubclass(kind, ValueError | TypeError | OSError)
            assert kind.__name__ in errors.__doc__


def test_numpy_is_the_only_package_that_is_required():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert [word.split(">")[0] for word in project["dependencies"]] == ["numpy"]
    extras = project["optional-dependencies"]
    assert {"fast", "plot", "all", "test"} <= set(extras)


def test_versions_are_shown_and_missing_packages_named(capsys, monkeypatch):
    sg.show_versions()
    out = capsys.readouterr().out
    assert f"scratchgen  {sg.__version__}" in out
    assert "numpy" in out
    monkeypatch.setattr(versions, "is_installed", lambda package: False)
    sg.show_versions()
    out = capsys.readouterr().out
    assert "missing: compiled kernels need pip install numba" in out
    assert max(map(len, out.splitlines())) <= 79


def test_no_text_installs_scratchgen_from_pypi():
    """There, that name is the project of somebody else."""
    folders = ("scratchgen", "docs", "demos", "tests")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    texts = [path for path in [*files, ROOT / "README.md"] if path.suffix in (".py", ".md")]
    assert len(texts) > 200
    for path in texts:
        match = re.search(
            r"scratchgen\[|(pip install|uv add) [^\n&|;]*\bscratchgen", path.read_text()
        )
        assert not match, f"{path}: {match[0]}"


@pytest.mark.parametrize("package", versions.OPTIONAL)
def test_the_error_about_a_missing_package_says_how_to_install_it(package, monkeypatch):
    monkeypatch.setattr(versions, "is_installed", lambda name: False)
    with pytest.raises(errors.MissingExtraError, match=f"x needs {package}") as problem:
        versions.require(package, "x")
    assert str(problem.value).endswith(f"not installed: pip install {package}")


def test_plots_without_matplotlib_say_how_to_install_it():
    code = """
import sys
sys.modules["matplotlib"] = None
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "matplotlib" else find(name, *rest)
import scratchgen as sg
try:
    sg.plots
except ImportError as problem:
    print(type(problem).__name__, problem)
"""
    out = run(code)
    assert out.startswith("MissingExtraError")
    assert out.endswith("pip install matplotlib")


def test_the_package_declares_its_types():
    assert (ROOT / "scratchgen" / "py.typed").exists()


def test_the_top_level_holds_no_other_files_and_folders():
    command = ["git", "ls-files"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        pytest.skip("not a git checkout: there is no list of the project's files")
    tops = {line.split("/")[0] for line in done.stdout.splitlines()}
    allowed = {"pyproject.toml", "scratchgen", "tests", "demos", "docs", "README.md", "LICENSE"}
    assert {top for top in tops if not top.startswith(".")} <= allowed
