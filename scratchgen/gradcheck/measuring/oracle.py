"""The verdict on each block's gradient, without a tolerance for anyone to choose.

Blocks are measured one by one, because one direction over all would drown the small ones. Each has
three directions, two scaled by its root mean square and one by each entry's own size. All must
pass; a FAIL at the given point is final, and only INCONCLUSIVE is tried again, with steps a
thousand times smaller, and then along another direction.

Where left and right derivatives differ, x sits on a kink, and the derivative there is a convention;
where they are infinite, as that of a root at 0, there is none. Then the question is asked a little
beside the point, with every number of the block moved by 1 %.
"""

import numpy as np

from ...ground.arguments import Array
from ..results import FAIL, INCONCLUSIVE, NOTE, PASS, BlockResult, Finding, worst
from .claims import Claim, claim, direction
from .exact import complex_step
from .judging import Judged, climb, judged
from .passes import NoGradient, OutOfBudget, PassPair
from .rounding import along, forward_noise

REPEATS = ("rms", "rms", "own")  # how the directions of the three repeats are scaled
TRIES = (1.0, 1e-3, 1.0)  # lengths of the directions that are tried until one tells


def measure_all(
    pair: PassPair, rng: np.random.Generator
) -> tuple[list[BlockResult], list[Finding]]:
    """A result for each block that is wanted, and notes about kinks."""
    results, notes = [], []
    try:
        claims = [claim(pair, pair.blocks, rng) for _ in REPEATS]
    except OutOfBudget as stop:
        shapes = {name: pair.blocks[name].shape for name in pair.checked}
        return [BlockResult(*one, INCONCLUSIVE, stop.text) for one in shapes.items()], []
    for name in pair.checked:
        result, found = measure(pair, name, claims, rng)
        results.append(result)
        notes += found[:1]
    return results, notes


def measure(
    pair: PassPair, name: str, claims: list[Claim], rng: np.random.Generator
) -> tuple[BlockResult, list[Finding]]:
    """The verdict on one block, and what is to be noted of it."""
    shape, notes = pair.blocks[name].shape, list[Finding]()
    odd = next((g for one in claims if isinstance(g := one.gradients[name], NoGradient)), None)
    if odd is not None:
        if not isinstance(claims[0].gradients[name], NoGradient):
            notes.append(Finding(odd.contract, FAIL, f"in a later call, {odd.text}", name))
        reason = f"it is no gradient: its {odd.contract} is wrong"
        return BlockResult(name, shape, FAIL, reason), notes
    if 0 in shape or not any(y.size for y in claims[0].outputs):
        what = "it holds" if 0 in shape else "forward gives"
        return BlockResult(name, shape, NOTE, f"{what} no numbers: nothing was checked"), []
    result = BlockResult(name, shape, INCONCLUSIVE)
    try:
        infinite = [one for one in claims if not np.isfinite(one.gradient(name)).all()]
        if infinite:
            found = [_not_finite(pair, name, infinite[0], notes, rng)]
        else:
            found = _repeats(pair, name, claims, notes, rng)
    except OutOfBudget as stop:
        result.reason = stop.text
        return result, notes
    result.verdict = worst([one.verdict for one in found])
    result.reason = next((one.reason for one in found if one.verdict == result.verdict), "")
    result.measurements = [one.measurement for one in found]
    if not any(one.reason for one in found):
        result.resolution = max(one.resolution for one in result.measurements)
    if result.verdict == PASS and not notes:
        result.exact = complex_step(pair, name, claims[0], found[0].measurement, rng)
    return result, notes


def _repeats(
    pair: PassPair, name: str, claims: list[Claim], notes: list[Finding], rng: np.random.Generator
) -> list[Judged]:
    """One measurement for each repeat."""
    noise: dict[tuple[str, float], float] = {}
    found = []
    for claimed, scaled in zip(claims, REPEATS, strict=True):
        found.append(_repeat(pair, name, claimed, scaled, noise, notes, rng))
    return found


def _repeat(
    pair: PassPair,
    name: str,
    claimed: Claim,
    scaled: str,
    noise: dict[tuple[str, float], float],
    notes: list[Finding],
    rng: np.random.Generator,
) -> Judged:
    """One repeat: along as many directions as it takes to be sure.

    The noise of f is measured once for each way to scale directions.
    """
    for share in TRIES:
        u = share * direction(pair.blocks[name], scaled, rng)
        if (scaled, share) not in noise:
            noise[scaled, share] = forward_noise(pair, pair.blocks, name, u, claimed.w, rng)
        one = judged(pair, pair.blocks, name, u, claimed, rng, noise[scaled, share], share)
        if one.is_kink:  # believed at once if it surely is one; else if all is well beside it
            left, right = one.slope.left.value, one.slope.right.value
            claim = f"{one.measurement.analytic:.4g} is claimed"
            text = f"sits on a kink: slopes {left:.4g} and {right:.4g} beside it, {claim}"
            there = beside(pair, name, scaled, text, notes, rng)
            one = there if there.verdict == PASS or one.slope.is_kink() else one
        if share != 1 and one.verdict == PASS and one.reason:
            one.verdict = INCONCLUSIVE  # what looks like 0 over so short a way need not be 0
        if one.verdict != INCONCLUSIVE:
            break
    return one


def beside(
    pair: PassPair,
    name: str,
    scaled: str,
    text: str,
    notes: list[Finding],
    rng: np.random.Generator,
) -> Judged:
    """The same question with the block moved by 1 %, and a note of what holds at the point."""
    block = pair.blocks[name]
    moved = {**pair.blocks, name: block + 0.01 * direction(block, "rms", rng)}
    u = direction(moved[name], scaled, rng)
    one = judged(pair, moved, name, u, claim(pair, moved, rng), rng)
    if one.verdict == PASS:
        note = f"{name} {text}; checked with {name} moved by 1 %"
        notes.append(Finding("kink", NOTE, note, name))
    return one


def _not_finite(
    pair: PassPair,
    name: str,
    claimed: Claim,
    notes: list[Finding],
    rng: np.random.Generator,
) -> Judged:
    """A gradient that holds NaN or infinity: wrong where both one-sided derivatives are numbers."""
    g = claimed.gradient(name)
    bad = np.argwhere(~np.isfinite(g))
    at = f"{name}{list(map(int, bad[0]))}" if g.ndim else name
    text = f"the gradient is {g[tuple(bad[0])]} at {at}, in {len(bad)} of {g.size} entries"
    one = beside(pair, name, "rms", f"has an infinite slope here: {text}", notes, rng)
    if _is_finite(pair, name, claimed, ~np.isfinite(g), rng):
        notes.clear()
        one.verdict, one.reason = FAIL, f"{text}, where the derivative is finite"
    return one


def _is_finite(
    pair: PassPair, name: str, claimed: Claim, mask: Array, rng: np.random.Generator
) -> bool:
    """Whether the derivatives along the entries in `mask` are numbers, on both sides."""
    u = np.where(mask, direction(pair.blocks[name], "rms", rng), 0.0)
    f = along(pair, pair.blocks, name, u)
    noise = forward_noise(pair, pair.blocks, name, u, claimed.w, rng)
    zeros = {**claimed.gradients, name: np.zeros(mask.shape)}
    slope = climb(f, Claim(claimed.w, claimed.outputs, zeros, []), name, u, noise)
    allowed = 1e-3 * slope.scale + 1e3 * noise
    return max(slope.left.error, slope.right.error) <= allowed  # False for NaN
