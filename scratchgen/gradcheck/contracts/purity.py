"""A pass does not change the arrays that it is given: compared byte by byte, and tried read-only.

    bytes(x) and bytes(dy) are the same before and after forward(x) and backward(dy)             (1)

A function that writes into its arguments works by itself, and spoils what its caller still needs:
the input that a layer keeps for its backward pass, or a gradient that two layers share.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ...ground.arguments import Array
from ..measuring.passes import Blocks, OutOfBudget, Stopped
from ..pairs.pair import Pair
from ..results import FAIL, NOTE, PASS, Finding


class Snapshot:
    """The bytes of some arrays, to be compared with later."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self.arrays = {name: array for name, array in arrays.items() if array.dtype.kind in "biuf"}
        self.before = {name: (array.shape, array.tobytes()) for name, array in self.arrays.items()}

    def changed(self) -> list[str]:
        """The names of the arrays that are no longer the same: (1)."""
        return [
            name
            for name, array in self.arrays.items()
            if (array.shape, array.tobytes()) != self.before[name]
        ]

    def restore(self, names: Sequence[str]) -> None:
        """Write the old bytes into these arrays again."""
        for name in names:
            shape, before = self.before[name]
            array = self.arrays[name]
            array.shape = shape
            array[...] = np.frombuffer(before, array.dtype).reshape(shape)

    def findings(self, stage: str) -> list[Finding]:
        """A FAIL for each array that `stage` wrote into; all are restored."""
        names = self.changed()
        found = [Finding("pure", FAIL, self._words(name, stage)) for name in names]
        self.restore(names)
        return found

    def _words(self, name: str, stage: str) -> str:
        """`backward changed dy, in 12 of 12 entries`."""
        shape, before = self.before[name]
        now = self.arrays[name]
        if now.shape != shape:
            return f"{stage} changed the shape of {name} in place, from {shape} to {now.shape}"
        was = np.frombuffer(before, now.dtype).reshape(shape)
        n = int((was != now).sum()) or 1
        return f"{stage} changed {name} in place, in {n} of {now.size} entries"


def copies_of(blocks: Mapping[str, Array]) -> Blocks:
    """Copies in the same memory layout."""
    return {name: block.copy("K") for name, block in blocks.items()}


def by_name(arrays: Sequence[Array], name: str) -> dict[str, Array]:
    """Outputs or cotangents by name: `y`, or `y[0]`, `y[1]` where there are several."""
    return {f"{name}[{i}]" if len(arrays) > 1 else name: array for i, array in enumerate(arrays)}


def writes_of_a_pass(pair: Pair, blocks: Mapping[str, Array], dy: Sequence[Array]) -> list[Finding]:
    """A FAIL for each array that a forward or a backward pass changes."""
    arguments, cotangents = copies_of(blocks), [cotangent.copy("K") for cotangent in dy]
    before = Snapshot({**arguments, **pair.other_arrays})
    run = pair.forward(arguments)
    found = before.findings("forward")
    outputs = Snapshot(by_name(run.outputs, "y"))
    between = Snapshot({**arguments, **pair.other_arrays, **by_name(cotangents, "dy")})
    pair.backward(run, cotangents)
    found += between.findings("backward")
    for name in outputs.changed():
        text = f"backward writes into what forward returned as {name}"
        found.append(Finding("pure", NOTE, text))
    return found


def purity(pair: Pair, dy: Sequence[Array]) -> list[Finding]:
    """(1) for a pair; one that breaks it is given copies from now on."""
    pair.copies = False
    others = Snapshot(pair.other_arrays)
    try:
        found = writes_of_a_pass(pair, pair.blocks, dy)
        refusal = _refusal(pair, dy)
        if refusal and not _failed(found):
            found += _with_signs_flipped(pair, dy)
    finally:
        others.restore(others.changed())
    impure = _failed(found)
    pair.copies = bool(impure)
    if refusal and impure:
        found[found.index(impure[0])] = replace(impure[0], text=f"{impure[0].text}; {refusal}")
    elif refusal:
        text = f"it refuses read-only arrays, though it changed none: {refusal}"
        found.append(Finding("pure", NOTE, text))
    return found if impure else [*found, Finding("pure", PASS)]


def _failed(found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.verdict == FAIL]


def _refusal(pair: Pair, dy: Sequence[Array]) -> str:
    """What a pass raises when all of its arguments are read-only; "" if nothing."""
    arguments, cotangents = copies_of(pair.blocks), [cotangent.copy("K") for cotangent in dy]
    for array in (*arguments.values(), *cotangents):
        array.flags.writeable = False
    try:
        pair.backward(pair.forward(arguments), cotangents)
    except OutOfBudget:
        raise
    except Stopped as stop:
        return f"given read-only arrays, {stop.text}"
    return ""


def _with_signs_flipped(pair: Pair, dy: Sequence[Array]) -> list[Finding]:
    """(1) at the point with all signs flipped, since a mask may be empty at the first."""
    flipped = {
        name: -block if name in pair.checked else block for name, block in pair.blocks.items()
    }
    try:
        return _failed(writes_of_a_pass(pair, flipped, [-cotangent for cotangent in dy]))
    except OutOfBudget:
        raise
    except Stopped:
        return []
