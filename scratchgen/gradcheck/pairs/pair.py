"""What is checked is a pair: a forward and a backward pass, as functions of named arrays.

    run = pair.forward(blocks)               run.outputs, and what the backward pass remembers
    g = pair.backward(run, dy)               by block: its gradient for the cotangents dy

Whatever users have, a layer, a model's objective, two functions, becomes a pair, and all else in
this room works on pairs. This is also the one place that calls code which may do anything: what it
raises, or gives that is no gradient, comes back as something with a name (`Stopped`, `Odd`), and
calls and what they spend of a budget are counted here.
"""

import copy
import inspect
import math
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from ...ground.arguments import Array, Shape, finite, whole
from ...ground.errors import KindError, OptionError
from .frozen import Frozen
from .named_blocks import Blocks, as_block, is_container, keys, leaves, parts, rebuilt

MOST_LETTERS = 200  # of a line or a message that is quoted
MOST_NUMBERS = 2**24  # in all blocks of a pair together: 2 GiB
CLOCK = time.perf_counter  # of seconds
SECONDS = 10.0  # that a person waits for a check
EVALUATIONS = 100_000  # in about as many seconds: each of ours takes 0.02 to 0.2 ms
NUMBERS = 50_000  # for which an evaluation takes about as long again


@dataclass(frozen=True)
class Odd:
    """What came in place of a gradient: the name of the contract it breaks, and in words how.

    `shape` is that of the array that came, where the shape is what is odd.
    """

    contract: str
    text: str
    shape: Shape = ()


class Stopped(Exception):
    """The pair cannot be asked any further: the name of the contract it breaks, and how."""

    def __init__(self, contract: str, text: str) -> None:
        super().__init__(text)
        self.contract, self.text = contract, text


class OutOfBudget(Stopped):
    """What a check may take is spent."""


class Evaluations:
    """A clock that only evaluations move on, so that it is the same on every machine.

    One counts as 1, and as 1 more for each 50,000 numbers that it goes over. With a million in and
    as many out a budget has 2,400 of them, and 1,700 decide about a block.
    """

    def __init__(self) -> None:
        self.counted = 0.0

    def __call__(self) -> float:
        """How many there have been."""
        return self.counted

    def add(self, numbers: int) -> None:
        """Count one that goes over so many numbers."""
        self.counted += 1 + numbers / NUMBERS


class Budget:
    """What a check may take, from when it is made: seconds, or, for None, 100,000 evaluations.

    Seconds suit a person who waits, evaluations a test, whose verdict must not depend on what else
    a machine has to do. Raises OptionError for seconds that are no number above 0; infinity is no
    limit.
    """

    def __init__(
        self, seconds: float | None = None, clock: Callable[[], float] | None = None
    ) -> None:
        self.clock: Callable[[], float]
        if seconds is None:
            self.most, self.unit, self.clock = float(EVALUATIONS), "evaluations", Evaluations()
        else:
            self.most = seconds if seconds == math.inf else finite(seconds, "seconds", above=True)
            self.unit, self.clock = "s", clock or CLOCK
        self.began = self.clock()

    def count(self, numbers: int) -> None:
        """Note an evaluation that goes over so many numbers."""
        if isinstance(self.clock, Evaluations):
            self.clock.add(numbers)

    def spent(self) -> float:
        """What is spent of it."""
        return self.clock() - self.began

    def part(self, share: float) -> "Budget":
        """A share of what is left, which is spent of the whole as well."""
        part = copy.copy(self)
        part.began, part.most = self.clock(), share * (self.most - self.spent())
        return part

    def check(self) -> None:
        """OutOfBudget once it is spent."""
        if self.spent() > self.most:
            raise OutOfBudget("budget", f"the budget of {self.most:,.6g} {self.unit} is spent")


@dataclass
class Run:
    """One forward pass: its outputs, all float64 or constants, and its memory for backward."""

    outputs: tuple[Array, ...]
    memory: Any


class Pair:
    """What all pairs share; `_forward`, `_backward`, `_outputs` and `_by_block` differ.

    Attributes:
        name: of what is checked, as `Dense(3 -> 2)`.
        blocks: name -> float64 array, the point at which the pair is checked.
        wanted: the names of the blocks whose gradients are checked.
        constants: the names of arguments that have no gradient, such as labels.
        kinds: of the constants, in words.
        per_example: the blocks with a batch axis, name -> axis; empty where examples may mix.
        takes_cotangents: False for an objective, whose cotangent is always 1.
        copies: True once it was seen to write into what it is given, or has given: it then gets
            copies, and copies are kept.
        eps: of the coarsest float type that an output came in.
        numbers: how many there are in all blocks together.
        held: the arrays that it works with besides the blocks, such as labels, by name.
        single: the names of the blocks that were given in float32.
        shapes: of the outputs, for every combination of shapes of the blocks that was given.
        came: block -> what the backward pass last gave for it, where that was no float64 array.
    """

    takes_cotangents = True
    surrogate: Any = None  # what is differentiated in the place of forward, where that is declared

    def __init__(self, name: str, blocks: Blocks, *roots: Any) -> None:
        self.name = name
        self.blocks = blocks
        self.wanted = list(blocks)
        self.constants: list[str] = []
        self.kinds: dict[str, str] = {}
        self.per_example: dict[str, int] = {}
        self.copies = False
        self.eps = float(np.finfo(np.float64).eps)
        self.held: dict[str, Array] = {}
        self.single: list[str] = []
        self.came: dict[str, str] = {}
        self.shapes: dict[tuple[Shape, ...], list[Shape]] = {}
        self.frozen = Frozen(*roots)
        self.budget = Budget(math.inf)
        self.forward_calls = self.backward_calls = 0
        self.numbers = sum(array.size for array in blocks.values())
        if self.numbers > MOST_NUMBERS:
            raise OptionError(
                f"{name} has {self.numbers:,} numbers to differentiate, wants at most "
                f"{MOST_NUMBERS:,}: check it at a smaller size, or some of its arguments with wrt="
            )

    def forward(self, blocks: Blocks) -> Run:
        """One forward pass. Raises Stopped where it raises, or gives no arrays of numbers."""
        self.forward_calls += 1
        self.budget.check()
        if self.copies:
            blocks = {name: array.copy("K") for name, array in (self.held | blocks).items()}
        self.frozen.restore()
        try:
            y, memory = self._forward(blocks)
        except Stopped:
            raise
        except (Exception, SystemExit) as problem:
            raise Stopped("raises", told(problem, "forward")) from problem
        outputs = self._outputs(y)
        self.budget.count(self.numbers + sum([one.size for one in outputs]))
        self._expect_shapes(blocks, outputs)
        return Run(tuple(one.copy() for one in outputs) if self.copies else outputs, memory)

    def backward(self, run: Run, dy: Sequence[Array]) -> dict[str, Array | Odd]:
        """The gradient of each block, float64 and of its shape, or what is odd about it.

        dy holds an array for each output. Raises Stopped where the backward pass raises, or gives
        what cannot be told apart into blocks. Where it gives None, the gradient is zeros.
        """
        self.backward_calls += 1
        self.budget.check()
        self.budget.count(self.numbers + sum([one.size for one in dy]))
        if self.copies:
            dy = [one.copy(order="K") for one in dy]
        try:
            raw = self._backward(run, dy)
        except (Exception, SystemExit) as problem:
            raise Stopped("raises", told(problem, "backward")) from problem
        given = {name: self._gradient(name, one) for name, one in self._by_block(raw).items()}
        if self.copies:
            given = {name: g if isinstance(g, Odd) else g.copy() for name, g in given.items()}
        return given

    def _expect_shapes(self, blocks: Blocks, outputs: tuple[Array, ...]) -> None:
        """Stopped where blocks of the same shapes have given outputs of other shapes before."""
        given = tuple([block.shape for block in blocks.values()])
        now = [y.shape for y in outputs]
        before = self.shapes.setdefault(given, now)
        if now != before:
            text = f"forward gives outputs of shapes {before}, and then of {now}"
            raise Stopped("varying", f"{text}: what depends on values has no derivative")

    def move_to(self, blocks: Blocks) -> None:
        """From now on the gradient is asked for there: what holds something fixed has to know."""

    def complex_outputs(self, blocks: Blocks) -> list[Array] | None:
        """The outputs for blocks of which one is complex; None where that does not work."""
        self.forward_calls += 1
        self.frozen.restore()
        try:
            y, _ = self._forward(blocks)
            return [np.asarray(one) for _, one in leaves(y, "y")]
        except (Exception, SystemExit):
            return None

    def declare_batch(self, axis: int) -> None:
        """Say that the first block has examples along `axis`, and that they do not mix."""
        axis = whole(axis, "batch_axis")
        if not self.blocks:
            return
        name, block = next(iter(self.blocks.items()))
        if axis >= block.ndim:
            raise OptionError(
                f"batch_axis={axis}: wants an axis of {name}, which has shape {block.shape}"
            )
        self.per_example = {name: axis}

    def _forward(self, blocks: Blocks) -> tuple[Any, Any]:
        """What the forward pass gives, and what is remembered of it."""
        raise NotImplementedError

    def _backward(self, run: Run, dy: Sequence[Array]) -> Any:
        """What the backward pass gives."""
        raise NotImplementedError

    def _outputs(self, y: Any) -> tuple[Array, ...]:
        """What the forward pass gave, as arrays. Stopped for what is no array of numbers."""
        if type(y) is np.ndarray and y.dtype == np.float64:
            return (y,)
        return (_output("y", y),)

    def variants(self, blocks: Blocks, dy: Sequence[Array]) -> dict[str, dict[str, Any]]:
        """Gradients by other ways to ask for them, in words: each ought to be the same."""
        return {}

    def _by_block(self, raw: Any) -> dict[str, Any]:
        """What the backward pass gave, by block; only blocks that are wanted."""
        given = raw if isinstance(raw, Mapping) else {}
        return {name: given.get(name) for name in self.wanted}

    def _gradient(self, name: str, raw: Any) -> Array | Odd:
        """One gradient, as a float64 array of its block's shape."""
        shape = self.blocks[name].shape
        if type(raw) is np.ndarray and raw.dtype == np.float64 and raw.shape == shape:
            return raw
        self.came[name] = str(getattr(raw, "dtype", type(raw).__name__))
        if raw is None:
            return np.zeros(shape)
        try:
            array = np.asarray(raw)
        except Exception as problem:  # of a ragged list, or of a type's own __array__
            what = f"d{name} is {_kind(raw)} that is no array"
            return Odd("kind", f"{what} ({_cut(_said(problem))}), wants an array")
        if array.dtype.kind not in "biuf":
            return Odd("kind", f"d{name} is {_kind(raw, array)}, wants an array of floats")
        if array.shape != shape:
            text = f"d{name} has shape {array.shape}, wants {name}'s, {shape}"
            return Odd("shape", text, array.shape)
        return array.astype(np.float64)


class FunctionPair(Pair):
    """Functions of a user's own: what `VJPPair` and `CachedPair` share.

    `surrogate` is a function whose derivative the backward pass is, where that is on purpose not
    the derivative of f.
    """

    def __init__(self, f: Any, backward: Any, args: Any, name: str, surrogate: Any = None) -> None:
        for one in (f, backward, surrogate or f):
            if not callable(one):
                raise KindError(f"a check got {one!r} as a function: wants something to call")
        args = by_name(f, args) if isinstance(args, Mapping) else args
        args = args if isinstance(args, tuple | list) else (args,)
        self.f, self.function, self.surrogate, self.args = f, backward, surrogate, tuple(args)
        self.names = argument_names(f, len(self.args))
        found = [
            leaf
            for arg, name in zip(self.args, self.names, strict=True)
            for leaf in leaves(arg, name)
        ]
        blocks = {name: block for name, one in found if (block := as_block(one)) is not None}
        super().__init__(name or _called(f), blocks, f, backward, surrogate, self.args)
        self.constants = [name for name, _ in found if name not in blocks]
        self.kinds = {name: kind_of(one) for name, one in found if name not in blocks}
        rest = {name: labels_of(one) for name, one in found if name not in blocks}
        self.held = {name: one for name, one in rest.items() if type(one) is np.ndarray}
        self.single = [n for n, one in found if getattr(one, "dtype", None) == np.float32]
        self.structure: Any = None  # of the outputs, once they are seen

    def _call(self, blocks: Blocks) -> list[Any]:
        """The arguments, as the user gave them, with these blocks in them."""
        pairs = zip(self.args, self.names, strict=True)
        return [rebuilt(arg, name, blocks) for arg, name in pairs]

    def _outputs(self, y: Any) -> tuple[Array, ...]:
        self.structure = y
        if type(y) is np.ndarray and y.dtype == np.float64:
            return (y,)
        try:
            arrays = [_output(name, one) for name, one in leaves(y, "y")]
        except KindError as problem:
            raise Stopped("kind", f"forward returned what cannot be read: {problem}") from problem
        if not arrays:
            raise Stopped("kind", "forward returned nothing to differentiate")
        floats = [one for one in arrays if one.dtype.kind == "f"]
        self.eps = max([self.eps, *(float(np.finfo(one.dtype).eps) for one in floats)])
        return tuple(one.astype(np.float64) if one.dtype.kind == "f" else one for one in arrays)

    def _cotangents(self, dy: Sequence[Array]) -> Any:
        """dy in the structure of what the forward pass gave."""
        if not is_container(self.structure):
            return dy[0]
        names = [name for name, _ in leaves(self.structure, "y")]
        return rebuilt(self.structure, "y", dict(zip(names, dy, strict=True)))

    def _by_block(self, raw: Any) -> dict[str, Any]:
        wanted = set(self.wanted)
        tops = self._top_level(raw)
        found: dict[str, Any] = {}
        for arg, name in zip(self.args, self.names, strict=True):
            if name in tops:
                found |= _matched(arg, tops[name], name)
        for name in self.constants:
            if found.get(name) is not None:
                self.came[name] = "a gradient"
        return {name: found.get(name) for name in self.blocks if name in wanted}

    def _top_level(self, raw: Any) -> dict[str, Any]:
        """What was given for each argument, by its name. Raises Stopped for a wrong number."""
        blocks = [_first_word(name) for name in self.blocks]
        floats = [name for name in self.names if name in blocks]
        asked = {_first_word(name) for name in self.wanted}
        if isinstance(raw, Mapping | SimpleNamespace) and not self._is_the_only_one(raw, floats):
            given = dict(raw) if isinstance(raw, Mapping) else vars(raw)
            known = {f"{d}{name}": name for d in ("d_", "d", "") for name in self.names}
            unknown = [key for key in given if key not in known]
            if unknown:
                wanted = ", ".join(map(repr, floats))
                raise Stopped(
                    "count", f"backward gave a gradient for {unknown[0]!r}, wants {wanted}"
                )
            return {known[key]: one for key, one in given.items()}
        if isinstance(raw, tuple | list) and not self._is_the_only_one(raw, floats):
            for names in (self.names, floats, [name for name in floats if name in asked]):
                if len(raw) == len(names):
                    return dict(zip(names, raw, strict=True))
            came = f"{len(raw)} gradients" if len(raw) != 1 else "1 gradient"
            raise Stopped("count", f"backward gave {came} for {_listed(floats)}")
        if len(floats) == 1 or len(asked) == 1:
            return {(floats if len(floats) == 1 else list(asked))[0]: raw}
        came = "None" if raw is None else "1 gradient"
        raise Stopped("count", f"backward gave {came} for {_listed(floats)}")

    def _is_the_only_one(self, raw: Any, floats: list[str]) -> bool:
        """Whether `raw` is the gradient of the one argument, rather than a container of it."""
        if len(floats) != 1:
            return False
        arg = self.args[self.names.index(floats[0])]
        if not is_container(arg):
            return isinstance(raw, list) and not is_container(raw) and len(raw) != 1
        if len(self.args) > 1 and isinstance(raw, tuple | list) and len(raw) == len(self.args):
            return False
        known, given = keys(arg), keys(raw) if is_container(raw) else []
        return set(given) <= set(known) and (len(given) == len(known) or isinstance(arg, Mapping))


class VJPPair(FunctionPair):
    """f(*args) -> y or a tuple of outputs, and vjp(dy, *args) -> the gradient of each argument."""

    def __init__(self, f: Any, vjp: Any, args: Any, name: str = "", surrogate: Any = None) -> None:
        super().__init__(f, vjp, args, name, surrogate)

    def _forward(self, blocks: Blocks) -> tuple[Any, Any]:
        args = self._call(blocks)
        y = self.f(*args)
        return (self.surrogate(*args) if self.surrogate else y), args

    def _backward(self, run: Run, dy: Sequence[Array]) -> Any:
        self.frozen.restore()  # the backward pass draws what the forward pass drew
        return self.function(self._cotangents(dy), *run.memory)


class CachedPair(FunctionPair):
    """forward(*args) -> (y, cache), and backward(dy, cache) -> the gradient of each argument."""

    def __init__(
        self, forward: Any, backward: Any, args: Any, name: str = "", surrogate: Any = None
    ) -> None:
        super().__init__(forward, backward, args, name, surrogate)

    def _forward(self, blocks: Blocks) -> tuple[Any, Any]:
        args = self._call(blocks)
        given = self.f(*args)
        if not isinstance(given, tuple | list) or len(given) != 2:
            came = f"{len(given)} things" if isinstance(given, tuple | list) else _kind(given)
            raise Stopped("count", f"forward returned {came}, wants (y, cache)")
        y, cache = given
        return (self.surrogate(*args) if self.surrogate else y), cache

    def _backward(self, run: Run, dy: Sequence[Array]) -> Any:
        return self.function(self._cotangents(dy), run.memory)


def argument_names(f: Callable[..., Any], n: int) -> list[str]:
    """The names of the first n arguments of f, or args[0], args[1] ... where they have none."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # a builtin
        parameters = []
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [one.name for one in parameters if one.kind in plain]
    return names[:n] if len(names) >= n else [f"args[{i}]" for i in range(n)]


def by_name(f: Callable[..., Any], args: Mapping[str, Any]) -> Any:
    """The arguments in f's order, where a dict has the first of its names; otherwise the dict."""
    names = argument_names(f, len(args))
    return tuple(args[name] for name in names) if set(names) == set(args) else args


def told(problem: BaseException, stage: str) -> str:
    """An exception of the user's code, with the line that raised it.

    `backward raised ValueError in line 12 of layers.py, dx = dy.sum(axis=3): no such axis`
    """
    if isinstance(problem, Stopped):
        return problem.text
    room = Path(__file__).parent.parent
    frames = traceback.extract_tb(problem.__traceback__)
    ours = (room, *room.parent.glob("*.py"))  # and the command line's files
    theirs = [
        one for one in frames if not {Path(one.filename), *Path(one.filename).parents} & set(ours)
    ]
    packages = ("site-packages", "dist-packages")
    outside = [one for one in theirs if not any(name in one.filename for name in packages)]
    text = f"{stage} raised {type(problem).__name__}"
    if theirs:
        frame = (outside or theirs)[-1]
        text += f" in line {frame.lineno} of {Path(frame.filename).name}"
        text += f", {_cut(frame.line)}" if frame.line else ""
    message = _said(problem)
    return f"{text}: {_cut(message)}" if message else text


def _said(problem: BaseException) -> str:
    """The message of an exception, whatever its own code does."""
    try:
        return str(problem)
    except Exception:  # a user's class of errors may have any __str__
        return "and its message cannot be had"


def _cut(text: str) -> str:
    return text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 4] + " ..."


def _output(name: str, one: Any) -> Array:
    """One output as an array."""
    try:
        array = np.asarray(one)
    except Exception as problem:  # of a ragged list, or of a type's own __array__
        what = f"forward returned {_kind(one)} as {name}, which is no array"
        raise Stopped("kind", f"{what}: {_cut(_said(problem))}") from None
    if array.dtype.kind not in "biuf" or one is None:
        raise Stopped("kind", f"forward returned {_kind(one, array)} as {name}, wants real numbers")
    return array


def _matched(arg: Any, gradient: Any, name: str) -> dict[str, Any]:
    """The leaves of an argument, each with its part of a gradient of the same structure."""
    if not is_container(arg):
        return {name: gradient}
    found: dict[str, Any] = {}
    for key, (path, one) in zip(keys(arg), parts(arg, name), strict=True):
        found |= _matched(one, _part(gradient, key), path)
    return found


def _part(gradient: Any, key: Any) -> Any:
    """`gradient[key]` or `gradient.key`, None where there is none."""
    try:
        return gradient[key]
    except (TypeError, KeyError, IndexError):
        return getattr(gradient, str(key), None)


def _first_word(name: str) -> str:
    """The argument of a block: `p` of `p['w'][0]`; `args[0]` has no name but that."""
    cut = name.find("]") + 1 if name.startswith("args[") else 0
    ends = [place for sign in "[." if (place := name.find(sign, cut)) >= 0]
    return name[: min(ends)] if ends else name


def _listed(names: list[str]) -> str:
    return f"{len(names)} arguments: {', '.join(names)}" if len(names) != 1 else names[0]


def _called(f: Any) -> str:
    return getattr(f, "__name__", type(f).__name__)


def labels_of(one: Any) -> Any:
    """A list of whole numbers as an array; everything else as it is."""
    is_whole = isinstance(one, list) and one and all(type(label) is int for label in one)
    return np.array(one) if is_whole else one


def kind_of(one: Any) -> str:
    """What a constant is: `an array of int64`, `None`, `of type str`."""
    if isinstance(one, np.ndarray):
        return f"an array of {one.dtype}"
    return "None" if one is None else f"of type {type(one).__name__}"


def _kind(one: Any, array: Any = None) -> str:
    """What came, in words."""
    if one is None:
        return "None"
    if array is not None and array.dtype.kind == "c":
        return "an array of complex numbers"
    if isinstance(one, np.ndarray):
        return f"an array of dtype {one.dtype}"
    return f"an object of type {type(one).__name__}"
