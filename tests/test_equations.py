"""Equations are numbered at the top of a file, and the line that computes one carries its number.

For the rooms that are read as a textbook: layers, distributions, losses, models, optimizers.
"""

import ast
import io
import re
import tokenize
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("nn", "distributions", "losses", "models", "optim")
NUMBERS = re.compile(  # (1), (2, 3), (4 to 6); not f(1), not the year (1983), not the shape (1,)
    r"(?<![\w)\]])\(([1-9]\d?(?:(?:, | to )[1-9]\d?)*)\)"
)
ELSEWHERE = re.compile(rf"{NUMBERS.pattern}\s+of\s+\w+/\w+\.py|\w+\.py\s+{NUMBERS.pattern}")
DOCTEST = re.compile(r">>> .*?(?:\n\n|\Z)", re.DOTALL)

# Equations that no line of their own file computes, and why.
NOT_COMPUTED_HERE = {
    "nn/layer.py": {1, 2, 3, 4},  # what every layer is to do: each layer computes its own
    "distributions/bernoulli.py": {1, 2},  # defined by these, computed by (3) and (4)
    "distributions/gaussian_likelihoods.py": {1},  # follows from the density with variance D/2
    "losses/importance.py": {1, 3, 4, 5, 6},  # (7) computes (1); models/importance_weighted.py,
    # where there are a decoder and an encoder to differentiate, the others
    "optim/averaging.py": {1},  # computed by (2), which is the same in one line
}


def numbers_in(text: str) -> set[int]:
    """The numbers of equations that a text names."""
    found: set[int] = set()
    for match in NUMBERS.finditer(text):
        for one in match[1].split(", "):
            first, _, last = one.partition(" to ")
            found |= set(range(int(first), int(last or first) + 1))
    return found


def numbered(docstring: str) -> list[int]:
    """The numbers of the equations of a docstring: they end lines that are set in from the text."""
    ends = (re.fullmatch(r" {4}.*\s\((\d+)\)", line) for line in docstring.splitlines())
    return [int(end[1]) for end in ends if end]


@cache
def beside_code(source: str) -> dict[int, list[int]]:
    """The numbers in comments behind code -> the lines on which they stand."""
    found: dict[int, list[int]] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and token.line[: token.start[1]].strip():
            for number in numbers_in(ELSEWHERE.sub("", token.string)):
                found.setdefault(number, []).append(token.start[0])
    return found


def comments_alone(source: str) -> list[str]:
    """The comments with no code before them."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [
        token.string
        for token in tokens
        if token.type == tokenize.COMMENT and not token.line[: token.start[1]].strip()
    ]


def docstrings(source: str) -> list[str]:
    """Those of the functions and classes of a file, without their doctests."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]
    return [DOCTEST.sub("", ast.get_docstring(node) or "") for node in nodes]


def top_of(source: str) -> str:
    return ast.get_docstring(ast.parse(source)) or ""


SOURCES = {
    str(path.relative_to(ROOT / "scratchgen")): path.read_text(encoding="utf-8")
    for room in ROOMS
    for path in sorted((ROOT / "scratchgen" / room).glob("*.py"))
}
WITH_EQUATIONS = [file for file, source in SOURCES.items() if numbered(top_of(source))]
OBJECTIVES = [
    file
    for file, source in SOURCES.items()
    if re.search(r"def minimise\(.*\n(?!.*\n? *raise NotImplemented)", source)
    and file != "models/model.py"
]


def test_every_objective_has_equations():
    assert len(OBJECTIVES) >= 5
    assert set(OBJECTIVES) <= set(WITH_EQUATIONS)


@pytest.mark.parametrize("file", WITH_EQUATIONS)
def test_equations_count_from_one_without_a_gap(file):
    found = numbered(top_of(SOURCES[file]))
    assert found == sorted(found)
    assert set(found) == set(range(1, found[-1] + 1))


@pytest.mark.parametrize("file", WITH_EQUATIONS)
def test_every_equation_stands_beside_the_code_that_computes_it(file):
    missing = set(numbered(top_of(SOURCES[file]))) - set(beside_code(SOURCES[file]))
    assert missing == NOT_COMPUTED_HERE.get(file, set())


@pytest.mark.parametrize("file", SOURCES)
def test_no_line_carries_a_number_that_the_top_of_its_file_does_not_have(file):
    known = set(numbered(top_of(SOURCES[file])))
    for number, lines in beside_code(SOURCES[file]).items():
        assert number in known, f"({number}) in line {lines[0]} of {file}"


@pytest.mark.parametrize("file", SOURCES)
def test_no_text_of_a_file_names_an_equation_that_it_does_not_have(file):
    known = set(numbered(top_of(SOURCES[file])))
    texts = [top_of(SOURCES[file]), *docstrings(SOURCES[file]), *comments_alone(SOURCES[file])]
    for text in texts:
        named = numbers_in(ELSEWHERE.sub("", text))
        assert named <= known, f"{named - known} in {file}: {text[:60]!r}"


def test_an_exception_is_one_of_a_file_that_has_it():
    assert set(NOT_COMPUTED_HERE) <= set(WITH_EQUATIONS)
