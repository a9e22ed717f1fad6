"""The verdict on the gradient of each block, without a tolerance that anyone must choose.

Blocks are measured one after the other, because a single direction through all of them would drown
the small blocks. Each block has three directions: two scaled by its root mean square, one by the
size of each entry, because entries of one block may differ by orders of magnitude. All three must
pass, and a FAIL at the given point is final. Only INCONCLUSIVE is tried again, with steps a
thousand times smaller and then along another direction.

Where left and right derivatives differ, x lies on a kink, and the derivative there is a convention.
Where they are infinite, as for a root at 0, there is none. In both cases the derivative is measured
beside the point, with every number of the block moved by 1 %.
"""

import numpy as np

from ...ground.arguments import Array
from ..results import FAIL, INCONCLUSIVE, NOTE, PASS, BlockResult, Finding, worst
from .claims import Claim, direction, draw_claim
from .exact import complex_step
from .judging import Judgement, judge, measure_slope
from .passes import NoGradient, OutOfBudget, PassPair
from .rounding import along, forward_noise

REPEATS = ("rms", "rms", "own")  # how the directions of the three repeats are scaled
TRIES = (1.0, 1e-3, 1.0)  # lengths of the directions that are tried until one decides


def measure_all(
    pair: PassPair, rng: np.random.Generator
) -> tuple[list[BlockResult], list[Finding]]:
    """A result for each block that is checked, and notes about kinks."""
    results, notes = [], []
    try:
        claims = [draw_claim(pair, pair.blocks, rng) for _ in REPEATS]
    except OutOfBudget as stop:
        shapes = {name: pair.blocks[name].shape for name in pair.checked}
        return [BlockResult(*item, INCONCLUSIVE, stop.text) for item in shapes.items()], []
    for name in pair.checked:
        result, found = measure(pair, name, claims, rng)
        results.append(result)
        notes += found[:1]
    return results, notes


def measure(
    pair: PassPair, name: str, claims: list[Claim], rng: np.random.Generator
) -> tuple[BlockResult, list[Finding]]:
    """The verdict on one block, and notes about it."""
    notes: list[Finding] = []
    result = _without_measuring(pair, name, claims, notes)
    if result is not None:
        return result, notes
    result = BlockResult(name, pair.blocks[name].shape, INCONCLUSIVE)
    try:
        infinite = [claimed for claimed in claims if not np.isfinite(claimed.gradient(name)).all()]
        if infinite:
            judgements = [_not_finite(pair, name, infinite[0], notes, rng)]
        else:
            judgements = _repeats(pair, name, claims, notes, rng)
    except OutOfBudget as stop:
        result.reason = stop.text
        return result, notes
    result.verdict = worst([each.verdict for each in judgements])
    result.reason = next((each.reason for each in judgements if each.verdict == result.verdict), "")
    result.measurements = [each.measurement for each in judgements]
    if not any(each.reason for each in judgements):
        result.resolution = max(measurement.resolution for measurement in result.measurements)
    if result.verdict == PASS and not notes:
        result.exact = complex_step(pair, name, claims[0], judgements[0].measurement, rng)
    return result, notes


def _repeats(
    pair: PassPair, name: str, claims: list[Claim], notes: list[Finding], rng: np.random.Generator
) -> list[Judgement]:
    """One judgement for each way to scale directions."""
    noise: dict[tuple[str, float], float] = {}
    return [
        _repeat(pair, name, claimed, scaled, noise, notes, rng)
        for claimed, scaled in zip(claims, REPEATS, strict=True)
    ]


def _repeat(
    pair: PassPair,
    name: str,
    claimed: Claim,
    scaled: str,
    noise: dict[tuple[str, float], float],
    notes: list[Finding],
    rng: np.random.Generator,
) -> Judgement:
    """The judgement along the first direction that decides.

    The noise of f is measured once for each way to scale directions, and kept in `noise`.
    """
    for share in TRIES:
        u = share * direction(pair.blocks[name], scaled, rng)
        if (scaled, share) not in noise:
            noise[scaled, share] = forward_noise(pair, pair.blocks, name, u, claimed.w, rng)
        result = judge(pair, pair.blocks, name, u, claimed, rng, noise[scaled, share], share)
        if result.is_kink:  # a sure kink counts at once; another only if the point beside it passes
            left, right = result.slope.left.value, result.slope.right.value
            claim = f"{result.measurement.analytic:.4g} is claimed"
            text = f"sits on a kink: slopes {left:.4g} and {right:.4g} beside it, {claim}"
            moved = beside(pair, name, scaled, text, notes, rng)
            result = moved if moved.verdict == PASS or result.slope.is_kink() else result
        if share != 1 and result.verdict == PASS and result.reason:
            result.verdict = INCONCLUSIVE  # what is flat over so short a distance need not be flat
        if result.verdict != INCONCLUSIVE:
            break
    return result


def beside(
    pair: PassPair,
    name: str,
    scaled: str,
    text: str,
    notes: list[Finding],
    rng: np.random.Generator,
) -> Judgement:
    """The judgement with the block moved by 1 %, and a note that says why."""
    block = pair.blocks[name]
    moved = {**pair.blocks, name: block + 0.01 * direction(block, "rms", rng)}
    u = direction(moved[name], scaled, rng)
    result = judge(pair, moved, name, u, draw_claim(pair, moved, rng), rng)
    if result.verdict == PASS:
        note = f"{name} {text}; checked with {name} moved by 1 %"
        notes.append(Finding("kink", NOTE, note, name))
    return result


def _without_measuring(
    pair: PassPair, name: str, claims: list[Claim], notes: list[Finding]
) -> BlockResult | None:
    """The verdict where no gradient was returned, or there are no numbers; None elsewhere."""
    shape = pair.blocks[name].shape
    missing = next(
        (g for claimed in claims if isinstance(g := claimed.gradients[name], NoGradient)), None
    )
    if missing is not None:
        if not isinstance(claims[0].gradients[name], NoGradient):
            notes.append(Finding(missing.contract, FAIL, f"in a later call, {missing.text}", name))
        return BlockResult(name, shape, FAIL, f"it is no gradient: its {missing.contract} is wrong")
    if 0 in shape or not any(y.size for y in claims[0].outputs):
        what = "it holds" if 0 in shape else "forward gives"
        return BlockResult(name, shape, NOTE, f"{what} no numbers: nothing was checked")
    return None


def _not_finite(
    pair: PassPair,
    name: str,
    claimed: Claim,
    notes: list[Finding],
    rng: np.random.Generator,
) -> Judgement:
    """The judgement on NaN or infinity: wrong where both one-sided derivatives are finite."""
    g = claimed.gradient(name)
    bad = np.argwhere(~np.isfinite(g))
    at = f"{name}{list(map(int, bad[0]))}" if g.ndim else name
    text = f"the gradient is {g[tuple(bad[0])]} at {at}, in {len(bad)} of {g.size} entries"
    result = beside(pair, name, "rms", f"has an infinite slope here: {text}", notes, rng)
    if _is_finite(pair, name, claimed, ~np.isfinite(g), rng):
        notes.clear()
        result.verdict, result.reason = FAIL, f"{text}, where the derivative is finite"
    return result


def _is_finite(
    pair: PassPair, name: str, claimed: Claim, mask: Array, rng: np.random.Generator
) -> bool:
    """Whether the derivatives along the entries in `mask` are finite on both sides."""
    u = np.where(mask, direction(pair.blocks[name], "rms", rng), 0.0)
    f = along(pair, pair.blocks, name, u)
    noise = forward_noise(pair, pair.blocks, name, u, claimed.w, rng)
    zeros = {**claimed.gradients, name: np.zeros(mask.shape)}
    slope = measure_slope(f, Claim(claimed.w, claimed.outputs, zeros, []), name, u, noise)
    allowed = 1e-3 * slope.scale + 1e3 * noise
    return max(slope.left.error, slope.right.error) <= allowed  # False for NaN
