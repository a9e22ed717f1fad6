"""Tangents and their backward passes, which gradient penalties need, checked to second order.

With v = J u the tangent of y = f(x), and L' = <dy, y> + <dv, v>, tangent_backward claims

    dx = dL'/dx,   du = dL'/du,   dp = dL'/dp                                           (1)

That is a pair: forward from the blocks x, u and p to (y, v), and back. The code of v may be wrong
too, so its claims are also measured from the forward pass alone:

    v = d/dt f(x + t u)                                                                 (2)
    <du, a> = d/dt <dv, f(x + t a)>                       for dy = 0                    (3)
    <dx, a> = d^2/ds dt <dv, f(x + s a + t u)>            for dy = 0; p likewise        (4)

all at s = t = 0: (2) and (3) by tangents.py, (4) by mixed.py. For dy = 0, dx is a Hessian times u,
and a Hessian is symmetric: <a, H b> = <b, H a>                                         (5)
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...ground.arguments import Array
from ...nn.layer import check_layer
from ..engine import UNDECIDED, examine
from ..measuring.claims import direction, random_signs
from ..measuring.oracle import measure_all
from ..measuring.passes import NoGradient, Stopped
from ..measuring.rounding import EPS, one_ulp_off
from ..pairs.budget import Budget
from ..pairs.pair import Pair
from ..pairs.silence import quiet
from ..results import FAIL, INCONCLUSIVE, PASS, BlockResult, CaseResult, Finding
from .mixed import check_mixed
from .own_pairs import LayerPair
from .points import spread
from .subjects import pairs_of
from .tangents import AlongPair, CotangentPair, TangentPair, float_blocks, same_layer

Choose = Callable[[Pair], list[str]]


def second_order_cases(
    layer: Any,
    x: Any = None,
    choose: Choose | None = None,
    seed: int = 0,
    seconds: float | None = None,
    training: bool | None = None,
    labels: Any = None,
) -> list[CaseResult]:
    """(1) to (5) for a layer: per mode a case with its own passes, and a case by forward alone.

    `choose` selects the blocks to check; None is all. `seconds` is as in Budget. A layer without a
    tangent is INCONCLUSIVE, with the reason. Raises as `pairs_of`.
    """
    check_layer(layer, "check_second_order")
    pairs = second_order_pairs(layer, x, seed, training, labels)
    if reason := layer.why_no_tangent():
        return [CaseResult("", [BlockResult("tangent", (), INCONCLUSIVE, reason)])]
    cases, budget = [], Budget(seconds)
    for label, pair in pairs:
        if choose is not None:
            pair.checked = choose(pair)
        case = examine(pair, label, seed, budget)
        cases.append(case)
        if not any(f.contract == "raises" and f.verdict == FAIL for f in case.findings):
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
    pairs = []
    for label, pair in pairs_of(layer, x, seed, training, labels):
        assert isinstance(pair, LayerPair), "only layers have second order"
        u = spread(np.random.default_rng(seed + 1), pair.blocks["x"].shape)
        tangent = TangentPair(**{**same_layer(pair), "blocks": {**float_blocks(pair), "u": u}})
        if pair.per_example:
            tangent.per_example = {**pair.per_example, "u": 0}
        pairs.append((label, tangent))
    return pairs


def forward_alone(pair: TangentPair, label: str, seed: int, budget: Budget) -> CaseResult:
    """(2) to (5) for one pair."""
    rng = np.random.default_rng(seed)
    case = CaseResult(label)
    along_u, cotangent, plain = AlongPair(pair), CotangentPair(pair), LayerPair(**same_layer(pair))
    others: list[Pair] = [along_u, cotangent, plain]
    for measured in (pair, *others):
        measured.budget = budget
    with quiet():
        try:
            case.blocks += measure_all(along_u, rng)[0]
            du = measure_all(cotangent, rng)[0]
            for result in du:
                result.name = "u"
            case.blocks += du
            case.blocks += [
                check_mixed(pair, plain, name, rng) for name in pair.checked if name != "u"
            ]
            if "x" in pair.checked:
                case.findings.append(symmetry(pair, rng))
        except Stopped as stop:
            verdict = INCONCLUSIVE if stop.contract in UNDECIDED else FAIL
            case.findings.append(Finding(stop.contract, verdict, stop.text))
    case.forward_calls = sum(measured.forward_calls for measured in others)
    case.backward_calls = sum(measured.backward_calls for measured in others)
    return case


def symmetry(pair: TangentPair, rng: np.random.Generator) -> Finding:
    """(5), up to rounding."""
    a, b = (direction(pair.blocks["x"], "rms", rng) for _ in range(2))
    w = random_signs(rng, pair.forward(pair.blocks).outputs[1].shape)

    def product(left: Array, right: Array, x: Array) -> tuple[float, float]:
        """<left, H right>, and the sum of its terms without their signs."""
        run = pair.forward({**pair.blocks, "x": x, "u": right})
        gradient = pair.backward(run, [np.zeros_like(w), w]).get("x", np.zeros(x.shape))
        if isinstance(gradient, NoGradient):
            raise Stopped(gradient.contract, gradient.text)
        terms = left * gradient
        return float(terms.sum()), float(abs(terms).sum())

    x = pair.blocks["x"]
    (a_h_b, size), (b_h_a, other_size) = product(a, b, x), product(b, a, x)
    noise = 4 * EPS * (size + other_size)
    for _ in range(2):
        near = one_ulp_off(x, rng)
        noise = max(noise, abs(product(a, b, near)[0] - a_h_b), abs(product(b, a, near)[0] - b_h_a))
    off = abs(a_h_b - b_h_a)
    if off <= 10 * noise:
        return Finding("symmetric", PASS, "")
    text = f"<a, H b> = {a_h_b:+.6g} and <b, H a> = {b_h_a:+.6g}, where H is d<dv, v>/dx by u"
    return Finding("symmetric", FAIL if off > 100 * noise else INCONCLUSIVE, text)
