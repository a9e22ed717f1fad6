"""Tangents, and the way back through them: what gradient penalties need, checked.

With v = J u the tangent of y = f(x), and L' = <dy, y> + <dv, v>, tangent_backward claims

    dx = dL'/dx,   du = dL'/du,   dp = dL'/dp                                           (1)

which is a pair: blocks x, u and p forward to (y, v), and back. As the code of v may be wrong as
well, what it claims is also measured by the forward pass alone:

    v = d/dt f(x + t u)                                                                 (2)
    <du, a> = d/dt <dv, f(x + t a)>                       for dy = 0                    (3)
    <dx, a> = d^2/ds dt <dv, f(x + s a + t u)>            for dy = 0; p likewise        (4)

all at s = t = 0. (4) is measured by mixed differences, which, as central ones, have even powers of
h in their error, so that the same tableau (differences.py) takes them away:

    M(h) = <dv, f(++) - f(+-) - f(-+) + f(--)> / 4h^2,    f(+-) = f(x + h a - h u)      (5)

And the dx of u is a Hessian times u, which is symmetric: <a, H b> = <b, H a>           (6)
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..checks import Array
from .arguments import Blocks
from .claims import Claim, along, direction, owned, signs
from .differences import LADDERS, Slope, best
from .engine import UNDECIDED, examine
from .judging import verdict_on
from .noise import EPS, forward_noise, one_ulp_off
from .oracle import measure_all
from .pair import Budget, Odd, Pair, Run, Stopped
from .points import spread
from .probe import quiet
from .results import (
    FAIL,
    INCONCLUSIVE,
    PASS,
    BlockResult,
    CaseResult,
    Finding,
    Ladder,
    Measurement,
)
from .subjects import LayerPair, pairs_of

STEPS = 9  # of each ladder of mixed differences
DRAWS = 4  # of a, u and dv at most, for two that agree

Choose = Callable[[Pair], list[str]]


class TangentPair(LayerPair):
    """(1): from x, u and the parameters to y and v."""

    def _forward(self, blocks: Blocks) -> tuple[Any, Any]:
        tape = self._tape(blocks)
        p = self._tree({**self.held, **blocks})
        y = self.layer.forward(p, blocks["x"], tape).copy()  # off the tape, which v is written on
        return (y, self.layer.tangent(p, blocks["u"], tape)), (p, tape)

    def _backward(self, run: Run, dy: Sequence[Array]) -> Any:
        p, tape = run.memory
        gradients = {name: np.zeros(self.blocks[name].shape) for name in self.parameters}
        needed = "x" in self.wanted or "u" in self.wanted
        g = self._tree(gradients)
        d = self.layer.tangent_backward(p, dy[0], dy[1], tape, g, needed)
        both = {} if d is None else {"x": d.x, "u": d.u}
        return {**both, **gradients}

    def _outputs(self, y: Any) -> tuple[Array, ...]:
        return tuple(y)


class AlongPair(TangentPair):
    """(2): from t to f(x + t u), the tangent being its backward pass. The block is called v."""

    def __init__(self, of: TangentPair) -> None:
        super().__init__(**_parts(of))
        self.at, self.blocks, self.wanted = self.blocks, {"v": np.zeros(())}, ["v"]

    def _forward(self, blocks: Blocks) -> tuple[Any, Any]:
        moved = {**self.at, "x": self.at["x"] + blocks["v"] * self.at["u"]}
        return LayerPair._forward(self, moved)

    def _backward(self, run: Run, dy: Sequence[Array]) -> Any:
        p, tape = run.memory
        return {"v": np.vdot(dy[0], self.layer.tangent(p, self.at["u"], tape))}

    def _outputs(self, y: Any) -> tuple[Array, ...]:
        return (y,)


class CotangentPair(TangentPair):
    """(3): from x to y, the du of tangent_backward being its backward pass."""

    def __init__(self, of: TangentPair) -> None:
        super().__init__(**_parts(of))
        self.wanted = ["x"]

    def _forward(self, blocks: Blocks) -> tuple[Any, Any]:
        return LayerPair._forward(self, blocks)

    def _backward(self, run: Run, dy: Sequence[Array]) -> Any:
        p, tape = run.memory
        self.layer.tangent(p, self.blocks["u"], tape)
        return {"x": self.layer.tangent_backward(p, np.zeros_like(dy[0]), dy[0], tape).u}  # type: ignore[union-attr]

    def _outputs(self, y: Any) -> tuple[Array, ...]:
        return (y,)


def second_order_cases(
    layer: Any,
    x: Any = None,
    choose: Choose | None = None,
    seed: int = 0,
    seconds: float = 10.0,
    training: bool | None = None,
    labels: Any = None,
) -> list[CaseResult]:
    """(1) to (6) for a layer: for each mode a case of its own passes, and one of forward alone.

    `choose` names the blocks that are wanted; None is all. A layer that has no tangent is
    INCONCLUSIVE, with its reason. Raises as `pairs_of`.
    """
    pairs = second_order_pairs(layer, x, seed, training, labels)
    if reason := layer.why_no_tangent():
        return [CaseResult("", [BlockResult("tangent", (), INCONCLUSIVE, reason)])]
    cases, budget = [], Budget(seconds)
    for label, pair in pairs:
        if choose is not None:
            pair.wanted = choose(pair)
        case = examine(pair, label, seed, max(0.01, seconds - budget.spent()))
        cases.append(case)
        if not any(one.contract == "raises" and one.verdict == FAIL for one in case.findings):
            cases.append(forward_alone(pair, f"{label}, by forward alone", seed, budget))
    return cases


def second_order_pairs(
    layer: Any,
    x: Any = None,
    seed: int = 0,
    training: bool | None = None,
    labels: Any = None,
) -> list[tuple[str, TangentPair]]:
    """The pair (1) for each mode of a layer, with its label."""
    made = []
    for label, pair in pairs_of(layer, x, seed, training, labels):
        assert isinstance(pair, LayerPair), "second order is of layers"
        u = spread(np.random.default_rng(seed + 1), pair.blocks["x"].shape)
        tangent = TangentPair(**{**_parts(pair), "blocks": {**_floats(pair), "u": u}})
        if pair.per_example:
            tangent.per_example = {**pair.per_example, "u": 0}
        made.append((label, tangent))
    return made


def forward_alone(pair: TangentPair, label: str, seed: int, budget: Budget) -> CaseResult:
    """(2) to (6) for one pair."""
    rng = np.random.default_rng(seed)
    case = CaseResult(label)
    along_u, cotangent, plain = AlongPair(pair), CotangentPair(pair), LayerPair(**_parts(pair))
    others: list[Pair] = [along_u, cotangent, plain]
    for one in (pair, *others):
        one.budget = budget
    with quiet():
        try:
            case.blocks += measure_all(along_u, rng)[0]
            du = measure_all(cotangent, rng)[0]
            for result in du:
                result.name = "u"
            case.blocks += du
            case.blocks += [mixed(pair, plain, name, rng) for name in pair.wanted if name != "u"]
            case.findings.append(symmetry(pair, rng))
        except Stopped as stop:
            verdict = INCONCLUSIVE if stop.contract in UNDECIDED else FAIL
            case.findings.append(Finding(stop.contract, verdict, stop.text))
    case.forward_calls = sum(one.forward_calls for one in others)
    case.backward_calls = sum(one.backward_calls for one in others)
    return case


def mixed(pair: TangentPair, plain: LayerPair, name: str, rng: np.random.Generator) -> BlockResult:
    """(4) for one block: PASS or FAIL where two draws agree on it."""
    result = BlockResult(name, pair.blocks[name].shape, INCONCLUSIVE)
    reason = ""
    for _ in range(DRAWS):
        measurement, verdict, reason = _mixed_once(pair, plain, name, rng)
        if measurement is None:
            return BlockResult(name, result.shape, FAIL, reason)
        result.measurements.append(measurement)
        result.reason = reason
        if verdict == result.verdict != INCONCLUSIVE:
            break
        result.verdict = verdict
    else:
        result.verdict = INCONCLUSIVE
    sharp = [one.resolution for one in result.measurements if np.isfinite(one.resolution)]
    result.resolution = max(sharp, default=None)
    return result


def _mixed_once(
    pair: TangentPair, plain: LayerPair, name: str, rng: np.random.Generator
) -> tuple[Any, str, str]:
    """One draw of dv, u and a: the measurement, its verdict, and the reason."""
    u, a = direction(pair.blocks["x"], "rms", rng), direction(pair.blocks[name], "rms", rng)
    blocks = {**pair.blocks, "u": u}
    y = plain.forward(blocks).outputs[0].copy()
    w = signs(rng, y.shape)
    claimed = _claim(pair, blocks, y, w, rng)
    odd = claimed.gradients[name]
    if isinstance(odd, Odd):
        return None, FAIL, odd.text
    noise = forward_noise(plain, blocks, "x", along(plain, blocks, "x", u), (w,), rng)
    slope = _mixed_differences(plain, blocks, name, a, u, w, noise)
    s, claim_noise, length = claimed.about(name, a)
    bar, scale = 10 * (slope.error + claim_noise), max(length, slope.scale)
    measurement = Measurement(slope.value, s, bar, scale, slope.ladders)
    return measurement, *verdict_on(measurement, slope, claimed)


def _claim(
    pair: TangentPair, blocks: Blocks, y: Array, w: Array, rng: np.random.Generator
) -> Claim:
    """What tangent_backward says for dy = 0 and dv = w, at the point and two neighbours."""

    def asked(at: Blocks) -> dict[str, Array | Odd]:
        return owned(pair.backward(pair.forward(at), [np.zeros_like(w), w]))

    neighbours = [
        asked({name: one_ulp_off(block, rng) for name, block in blocks.items()}) for _ in range(2)
    ]
    return Claim((w,), (y,), asked(blocks), neighbours)


def _mixed_differences(
    plain: LayerPair, blocks: Blocks, name: str, a: Array, u: Array, w: Array, noise: float
) -> Slope:
    """(5) up two ladders, each through a tableau; the error is the worst that speaks for it."""
    found: dict[float, float] = {}  # h^2 -> M(h)
    sizes: dict[float, float] = {}

    def at(s: float, t: float) -> Array:
        moved = {**blocks, "x": blocks["x"] + t * u}
        moved[name] = moved[name] + s * a
        return plain.forward(moved).outputs[0].copy()

    def climb(first: float, ratio: float) -> tuple[list[float], float]:
        steps = [first / ratio**k for k in range(STEPS)]
        for h in steps:
            change = (at(h, h) - at(h, -h)) - (at(-h, h) - at(-h, -h))
            found[h * h] = float(np.vdot(w, change)) / (4 * h * h)  # (5)
            sizes[h * h] = float(np.vdot(abs(w), abs(change))) / (4 * h * h)
        return [h * h for h in steps], ratio * ratio

    climbed = [climb(*ladder) for ladder in LADDERS]
    one, other = (best(squares, found, ratio, 1, noise) for squares, ratio in climbed)
    chosen = min(one, other, key=lambda side: side.error)
    error = max(one.error, other.error, abs(one.value - other.value))
    ladders = tuple(
        Ladder(np.sqrt(squares), np.array([found[h] for h in squares])) for squares, _ in climbed
    )
    return Slope(chosen.value, error, sizes[chosen.step], chosen, chosen, ladders)


def symmetry(pair: TangentPair, rng: np.random.Generator) -> Finding:
    """(6), to the noise of rounding."""
    a, b = (direction(pair.blocks["x"], "rms", rng) for _ in range(2))
    w = signs(rng, pair.forward(pair.blocks).outputs[1].shape)

    def product(left: Array, right: Array, x: Array) -> tuple[float, float]:
        """<left, H right>, and the sum of its terms without their signs."""
        run = pair.forward({**pair.blocks, "x": x, "u": right})
        gradient = pair.backward(run, [np.zeros_like(w), w]).get("x", np.zeros(x.shape))
        if isinstance(gradient, Odd):
            raise Stopped(gradient.contract, gradient.text)
        terms = left * gradient
        return float(terms.sum()), float(abs(terms).sum())

    if "x" not in pair.wanted:
        return Finding("symmetric", PASS, "")
    x = pair.blocks["x"]
    (one, size), (other, other_size) = product(a, b, x), product(b, a, x)
    noise = 4 * EPS * (size + other_size)
    for _ in range(2):
        near = one_ulp_off(x, rng)
        noise = max(noise, abs(product(a, b, near)[0] - one), abs(product(b, a, near)[0] - other))
    off = abs(one - other)
    if off <= 10 * noise:
        return Finding("symmetric", PASS, "")
    text = f"<a, H b> = {one:+.6g} and <b, H a> = {other:+.6g}, where H is d<dv, v>/dx by u"
    return Finding("symmetric", FAIL if off > 100 * noise else INCONCLUSIVE, text)


def _floats(pair: LayerPair) -> Blocks:
    return {name: block for name, block in pair.blocks.items() if name != "labels"}


def _parts(pair: LayerPair) -> dict[str, Any]:
    """What another pair of the same layer, at the same point, is made from."""
    return {
        "layer": pair.layer,
        "blocks": _floats(pair),
        "state": pair.held,
        "training": pair.training,
        "labels": pair.blocks.get("labels"),
        "seed": pair.seed,
    }
