"""What a backward pass gives: the shape and kind of each gradient, and whose memory it lies in."""

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


def gradients_of(pair: Pair, dy: Sequence[Array]) -> list[Finding]:
    """A FAIL for each gradient that is none; notes on what came in an unusual form."""
    mine, cotangents = copies_of(pair.blocks), [cotangent.copy("K") for cotangent in dy]
    pair.unusual_kinds.clear()
    given = pair.backward(pair.forward(mine), cotangents)
    found = [_odd(pair, name, g) for name, g in given.items() if isinstance(g, NoGradient)]
    if not found:
        found.append(Finding("shape", PASS))
    for name, kind in pair.unusual_kinds.items():
        found += _unusual(name, kind)
    if not pair.copies:
        around = {**mine, **by_name(cotangents, "dy")}
        for name, g in given.items():
            for other, array in around.items():
                if not isinstance(g, NoGradient) and share_memory(g, array):
                    found.append(Finding("alias", NOTE, f"d{name} lies in the memory of {other}"))
    return found


def _odd(pair: Pair, name: str, odd: NoGradient) -> Finding:
    """What came in place of a gradient, and for a wrong shape what to do about it."""
    how = advice(odd.shape, pair.blocks[name].shape) if odd.contract == "shape" else ""
    return Finding(odd.contract, FAIL, odd.text.removeprefix(f"d{name} ") + how, name)


def _unusual(name: str, kind: str) -> list[Finding]:
    """Notes on a gradient that is no float64 array."""
    if kind == "a gradient":
        return [Finding("constants", NOTE, f"a gradient came for {name}, which is a constant")]
    if kind == "NoneType":
        return [Finding("kind", NOTE, f"d{name} is None: taken as zeros")]
    if kind.startswith(WHOLE):
        text = f"d{name} came as {kind}: whole numbers, so that fractions were cut off"
        return [Finding("dtype", NOTE, text)]
    if kind in NARROW:
        return [Finding("dtype", NOTE, f"d{name} is {kind}, though all arguments are float64")]
    return []


def advice(came: Shape, wanted: Shape) -> str:
    """What makes an array of one shape into one of another, where something plain does.

    >>> advice((4, 3), (3,)), advice((1, 3), (3,)), advice((3, 5), (5, 3))
    (': sum over axis 0', ': drop axis 0', ': transpose it')
    >>> advice((3,), (4, 3)), advice((4, 3), (1, 3))
    (': it was summed over axis 0', ': sum over axis 0 with keepdims=True')
    """
    axes = [k for n in range(1, len(came) + 1) for k in combinations(range(len(came)), n)]
    for some in axes if len(came) <= 6 else []:
        which = f"axis {some[0]}" if len(some) == 1 else f"axes {some}"
        if _without(came, some) == wanted:
            return f": {'drop' if all(came[k] == 1 for k in some) else 'sum over'} {which}"
        if tuple(1 if k in some else n for k, n in enumerate(came)) == wanted:
            return f": sum over {which} with keepdims=True"
    if came == wanted[::-1]:
        return ": transpose it"
    for k in range(len(wanted)):
        if _without(wanted, (k,)) == came:
            return f": it was summed over axis {k}" if wanted[k] != 1 else f": axis {k} is missing"
    return ": reshape it" if np.prod(came) == np.prod(wanted) else ""


def _without(shape: Shape, axes: Sequence[int]) -> Shape:
    return tuple(n for k, n in enumerate(shape) if k not in axes)


def raw_kinds(pair: Pair, run: Run) -> list[str]:
    """The dtypes of the outputs of this run, the last one, as the forward pass gave them."""
    given = pair.structure if isinstance(pair, FunctionPair) else run.outputs
    return [str(y.dtype) for _, y in leaves(given, "y") if hasattr(y, "dtype")]


def in_single(pair: Pair, dy: Sequence[Array]) -> list[Finding]:
    """A note where float32 turns into float64; asked where arguments were given in float32."""
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
