"""What docs/stepping.md shows happens in a copy of the package that is edited as the page says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scratchgen.ground.versions import is_installed

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "stepping.md").read_text()
SECTIONS = {text.split("\n")[0]: text for text in re.split(r"^## ", PAGE, flags=re.M)[1:]}
STEPS, BEFORE_REPLAY = 10, 3  # of train.py: all steps, and those before the first replay
NO_LOOPS = {"SCRATCHGEN_JIT": "0"}


@pytest.fixture
def here(tmp_path) -> Path:
    """A folder with a published copy of the package and the page's files."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "scratchgen", tmp_path / "scratchgen", ignore=ignored)
    for name, content in re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```$", PAGE, re.M | re.S):
        (tmp_path / name).write_text(content)
    publish(tmp_path)
    return tmp_path


def run(here: Path, *arguments: str, **environment: str) -> tuple[list[str], list[str]]:
    """The lines that Python prints in that folder: on stdout, and on stderr about replays."""
    clean = {name: x for name, x in os.environ.items() if name != "SCRATCHGEN_REPLAY"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=here,
        env={**clean, "PYTHONPATH": str(here), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    errors = done.stderr.splitlines()
    return done.stdout.splitlines(), [line for line in errors if "compiling" not in line]


def publish(here: Path) -> None:
    """Run the command of the page that accepts an edit."""
    (command,) = re.findall(r"^    python (-m .*)$", SECTIONS["Keep an edit"], re.M)
    run(here, *command.split())


def edit(here: Path, section: str) -> None:
    """Apply the diff of a section to the file that it names."""
    path = next(
        here / link for link in re.findall(r"\(\.\./(scratchgen/\S+\.py)\)", SECTIONS[section])
    )
    text = path.read_text()
    (diff,) = re.findall(r"^```diff\n(.*?)^```$", SECTIONS[section], re.M | re.S)
    before = ""
    for sign, line in re.findall(r"^([ +-])(.*\n)", diff, re.M):
        if sign != "+":
            assert text.count(line) == 1, line
            before = line
        else:
            was_removed = f"-{before}" in diff
            text = text.replace(before, line if was_removed else before + line)
    path.write_text(text)


def line_of(section: str) -> str:
    """The line on stderr that a section shows."""
    (line,) = re.findall(r"^```\n(scratchgen: .*)\n```$", SECTIONS[section], re.M)
    return line


def test_a_print_runs_in_every_step_until_the_edit_is_published(here):
    edit(here, "A print")
    shown = [line_of("A print")]
    out, errors = run(here, "train.py", **NO_LOOPS)
    assert all(re.fullmatch(r"KL \d\.\d{5}", line) for line in out)
    assert (len(out), errors) == (STEPS, shown)
    for replay, times in (("0", STEPS), ("1", BEFORE_REPLAY)):
        chosen, errors = run(here, "train.py", SCRATCHGEN_REPLAY=replay, **NO_LOOPS)
        assert (chosen, errors) == (out[:times], [])
    publish(here)
    assert run(here, "train.py", **NO_LOOPS) == (out[:BEFORE_REPLAY], [])


def test_steps_are_not_replayed_while_a_debugger_follows(here):
    file = here / "scratchgen" / "optim" / "adam.py"
    number = file.read_text().split("    def move")[0].count("\n") + 2
    commands = ["-c", f"break {file}:{number}, False", "-c", "continue"]
    out, errors = run(here, "-m", "pdb", *commands, "train.py", **NO_LOOPS)
    assert line_of("A breakpoint") in errors, out
    assert run(here, "train.py", **NO_LOOPS)[1] == []


def test_the_suggested_breakpoints_are_lines_of_the_source():
    table = re.findall(r"^\| `(\S+\.py)` \| `(.*)` \|", SECTIONS["A breakpoint"], re.M)
    assert len(table) == 5
    for file, line in table:
        text = (ROOT / "scratchgen" / file).read_text()
        assert re.search(rf"^ *{re.escape(line)}( *#.*)?$", text, re.M), line


@pytest.mark.parametrize("jit", ["0", pytest.param("1", marks=pytest.mark.skipif(
    not is_installed("numba"), reason="numba is not installed: there are no loops"
))])  # fmt: skip
def test_training_uses_a_changed_formula(here, jit):
    script = (here / "train.py").read_text() + "print(model.history['reconstruction'])\n"
    (here / "train.py").write_text(script)
    (here / "twice.py").write_text(script.replace("latent=2", "latent=2, beta=2"))
    (plain,), (twice,) = (
        run(here, name, SCRATCHGEN_JIT=jit)[0] for name in ("train.py", "twice.py")
    )
    edit(here, "A changed formula")
    (changed,), (error,) = run(here, "train.py", SCRATCHGEN_JIT=jit)
    assert "distributions/gaussian.py was edited" in error
    numbers = [[float(x) for x in re.findall(r"[\d.]+", text)] for text in (plain, twice, changed)]
    assert numbers[2] == pytest.approx(numbers[1], rel=1e-5)
    assert numbers[2] != pytest.approx(numbers[0], rel=1e-5)


def test_training_uses_a_replaced_function(here):
    out, errors = run(here, "watched.py", **NO_LOOPS)
    assert all(re.fullmatch(r"z between -?\d+\.\d+ and -?\d+\.\d+", line) for line in out)
    assert (len(out), errors) == (STEPS, [line_of("A changed formula")])
