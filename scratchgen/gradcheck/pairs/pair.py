"""What is checked is a pair: a forward and a backward pass, as functions of named arrays.

A layer, a model's objective, two functions of a user's: each becomes a pair, and the rest of the
checker works on pairs. All calls of code that may do anything are made here. An exception becomes
`Stopped`, and whatever is returned in place of a gradient becomes `NoGradient`. Calls are counted,
and charged to the budget.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...ground.arguments import Array, Shape, whole
from ...ground.errors import OptionError
from ..measuring.passes import Blocks, NoGradient, Run, Stopped, copied
from .budget import Budget
from .exception_texts import exception_text, message_of, shortened, type_in_words
from .frozen import Frozen
from .named_blocks import leaves

MOST_NUMBERS = 2**24  # in all blocks of a pair together: 2 GiB


class Pair:
    """What all pairs share; subclasses define `_forward` and `_backward`.

    Attributes:
        name: of the subject, such as `Dense(3 -> 2)`.
        blocks: name -> float64 array, the point at which the pair is checked.
        checked: the names of the blocks whose gradients are checked.
        constants: the names of arguments without a gradient, such as labels.
        kinds: the kinds of the constants, in words.
        per_example: name -> batch axis of the blocks that have one; empty where examples may mix.
        takes_cotangents: False for an objective, whose cotangent is always 1.
        copies: True if it writes into its arguments or into arrays that it returned; it then gets
            copies, and its results are copied.
        eps: the machine epsilon of the coarsest float type among the outputs.
        numbers: how many numbers there are in all blocks together.
        other_arrays: name -> array that it uses besides the blocks, such as labels.
        float32_blocks: the names of the blocks that were given in float32.
        shapes: shapes of the blocks -> shapes of the outputs, as seen so far.
        unusual_kinds: block -> type of its last gradient, where that was no float64 array.
    """

    takes_cotangents = True
    surrogate: Any = None  # what is differentiated in place of forward, if declared

    def __init__(self, name: str, blocks: Blocks, *roots: Any) -> None:
        self.name = name
        self.blocks = blocks
        self.checked = list(blocks)
        self.constants: list[str] = []
        self.kinds: dict[str, str] = {}
        self.per_example: dict[str, int] = {}
        self.copies = False
        self.eps = float(np.finfo(np.float64).eps)
        self.other_arrays: dict[str, Array] = {}
        self.float32_blocks: list[str] = []
        self.unusual_kinds: dict[str, str] = {}
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
        """One forward pass. Raises Stopped if it raises, or returns no arrays of numbers."""
        self.forward_calls += 1
        self.budget.check()
        if self.copies:
            blocks = {name: array.copy("K") for name, array in (self.other_arrays | blocks).items()}
        self.frozen.restore()
        try:
            y, memory = self._forward(blocks)
        except Stopped:
            raise
        except (Exception, SystemExit) as problem:
            raise Stopped("raises", exception_text(problem, "forward")) from problem
        outputs = self._outputs(y)
        self.budget.count(self.numbers + sum([y.size for y in outputs]))
        self._expect_shapes(blocks, outputs)
        return Run(tuple(y.copy() for y in outputs) if self.copies else outputs, memory)

    def backward(self, run: Run, dy: Sequence[Array]) -> dict[str, Array | NoGradient]:
        """The gradient of each block, a float64 array of its shape, or a NoGradient.

        dy has an array for each output. Raises Stopped if the backward pass raises, or if its
        result cannot be assigned to blocks. None counts as zeros.
        """
        self.backward_calls += 1
        self.budget.check()
        self.budget.count(self.numbers + sum([cotangent.size for cotangent in dy]))
        if self.copies:
            dy = [cotangent.copy(order="K") for cotangent in dy]
        try:
            raw = self._backward(run, dy)
        except (Exception, SystemExit) as problem:
            raise Stopped("raises", exception_text(problem, "backward")) from problem
        gradients = {name: self._gradient(name, g) for name, g in self._by_block(raw).items()}
        return copied(gradients) if self.copies else gradients

    def _expect_shapes(self, blocks: Blocks, outputs: tuple[Array, ...]) -> None:
        """Raises Stopped if blocks of these shapes gave outputs of other shapes before."""
        block_shapes = tuple([block.shape for block in blocks.values()])
        shapes = [y.shape for y in outputs]
        before = self.shapes.setdefault(block_shapes, shapes)
        if shapes != before:
            text = f"forward gives outputs of shapes {before}, and then of {shapes}"
            raise Stopped("varying", f"{text}: what depends on values has no derivative")

    def move_to(self, blocks: Blocks) -> None:
        """Note a new point; a pair that holds something fixed has to know it."""

    def complex_outputs(self, blocks: Blocks) -> list[Array] | None:
        """The outputs where one of the blocks is complex; None where that does not work."""
        self.forward_calls += 1
        self.frozen.restore()
        try:
            y, _ = self._forward(blocks)
            return [np.asarray(value) for _, value in leaves(y, "y")]
        except (Exception, SystemExit):
            return None

    def declare_batch(self, axis: int) -> None:
        """Declare that the first block has examples along `axis`, which do not mix."""
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
        """What the forward pass returns, and its memory for the backward pass."""
        raise NotImplementedError

    def _backward(self, run: Run, dy: Sequence[Array]) -> Any:
        """What the backward pass returns."""
        raise NotImplementedError

    def _outputs(self, y: Any) -> tuple[Array, ...]:
        """The outputs as arrays. Raises Stopped for anything but arrays of numbers."""
        if type(y) is np.ndarray and y.dtype == np.float64:
            return (y,)
        return (output_array("y", y),)

    def variants(self, blocks: Blocks, dy: Sequence[Array]) -> dict[str, dict[str, Any]]:
        """Other ways to call the backward pass, in words, and their gradients: all should agree."""
        return {}

    def _by_block(self, raw: Any) -> dict[str, Any]:
        """The result of the backward pass by block, for the blocks that are checked."""
        returned = raw if isinstance(raw, Mapping) else {}
        return {name: returned.get(name) for name in self.checked}

    def _gradient(self, name: str, raw: Any) -> Array | NoGradient:
        """A gradient as a float64 array of its block's shape, or what is wrong with it."""
        shape = self.blocks[name].shape
        if type(raw) is np.ndarray and raw.dtype == np.float64 and raw.shape == shape:
            return raw
        self.unusual_kinds[name] = str(getattr(raw, "dtype", type(raw).__name__))
        if raw is None:
            return np.zeros(shape)
        try:
            array = np.asarray(raw)
        except Exception as problem:  # of a ragged list, or of a type's own __array__
            what = f"d{name} is {type_in_words(raw)} that is no array"
            return NoGradient("kind", f"{what} ({shortened(message_of(problem))}), wants an array")
        if array.dtype.kind not in "biuf":
            return NoGradient(
                "kind", f"d{name} is {type_in_words(raw, array)}, wants an array of floats"
            )
        if array.shape != shape:
            text = f"d{name} has shape {array.shape}, wants {name}'s, {shape}"
            return NoGradient("shape", text, array.shape)
        return array.astype(np.float64)


def output_array(name: str, value: Any) -> Array:
    """An output as an array. Raises Stopped unless it holds real numbers."""
    try:
        array = np.asarray(value)
    except Exception as problem:  # of a ragged list, or of a type's own __array__
        what = f"forward returned {type_in_words(value)} as {name}, which is no array"
        raise Stopped("kind", f"{what}: {shortened(message_of(problem))}") from None
    if array.dtype.kind not in "biuf" or value is None:
        raise Stopped(
            "kind", f"forward returned {type_in_words(value, array)} as {name}, wants real numbers"
        )
    return array
