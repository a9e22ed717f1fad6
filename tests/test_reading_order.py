"""docs/reading-order.md keeps its promises: the mathematics first, every file once."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "reading-order.md").read_text()
MAIN, APPENDIX = PAGE.split("\n## Appendix")
FILE = r"\[`(\S+\.py)`\]\(\.\./scratchgen/(\S+\.py)\)"
STEPS = re.findall(rf"^\d+\. {FILE}: ((?:.|\n(?!\d+\.|\n))+)", MAIN, re.MULTILINE)
LISTED = re.findall(rf"^(?:\d+\.|-)\s+{FILE}", PAGE, re.MULTILINE)
WHOLE_ROOMS = re.findall(r"^### All other files of `(\w+)/`", PAGE, re.MULTILINE)
FILES = {str(path.relative_to(ROOT / "scratchgen")) for path in ROOT.glob("scratchgen/**/*.py")}
TEXTBOOK = {"distributions", "losses", "metrics", "models", "nn", "optim"}


def test_every_file_is_listed_once_or_is_in_a_room_that_is_listed_as_a_whole():
    names = [name for name, _ in LISTED]
    assert {name: n for name, n in Counter(names).items() if n > 1} == {}
    assert set(names) <= FILES
    left_out = {file for file in FILES - set(names) if file.split("/")[0] not in WHOLE_ROOMS}
    assert left_out == set()
    assert set(WHOLE_ROOMS) <= TEXTBOOK


def test_links_lead_to_the_file_that_they_name():
    assert all(name == target for name, target in LISTED)


def test_both_models_are_reached_within_ten_files():
    first_ten = [name for name, _, _ in STEPS[:10]]
    assert {"models/variational.py", "models/adversarial.py"} <= set(first_ten)
    assert {Path(name).parts[0] for name in first_ten} <= TEXTBOOK


def test_each_step_says_what_it_adds():
    assert len(STEPS) > 30
    for name, _, text in STEPS:
        assert "Adds:" in text or "**The" in text, name
        assert len(text) > 40, name


def test_kernels_stand_in_the_appendix_alone():
    listed = re.findall(rf"^(?:\d+\.|-)\s+{FILE}", MAIN, re.MULTILINE)
    assert not [name for name, _ in listed if name.startswith("kernels/")]
    assert APPENDIX.count("../scratchgen/kernels/") > 20


def test_steps_are_numbered_from_one():
    numbers = [int(n) for n, *_ in re.findall(rf"^(\d+)\. {FILE}", PAGE, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
