"""A file numbers its equations at the top, and each line that computes an equation has its number.

This holds for the rooms that are read as a textbook: layers, distributions, losses, models and
optimizers.
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
    "nn/layer.py": {1, 2, 3, 4},  # the contract of layers: each layer computes its own
    "distributions/bernoulli.py": {1, 2},  # definitions, which (3) and (4) compute
    "distributions/gaussian_likelihoods.py": {1},  # the density with variance D/2
    "losses/importance.py": {1, 3, 4, 5, 6},  # (7) computes (1);
    # models/importance_weighted.py, which has a decoder and an encoder, computes the others
    "optim/averaging.py": {1},  # (2) computes the same in one line
}


HOW = "an equation is a line at the top of the file, indented by 4, that ends in its number"


def numbers_in(text: str) -> set[int]:
    """The numbers of the equations that a text names."""
    numbers: set[int] = set()
    for match in NUMBERS.finditer(text):
        for span in match[1].split(", "):
            first, _, last = span.partition(" to ")
            numbers |= set(range(int(first), int(last or first) + 1))
    return numbers


def numbered(docstring: str) -> list[int]:
    """The numbers of the equations in a docstring, which end indented lines."""
    ends = (re.fullmatch(r" {4}.*\s\((\d+)\)", line) for line in docstring.splitlines())
    return [int(end[1]) for end in ends if end]


@cache
def beside_code(source: str) -> dict[int, list[int]]:
    """The numbers in comments behind code -> the lines that have them."""
    lines: dict[int, list[int]] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and token.line[: token.start[1]].strip():
            for number in numbers_in(ELSEWHERE.sub("", token.string)):
                lines.setdefault(number, []).append(token.start[0])
    return lines


def comments_alone(source: str) -> list[str]:
    """The comments on lines without code."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [
        token.string
        for token in tokens
        if token.type == tokenize.COMMENT and not token.line[: token.start[1]].strip()
    ]


def docstrings(source: str) -> list[str]:
    """The docstrings of the functions and classes of a file, without their doctests."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]
    return [DOCTEST.sub("", ast.get_docstring(node) or "") for node in nodes]


def top_of(source: str) -> str:
    return ast.get_docstring(ast.parse(source), clean=False) or ""


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
def test_equations_are_numbered_from_1_without_a_gap(file):
    numbers = numbered(top_of(SOURCES[file]))
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(1, numbers[-1] + 1))


@pytest.mark.parametrize("file", WITH_EQUATIONS)
def test_every_equation_is_named_beside_the_code_that_computes_it(file):
    missing = set(numbered(top_of(SOURCES[file]))) - set(beside_code(SOURCES[file]))
    assert missing == NOT_COMPUTED_HERE.get(file, set())


@pytest.mark.parametrize("file", SOURCES)
def test_every_number_beside_code_is_an_equation_of_its_file(file):
    known = set(numbered(top_of(SOURCES[file])))
    for number, lines in beside_code(SOURCES[file]).items():
        assert number in known, f"({number}) in line {lines[0]} of {file}: {HOW}"


@pytest.mark.parametrize("file", SOURCES)
def test_every_equation_that_a_text_names_is_an_equation_of_its_file(file):
    known = set(numbered(top_of(SOURCES[file])))
    texts = [top_of(SOURCES[file]), *docstrings(SOURCES[file]), *comments_alone(SOURCES[file])]
    for text in texts:
        named = numbers_in(ELSEWHERE.sub("", text))
        assert named <= known, f"{named - known} in {file}: {text[:60]!r}: {HOW}"


def test_exceptions_are_made_only_for_files_with_equations():
    assert set(NOT_COMPUTED_HERE) <= set(WITH_EQUATIONS)
