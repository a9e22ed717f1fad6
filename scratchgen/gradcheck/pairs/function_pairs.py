"""Two functions of a user's own as a pair: f and its vjp, or forward and backward with a cache."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...ground.arguments import Array
from ...ground.errors import KindError
from ..measuring.passes import Blocks, Run, Stopped
from .exception_texts import kind_of, name_of_function, type_in_words
from .matching import gradients_by_argument, gradients_by_leaf
from .named_blocks import as_block, is_container, leaves, rebuilt
from .pair import Pair, output_array


class FunctionPair(Pair):
    """Functions of a user's own: what `VJPPair` and `CachedPair` share.

    Where the backward pass is deliberately not the derivative of f, `surrogate` is the function
    whose derivative it is.
    """

    def __init__(self, f: Any, backward: Any, args: Any, name: str, surrogate: Any = None) -> None:
        for function in (f, backward, surrogate or f):
            if not callable(function):
                raise KindError(f"a check got {function!r} as a function: wants something to call")
        args = by_name(f, args) if isinstance(args, Mapping) else args
        args = args if isinstance(args, tuple | list) else (args,)
        self.f, self.function, self.surrogate, self.args = f, backward, surrogate, tuple(args)
        self.names = argument_names(f, len(self.args))
        values = [
            leaf
            for arg, name in zip(self.args, self.names, strict=True)
            for leaf in leaves(arg, name)
        ]
        blocks = {name: block for name, value in values if (block := as_block(value)) is not None}
        super().__init__(name or name_of_function(f), blocks, f, backward, surrogate, self.args)
        self.constants = [name for name, _ in values if name not in blocks]
        self.kinds = {name: kind_of(value) for name, value in values if name not in blocks}
        rest = {name: labels_of(value) for name, value in values if name not in blocks}
        self.other_arrays = {
            name: value for name, value in rest.items() if type(value) is np.ndarray
        }
        self.float32_blocks = [
            n for n, value in values if getattr(value, "dtype", None) == np.float32
        ]
        self.structure: Any = None  # of the outputs, after the first forward pass

    def _call(self, blocks: Blocks) -> list[Any]:
        """The arguments in the user's own structure, with these blocks in them."""
        pairs = zip(self.args, self.names, strict=True)
        return [rebuilt(arg, name, blocks) for arg, name in pairs]

    def _outputs(self, y: Any) -> tuple[Array, ...]:
        self.structure = y
        if type(y) is np.ndarray and y.dtype == np.float64:
            return (y,)
        try:
            arrays = [output_array(name, value) for name, value in leaves(y, "y")]
        except KindError as problem:
            raise Stopped("kind", f"forward returned what cannot be read: {problem}") from problem
        if not arrays:
            raise Stopped("kind", "forward returned nothing to differentiate")
        floats = [array for array in arrays if array.dtype.kind == "f"]
        self.eps = max([self.eps, *(float(np.finfo(array.dtype).eps) for array in floats)])
        return tuple(
            array.astype(np.float64) if array.dtype.kind == "f" else array for array in arrays
        )

    def _cotangents(self, dy: Sequence[Array]) -> Any:
        """dy in the structure of the outputs."""
        if not is_container(self.structure):
            return dy[0]
        names = [name for name, _ in leaves(self.structure, "y")]
        return rebuilt(self.structure, "y", dict(zip(names, dy, strict=True)))

    def _by_block(self, raw: Any) -> dict[str, Any]:
        blocks, checked = list(self.blocks), self.checked
        gradients = gradients_by_argument(raw, self.args, self.names, blocks, checked)
        found: dict[str, Any] = {}
        for arg, name in zip(self.args, self.names, strict=True):
            if name in gradients:
                found |= gradients_by_leaf(arg, gradients[name], name)
        for name in self.constants:
            if found.get(name) is not None:
                self.unusual_kinds[name] = "a gradient"
        return {name: found.get(name) for name in blocks if name in checked}


class VJPPair(FunctionPair):
    """f(*args) -> y or a tuple of outputs, and vjp(dy, *args) -> the gradient of each argument."""

    def __init__(self, f: Any, vjp: Any, args: Any, name: str = "", surrogate: Any = None) -> None:
        super().__init__(f, vjp, args, name, surrogate)

    def _forward(self, blocks: Blocks) -> tuple[Any, Any]:
        args = self._call(blocks)
        y = self.f(*args)
        return (self.surrogate(*args) if self.surrogate else y), args

    def _backward(self, run: Run, dy: Sequence[Array]) -> Any:
        self.frozen.restore()  # backward draws the same random numbers as forward
        return self.function(self._cotangents(dy), *run.memory)


class CachedPair(FunctionPair):
    """forward(*args) -> (y, cache), and backward(dy, cache) -> the gradient of each argument."""

    def __init__(
        self, forward: Any, backward: Any, args: Any, name: str = "", surrogate: Any = None
    ) -> None:
        super().__init__(forward, backward, args, name, surrogate)

    def _forward(self, blocks: Blocks) -> tuple[Any, Any]:
        args = self._call(blocks)
        returned = self.f(*args)
        if not isinstance(returned, tuple | list) or len(returned) != 2:
            is_sequence = isinstance(returned, tuple | list)
            what = f"{len(returned)} things" if is_sequence else type_in_words(returned)
            raise Stopped("count", f"forward returned {what}, wants (y, cache)")
        y, cache = returned
        return (self.surrogate(*args) if self.surrogate else y), cache

    def _backward(self, run: Run, dy: Sequence[Array]) -> Any:
        return self.function(self._cotangents(dy), run.memory)


def argument_names(f: Callable[..., Any], n: int) -> list[str]:
    """The names of the first n arguments of f, or args[0], args[1] ... if f hides them."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # a builtin
        parameters = []
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [parameter.name for parameter in parameters if parameter.kind in plain]
    return names[:n] if len(names) >= n else [f"args[{i}]" for i in range(n)]


def by_name(f: Callable[..., Any], args: Mapping[str, Any]) -> Any:
    """The arguments in the order of f, if the dict has their names; otherwise the dict itself."""
    names = argument_names(f, len(args))
    return tuple(args[name] for name in names) if set(names) == set(args) else args


def labels_of(value: Any) -> Any:
    """A list of whole numbers as an array; everything else as it is."""
    is_whole = isinstance(value, list) and value and all(type(label) is int for label in value)
    return np.array(value) if is_whole else value
