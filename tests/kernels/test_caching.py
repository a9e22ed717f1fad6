"""Compiled kernels on disk: used again, and never trusted more than they deserve."""

import ast
import os
import stat
import tempfile
from pathlib import Path

import pytest
from test_formulas import run

from scratchgen.command import warm_up as warming
from scratchgen.kernels import plans
from scratchgen.kernels.formulas import numba_works

pytestmark = pytest.mark.skipif(
    not numba_works(), reason="numba is not installed, or switched off: nothing is compiled"
)

posix = pytest.mark.skipif(os.name != "posix", reason="only there do folders have modes and owners")

KERNEL = """
import numpy as np, sys
from scratchgen import kernels
from scratchgen.kernels.formulas import by_loops
into = np.zeros(4, np.float32)
with by_loops():
    kernels.add_sum(np.ones((3, 4), np.float32), into)
print(into.tolist())
"""
RIGHT = "[3.0, 3.0, 3.0, 3.0]"


@pytest.fixture
def cache(tmp_path):
    return {"NUMBA_CACHE_DIR": str(tmp_path)}


def files(cache: dict) -> dict[Path, bytes]:
    found = Path(cache["NUMBA_CACHE_DIR"]).rglob("*.nb[ic]")
    return {path: path.read_bytes() for path in sorted(found)}


def test_compiled_kernels_are_used_again_and_damaged_files_are_not(cache):
    assert run(KERNEL, **cache) == RIGHT
    written = files(cache)
    assert written
    times = {path: path.stat().st_mtime_ns for path in written}
    assert run(KERNEL, **cache) == RIGHT
    assert {path: path.stat().st_mtime_ns for path in written} == times
    for path, content in written.items():
        path.write_bytes(content[: len(content) // 2])
    assert run(KERNEL, **cache) == RIGHT


def test_a_full_disk_does_not_stop_training(cache):
    code = f"""
from numba.core import caching
def full(*_):
    raise OSError(28, "No space left on device")
caching.IndexDataCacheFile.save = full
{KERNEL}
"""
    assert run(code, **cache) == RIGHT
    assert not files(cache)


@posix
def test_without_any_folder_kernels_are_compiled_each_time_and_a_line_says_so(tmp_path):
    code = f"""
import os, sys
from pathlib import Path
Path(os.environ["TMPDIR"], f"scratchgen-{{os.getuid()}}").touch()
from scratchgen.kernels.native import caching
assert caching.folder() is None, caching.folder()
sys.stderr = sys.stdout
{KERNEL}
"""
    nowhere = {"XDG_CACHE_HOME": "", "NUMBA_CACHE_DIR": "", "HOME": "/dev/null"}
    said, result = run(code, **nowhere, TMPDIR=str(tmp_path)).splitlines()
    assert result == RIGHT
    assert "in every process anew" in said
    assert "name one with NUMBA_CACHE_DIR" in said


@pytest.fixture
def temporary(monkeypatch, tmp_path):
    """The temporary directory, where no other place can be written."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/dev/null")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@posix
def test_if_nothing_else_can_be_written_the_folder_is_a_private_temporary_folder(temporary):
    from scratchgen.kernels.native import caching

    folder = caching.folder.__wrapped__()
    private = temporary / f"scratchgen-{os.getuid()}"
    assert folder.is_dir()
    assert folder.is_relative_to(private)
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert caching.folder.__wrapped__() == folder  # and it is found again


@posix
@pytest.mark.parametrize("made", ["by somebody else", "for others to write", "a link", "a file"])
def test_a_temporary_folder_that_others_may_have_written_is_not_used(made, temporary, monkeypatch):
    from scratchgen.kernels.native import caching

    user = os.getuid() + (made == "by somebody else")
    monkeypatch.setattr(os, "getuid", lambda: user)
    path, elsewhere = temporary / f"scratchgen-{user}", temporary / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    if made == "a link":
        path.symlink_to(elsewhere)
    elif made == "a file":
        path.touch(mode=0o700)
    else:
        path.mkdir(mode=0o700)
        path.chmod(0o770 if made == "for others to write" else 0o700)
    assert caching.folder.__wrapped__() is None
    assert not any(elsewhere.iterdir())


def test_a_file_that_two_processes_wrote_at_the_same_time_is_compiled_again(monkeypatch, tmp_path):
    """Each chose the same file for its own kinds of arguments, as neither had seen the other's."""
    import numba

    from scratchgen.kernels.native import caching

    monkeypatch.setattr(caching, "folder", lambda: tmp_path)

    def double(x):
        return x + x

    def compiled():
        twin = numba.njit(double)
        twin._cache = caching.KernelCache(double)
        return twin

    twin = compiled()
    assert (twin(1), twin(1.5)) == (2, 3.0)
    first, second = sorted(tmp_path.glob("*.nbc"))
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    twin = compiled()
    assert (twin(1), twin(1.5)) == (2, 3.0)


def test_kernels_that_only_a_later_run_needs_are_compiled_with_the_first_and_by_warmup():
    """Several threads, or one: which is faster is tried while it runs, and not in each run."""
    warming.together()
    assert plans._region().overloads
    assert plans.for_python(plans.alone).overloads


@pytest.mark.parametrize(
    ("edited", "counts"),
    [
        ("kernels/products.py", True),
        ("kernels/native/tiles.py", True),
        ("nn/rectifiers.py", True),
        ("optim/adam.py", True),
        ("nn/dense.py", False),
        ("models/autoencoder.py", False),
    ],
)
def test_an_edit_of_a_file_that_holds_loops_costs_a_compilation_and_no_other(
    edited, counts, monkeypatch
):
    from scratchgen.kernels.native import caching

    before = caching._key()
    assert before == caching._key()
    read, file = Path.read_bytes, caching.PACKAGE / edited
    assert file.is_file()
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + b"#" * (path == file))
    assert (caching._key() != before) is counts


def test_all_that_a_loop_reads_stands_in_a_file_of_the_hash():
    """A constant or a function from elsewhere could change, and the loop would not be compiled."""
    from scratchgen.kernels.native import caching

    for name in caching.sources():
        tree = ast.parse((caching.PACKAGE / name).read_text(encoding="utf-8"))
        package = [caching.PACKAGE.name, *Path(name).parts[:-1]]
        imported = {}
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.level:
                where = package[: len(package) + 1 - node.level] + (node.module or "").split(".")
                imported |= {(alias.asname or alias.name): where for alias in node.names}
        for function in tree.body:
            if not isinstance(function, ast.FunctionDef) or not is_compiled(function):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.Name) and node.id in imported:
                    path = "/".join(filter(None, imported[node.id][1:]))
                    counts = (f"{path}.py", f"{path}/__init__.py", f"{path}/{node.id}.py")
                    assert set(counts) & set(caching.sources()), (name, function.name, node.id)


def test_loops_stand_only_in_files_of_the_hash():
    from scratchgen.kernels.native import caching

    found = {
        path.relative_to(caching.PACKAGE).as_posix()
        for path in caching.PACKAGE.rglob("*.py")
        if caching.MARKS.search(path.read_bytes())
    }
    assert found
    assert found <= caching.sources().keys()


def is_compiled(function: ast.FunctionDef) -> bool:
    marks = {mark.id for mark in function.decorator_list if isinstance(mark, ast.Name)}
    return bool(marks & {"helper", "rounded"}) or [x.arg for x in function.args.args[:2]] == [
        "part",
        "parts",
    ]


OWN = """
import numpy as np
from scratchgen.kernels import formula, loop_of
from scratchgen.kernels.formulas import by_loops

TIMES = 2.0

@formula("x (N,) -> y (N,)")
def several(x):
    return TIMES * x

@loop_of(several)
def several_loop(part, parts, x, y):
    for i in range(x.size):
        y[i] = TIMES * x[i]

with by_loops():
    print(several(np.ones(2)).tolist())
"""


def test_an_edit_of_a_users_loop_counts_though_the_folder_is_the_same(cache, tmp_path):
    found = []
    for folder, text in (("one", OWN), ("two", OWN.replace("2.0", "3.0")), ("one", OWN)):
        file = tmp_path / folder / "own.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        found.append(run(f"import runpy; runpy.run_path({str(file)!r})", **cache))
    file.write_text(OWN.replace("2.0", "4.0"))
    found.append(run(f"import runpy; runpy.run_path({str(file)!r})", **cache))
    assert found == ["[2.0, 2.0]", "[3.0, 3.0]", "[2.0, 2.0]", "[4.0, 4.0]"]


def test_the_folder_is_in_the_place_that_the_variables_name(monkeypatch, tmp_path):
    from scratchgen.kernels.native import caching

    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        folder = caching.folder.__wrapped__()
        assert folder.is_relative_to(tmp_path / name)
        monkeypatch.delenv(name)
    if os.name == "posix":
        assert caching.folder.__wrapped__().is_relative_to(tmp_path / "HOME" / ".cache")
