"""Each gradient has the shape of its argument, float64 numbers, and memory of its own.

shape(dx) = shape(x)                                                                         (1)
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from ...ground.arguments import Array, Shape
from ..measuring.passes import NoGradient, OutOfBudget, Run, Stopped
from ..pairs.function_pairs import FunctionPair
from ..pairs.named_blocks import leaves
from ..pairs.pair import Pair
from ..results import FAIL, NOTE, PASS, Finding
from .comparing import share_memory
from .purity import by_name, copies_of

WHOLE = ("int", "uint", "bool")
NARROW = ("float16", "float32")


def gradient_findings(pair: Pair, dy: Sequence[Array]) -> list[Finding]:
    """A FAIL for each gradient that breaks (1) or is no array; notes on unusual forms."""
    arguments, cotangents = copies_of(pair.blocks), [cotangent.copy("K") for cotangent in dy]
    pair.unusual_kinds.clear()
    gradients = pair.backward(pair.forward(arguments), cotangents)
    found = [
        _no_gradient(pair, name, g) for name, g in gradients.items() if isinstance(g, NoGradient)
    ]
    if not found:
        found.append(Finding("shape", PASS))
    for name, kind in pair.unusual_kinds.items():
        found += _unusual(name, kind)
    if not pair.copies:
        given = {**arguments, **by_name(cotangents, "dy")}
        for name, g in gradients.items():
            for other, array in given.items():
                if not isinstance(g, NoGradient) and share_memory(g, array):
                    found.append(Finding("alias", NOTE, f"d{name} lies in the memory of {other}"))
    return found


def _no_gradient(pair: Pair, name: str, returned: NoGradient) -> Finding:
    """A FAIL, with advice where the shape is wrong."""
    how = advice(returned.shape, pair.blocks[name].shape) if returned.contract == "shape" else ""
    return Finding(returned.contract, FAIL, returned.text.removeprefix(f"d{name} ") + how, name)


def _unusual(name: str, kind: str) -> list[Finding]:
    """Notes on a gradient that is no float64 array."""
    if kind == "a gradient":
        return [Finding("constants", NOTE, f"backward returned a gradient for {name}, a constant")]
    if kind == "NoneType":
        return [Finding("kind", NOTE, f"d{name} is None: taken as zeros")]
    if kind.startswith(WHOLE):
        text = f"d{name} is of dtype {kind}: whole numbers, so that fractions were cut off"
        return [Finding("dtype", NOTE, text)]
    if kind in NARROW:
        return [Finding("dtype", NOTE, f"d{name} is {kind}, though all arguments are float64")]
    return []


def advice(returned: Shape, right: Shape) -> str:
    """What turns an array of one shape into another, where a simple step does.

    >>> advice((4, 3), (3,)), advice((1, 3), (3,)), advice((3, 5), (5, 3))
    (': sum over axis 0', ': drop axis 0', ': transpose it')
    >>> advice((3,), (4, 3)), advice((4, 3), (1, 3))
    (': it was summed over axis 0', ': sum over axis 0 with keepdims=True')
    """
    axes = [k for n in range(1, len(returned) + 1) for k in combinations(range(len(returned)), n)]
    for subset in axes if len(returned) <= 6 else []:
        which = f"axis {subset[0]}" if len(subset) == 1 else f"axes {subset}"
        if _without(returned, subset) == right:
            return f": {'drop' if all(returned[k] == 1 for k in subset) else 'sum over'} {which}"
        if tuple(1 if k in subset else n for k, n in enumerate(returned)) == right:
            return f": sum over {which} with keepdims=True"
    if returned == right[::-1]:
        return ": transpose it"
    for k in range(len(right)):
        if _without(right, (k,)) == returned:
            return f": it was summed over axis {k}" if right[k] != 1 else f": axis {k} is missing"
    return ": reshape it" if np.prod(returned) == np.prod(right) else ""


def _without(shape: Shape, axes: Sequence[int]) -> Shape:
    return tuple(n for k, n in enumerate(shape) if k not in axes)


def raw_kinds(pair: Pair, run: Run) -> list[str]:
    """The dtypes of the outputs of the last run, as the forward pass returned them."""
    outputs = pair.structure if isinstance(pair, FunctionPair) else run.outputs
    return [str(y.dtype) for _, y in leaves(outputs, "y") if hasattr(y, "dtype")]


def in_single(pair: Pair, dy: Sequence[Array]) -> list[Finding]:
    """A note where float32 arguments, if there were any, turn into float64."""
    if not pair.float32_blocks:
        return []
    blocks = copies_of(pair.blocks)
    blocks |= {name: blocks[name].astype(np.float32) for name in pair.float32_blocks}
    pair.unusual_kinds.clear()
    try:
        run = pair.forward(blocks)
        kinds = raw_kinds(pair, run)
        pair.backward(run, [cotangent.astype(np.float32) for cotangent in dy])
    except OutOfBudget:
        raise
    except Stopped as stop:
        return [Finding("dtype", NOTE, f"with float32 arguments, {stop.text}")]
    names = [name for name in pair.float32_blocks if name in pair.checked]
    wide = [f"d{n}" for n in names if pair.unusual_kinds.get(n, "float64") == "float64"]
    if set(pair.float32_blocks) == set(pair.blocks) and "float64" in kinds:
        wide = ["y", *wide]
    text = f"float32 arguments turn into float64: {', '.join(wide)}"
    return [Finding("dtype", NOTE, text)] if wide else []
