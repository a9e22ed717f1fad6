"""The listings of docs/own-gradients.md do what the page says, those for torch and jax too."""

import contextlib
import io
import re
import shlex
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from own_modules import importable

from scratchgen.command import entry as cli
from scratchgen.ground.versions import is_installed

pytest_plugins = "pytester"
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "own-gradients.md").read_text()
FOREIGN = ("torch", "jax")
PLUGIN = "scratchgen.command.pytest_plugin"

# framework -> a line of its listing, and the same line with a mistake
MISTAKES = {
    "torch": ("slope = s * (1 - s)", "slope = 1 - s * s"),
    "jax": ("(dy * jax.nn.sigmoid(x),)", "(dy * jax.nn.sigmoid(-x),)"),
}


def blocks() -> list[tuple[str, str]]:
    """The fenced blocks of the page: (language, content)."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def listings(framework: str | None) -> list[str]:
    """The Python listings that import this framework; those that import none for None."""
    matching = []
    for language, content in blocks():
        needs = next((name for name in FOREIGN if f"import {name}\n" in content), None)
        if language == "python" and needs == framework:
            matching.append(content)
    return matching


def printed_by(listing: str, names: dict) -> str:
    """The output of a listing."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(listing, "own-gradients.md", "exec"), names)
    return out.getvalue()


def words(text: str) -> list[str]:
    """The sorted words of a text without numbers, on which the order of gradients depends."""
    bare = re.sub(r"[-+]?\d[\d.,]*(e[-+]?\d+| m?s\b)?|[,;:]", " ", text)
    return sorted(bare.split())


def file_name(listing: str) -> str | None:
    """The file name in the first line of a listing, if there is one."""
    match = re.match(r"# (\w+\.py)\n", listing)
    return match[1] if match else None


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder with the files of the page."""
    monkeypatch.chdir(tmp_path)
    for listing in listings(None):
        if name := file_name(listing):
            (tmp_path / name).write_text(listing)
    with importable(tmp_path):
        yield tmp_path


def test_the_listings_run_in_order_and_print_what_the_page_shows(files):
    names: dict = {"__name__": "page"}
    printed = [printed_by(listing, names) for listing in listings(None) if not file_name(listing)]
    shown = re.findall(r"^```python\n.*?^```\n\n```\n(.*?)^```$", PAGE, re.M | re.S)
    assert [words(text) for text in printed if text] == [words(text) for text in shown] != []
    assert "4 times what it should be" in str(names["report"])


def test_every_command_on_the_page_passes(files, capsys):
    lines = re.findall(r"^scratchgen (check .*)$", PAGE, re.M)
    assert len(lines) == 3
    for line in lines:
        assert cli.main(shlex.split(line)) == 0
        assert f"```\n{capsys.readouterr().out.splitlines()[-1]}\n```" in PAGE
    assert (files / "report.json").exists()


def test_the_test_files_on_the_page_pass(files, pytester):
    for path in files.glob("*.py"):
        (pytester.path / path.name).write_text(path.read_text())
    installed = any(entry.value == PLUGIN for entry in entry_points(group="pytest11"))
    pytester.syspathinsert(ROOT)
    pytester.runpytest(*([] if installed else ["-p", PLUGIN])).assert_outcomes(passed=4)


@pytest.mark.parametrize("framework", FOREIGN)
def test_a_function_of_another_framework_is_checked_as_the_page_shows(framework):
    if not is_installed(framework):
        pytest.skip(f"{framework} is not installed: its adapter cannot be tried")
    (listing,) = listings(framework)
    assert printed_by(listing, {}).startswith("PASS")
    right, wrong = MISTAKES[framework]
    assert listing.count(right) == 1
    names: dict = {}
    with pytest.raises(AssertionError):
        printed_by(listing.replace(right, wrong), names)
    assert names["report"].verdict == "FAIL"
