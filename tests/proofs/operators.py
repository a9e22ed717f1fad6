"""Mutation operators: fixed ways to spoil a function, each applied wherever it fits.

    mutants_of(function)        every mutant of one function of the library
    with mutant.applied():      it runs spoiled, and afterwards as before

An operator (spoilers.py) sees one node of the syntax tree and says what could stand in its place.
None knows which layer it works on, and none is applied by hand. The code of the function itself is
exchanged, so that every name under which it is known runs the mutant.
"""

import ast
import inspect
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Node = ast.AST
OPERATORS: dict[str, Callable[["Site"], list[Node]]] = {}
LATEST: dict[str, Any] = {}  # note of a tape -> what the last forward pass left there
NOT_ARRAYS = ("self", "p", "g", "tape", "penalty", "network", "rate", "memory", "name", "axis")


@dataclass(frozen=True)
class Mutant:
    """A function with one site changed."""

    number: int  # among those of its function
    family: str
    module: str
    function: str
    line: int
    before: str
    after: str
    code: types.CodeType = field(repr=False, compare=False)
    target: types.FunctionType = field(repr=False, compare=False)

    @property
    def id(self) -> str:
        """`nn.dense:Dense.backward:70:sign:3`."""
        return f"{self.module}:{self.function}:{self.line}:{self.family}:{self.number}"

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Runs the mutated function inside, and restores the original afterwards."""
        whole = self.target.__code__
        self.target.__code__ = self.code
        try:
            yield
        finally:
            self.target.__code__ = whole


@dataclass
class Site:
    """A node of a function, and its surroundings as far as operators use them."""

    node: Any
    parent: Any
    place: tuple[str, int | None]  # in the parent: field, and index where it is a list
    arrays: list[str]  # names of arrays in scope, as text
    given: list[str]  # those of them that are parameters
    bound: dict[str, int]  # local name -> the line that binds it

    def in_field(self, *names: str) -> bool:
        """Whether the node stands in one of these fields of its parent."""
        return self.place[0] in names


def operator(family: str) -> Callable[[Any], Any]:
    """Registers an operator under the name of its family."""

    def register(function: Any) -> Any:
        OPERATORS[family] = function
        return function

    return register


def latest(tape: Any, name: str) -> Any:
    """The note of the last forward pass on any tape, in place of the tape's own."""
    own = getattr(tape, name)
    return LATEST.get(name, own)


def keep_notes(tape_class: Any) -> None:
    """LATEST from now on holds the last note of any tape, like a cache at module level."""
    if hasattr(tape_class, "_noted"):
        return
    before = tape_class.__setattr__

    def noted(self: Any, name: str, value: Any) -> None:
        before(self, name, value)
        if not name.startswith("_"):
            LATEST[name] = value

    tape_class.__setattr__, tape_class._noted = noted, True


def mutants_of(function: types.FunctionType, only_gradient: bool = False) -> list[Mutant]:
    """Every mutant of a function of the library, duplicates left out, in the order of its source.

    `only_gradient` keeps to what stands under `if g is not None:` or `if gradient is not None:`,
    in functions that also compute a value.
    """
    definition, owner = _definition(function)
    before = {ast.dump(definition)}
    found: list[Mutant] = []
    for site in _sites(definition, only_gradient):
        for family, change in OPERATORS.items():
            for new in change(site):
                with _replaced(site, new):
                    dump = ast.dump(definition)
                    if dump in before:
                        continue
                    before.add(dump)
                    code = _compiled(definition, owner, function)
                if code is None:
                    continue
                line = getattr(site.node, "lineno", getattr(site.parent, "lineno", 0))
                found.append(
                    Mutant(
                        len(found),
                        family,
                        function.__module__.removeprefix("scratchgen."),
                        function.__qualname__,
                        line,
                        _short(site.node),
                        _short(new),
                        code,
                        function,
                    )
                )
    return found


def _short(node: Any) -> str:
    if isinstance(node, ast.If):
        return f"if {ast.unparse(node.test)}"
    return "nothing" if isinstance(node, ast.Pass) else ast.unparse(node).splitlines()[0]


def _definition(function: types.FunctionType) -> tuple[ast.FunctionDef, str]:
    """The syntax tree of a function, without decorators, and the class it stands in."""
    tree = ast.parse(Path(inspect.getfile(function)).read_text(encoding="utf-8"))
    *owners, name = function.__qualname__.split(".")
    body: Any = tree
    for owner in (*owners, name):
        body = next(
            node
            for node in body.body
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == owner
        )
    body.decorator_list = []
    return body, owners[-1] if owners else ""


def _sites(definition: ast.FunctionDef, only_gradient: bool) -> Iterator[Site]:
    """Every node that an operator may change, with its surroundings."""
    given = [
        arg.arg
        for arg in definition.args.args
        if arg.arg not in NOT_ARRAYS
        and "Array" in (ast.unparse(arg.annotation) if arg.annotation else "")
    ]
    bound: dict[str, int] = {}
    for node in ast.walk(definition):
        if isinstance(node, ast.Assign):
            for name in ast.walk(ast.Tuple(node.targets, ast.Load())):
                if isinstance(name, ast.Name) and name.id not in NOT_ARRAYS:
                    bound.setdefault(name.id, node.lineno)
    notes = [
        ast.unparse(node)
        for node in ast.walk(definition)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Load)
        and ast.unparse(node.value) == "tape"
        and node.attr
        not in ("array", "inner", "given", "training", "rng", "x_shape", "d", "of_batch", "parts")
    ]
    skip = ("first", "g_i", "g_inner", "needed", "below", "number", "d", "tape_e", "read", "one")
    local = [name for name in bound if name not in skip]
    arrays = list(dict.fromkeys([*given, *local, *notes]))
    starts = [(statement, definition, ("body", i)) for i, statement in enumerate(definition.body)]
    if only_gradient:
        starts = [
            (statement, node, ("body", i))
            for node in ast.walk(definition)
            if isinstance(node, ast.If)
            and ast.unparse(node.test) in ("g is not None", "gradient is not None")
            for i, statement in enumerate(node.body)
        ]
    for node, parent, place in starts:
        for site in _below(node, parent, place):
            yield Site(*site, arrays, given, bound)


def _below(node: Any, parent: Any, place: Any) -> Iterator[tuple[Any, Any, Any]]:
    """A node and its descendants without strings, raises and annotations."""
    if isinstance(node, ast.Raise | ast.JoinedStr | ast.arguments):
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    yield node, parent, place
    for name, value in list(ast.iter_fields(node)):
        if name in ("annotation", "ctx", "op", "ops", "decorator_list"):
            continue
        for i, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST):
                yield from _below(child, node, (name, i))


@contextmanager
def _replaced(site: Site, new: Any) -> Iterator[None]:
    """Replaces the node of the site by `new` inside the block."""
    name, index = site.place
    if index is None:
        setattr(site.parent, name, new)
    else:
        getattr(site.parent, name)[index] = new
    try:
        yield
    finally:
        if index is None:
            setattr(site.parent, name, site.node)
        else:
            getattr(site.parent, name)[index] = site.node


def _compiled(definition: Any, owner: str, function: types.FunctionType) -> types.CodeType | None:
    """The code of a function, compiled as in its module; None if Python refuses it."""
    body = [ast.ClassDef(owner, [], [], [definition], [])] if owner else [definition]
    module = ast.fix_missing_locations(ast.Module(body, []))
    try:
        whole = compile(module, inspect.getfile(function), "exec")
    except (SyntaxError, ValueError, TypeError):
        return None
    code = _find(whole, definition.name)
    fits = code is not None and code.co_freevars == function.__code__.co_freevars
    return code if fits else None


def _find(code: types.CodeType, name: str) -> types.CodeType | None:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            if constant.co_name == name:
                return constant
            inner = _find(constant, name)
            if inner is not None:
                return inner
    return None
