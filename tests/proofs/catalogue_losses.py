"""Mistakes in losses, dropout and penalties, and what other checkers do not see."""

from typing import Any

import numpy as np
from mistakes import (
    add,
    add_made,
    exp,
    rng,
    sigmoid,
    softplus,
    sqrt,
    x_args,
)
from proof_subjects import signed

LABELS = np.array([0, 2, 1, 2, 2])
NOISE = signed(np.random.default_rng(99), (5, 3))
X = signed(np.random.default_rng(98), (5, 3))


def softmax(z: Any) -> Any:
    e = exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def loss_entries() -> None:
    logits = lambda: {"z": signed(rng(7), (5, 3))}  # noqa: E731
    hit = np.eye(3)[LABELS]

    def cross_entropy(z: Any) -> Any:
        return -np.log(softmax(z)[range(5), LABELS]).mean()

    def mistake(name: str, classes: str, causes: str, wrong: Any) -> None:
        add(
            f"softmax: {name}",
            classes,
            causes,
            cross_entropy,
            wrong,
            logits,
            lambda dy, z: dy * (softmax(z) - hit) / 5,
        )

    mistake("1/N missing", "D", "factor", lambda dy, z: dy * (softmax(z) - hit))
    mistake("target sign", "D", "sign", lambda dy, z: dy * (hit - softmax(z)) / 5)
    mistake(
        "target not taken away",
        "D",
        "missing term, mask, few entries, border",
        lambda dy, z: dy * softmax(z) / 5,
    )

    def in_place() -> Any:
        def forward(z: Any) -> Any:
            p = softmax(z)
            return -np.log(p[range(5), LABELS]).mean(), p

        def backward(dy: Any, p: Any) -> Any:
            p[range(5), LABELS] -= 1
            return dy * p / 5

        return forward, backward

    add_made("softmax: p -= 1 on the cached p", "SP", "stale, impure", in_place, logits)
    add(
        "softmax: diagonal of the Jacobian only",
        "D",
        "missing term, mean term, missing factor",
        softmax,
        lambda dy, z: dy * softmax(z) * (1 - softmax(z)),
        logits,
        lambda dy, z: softmax(z) * (dy - (dy * softmax(z)).sum(-1, keepdims=True)),
    )

    t = rng(8).random((5, 3))
    weights = 2.5

    def bce(z: Any) -> Any:
        return (softplus(z) - t * z).sum(1)

    def bce_entry(
        name: str,
        classes: str,
        causes: str,
        wrong: Any,
        f: Any = bce,
        right: Any = None,
        args: Any = logits,
    ) -> None:
        add(
            f"bce: {name}",
            classes,
            causes,
            f,
            wrong,
            args,
            right or (lambda dy, z: dy[:, None] * (sigmoid(z) - t)),
        )

    bce_entry("target sign", "D", "sign", lambda dy, z: dy[:, None] * (t - sigmoid(z)))
    bce_entry(
        "target forgotten", "D", "missing term, unknown", lambda dy, z: dy[:, None] * sigmoid(z)
    )

    def at_kink() -> dict[str, Any]:
        z = signed(rng(7), (5, 3))
        z[1, 2] = z[3, 0] = 0.0
        return {"z": z}

    bce_entry(
        "derivative at logit 0 through abs",
        "KD",
        "few entries, mask",
        lambda dy, z: dy[:, None] * ((z > 0) - t - np.sign(z) * exp(-abs(z)) / (1 + exp(-abs(z)))),
        args=at_kink,
    )

    def clipped(dy: Any, z: Any) -> Any:
        p = sigmoid(z)
        inside = (p > 1e-7) & (p < 1 - 1e-7)
        return dy[:, None] * (p - t) * inside

    bce_entry(
        "clip(p) kills the gradient",
        "X",
        "mask, few entries",
        clipped,
        args=lambda: {"z": 20.0 * signed(rng(7), (5, 3))},
    )

    def weighted(z: Any) -> Any:
        return (weights * t * softplus(-z) + (1 - t) * softplus(z)).sum(1)

    bce_entry(
        "pos_weight in forward only",
        "D",
        "missing term, unknown",
        lambda dy, z: dy[:, None] * (sigmoid(z) - t),
        weighted,
        lambda dy, z: dy[:, None] * ((1 - t) * sigmoid(z) - weights * t * sigmoid(-z)),
    )

    two = lambda: {"mu": signed(rng(9), (5, 3)), "lv": signed(rng(10), (5, 3))}  # noqa: E731

    def nll(mu: Any, lv: Any) -> Any:
        return 0.5 * (lv + (X - mu) ** 2 * exp(-lv)).sum(1)

    def nll_entry(name: str, causes: str, dmu: float, half: float, square: float) -> None:
        def wrong(dy: Any, mu: Any, lv: Any) -> Any:
            scaled = (X - mu) * exp(-lv)
            return dmu * dy[:, None] * scaled, dy[:, None] * (half - square * scaled * (X - mu))

        def right(dy: Any, mu: Any, lv: Any) -> Any:
            scaled = (X - mu) * exp(-lv)
            return -dy[:, None] * scaled, dy[:, None] * (0.5 - 0.5 * scaled * (X - mu))

        add(f"gauss nll: {name}", "D", causes, nll, wrong, two, right)

    nll_entry("0.25 for 0.5", "missing term, factor", -1, 0.25, 0.5)
    nll_entry("0.25 for both", "factor", -1, 0.25, 0.25)
    nll_entry("squared residual missing", "missing term, axis, unknown", -1, 0.5, 0.0)
    nll_entry("sign of dmu", "sign", 1, 0.5, 0.5)

    def kl(mu: Any, lv: Any) -> Any:
        return 0.5 * (mu**2 + exp(lv) - 1 - lv).sum(1)

    def kl_entry(name: str, causes: str, dmu: Any, dlv: Any) -> None:
        add(
            f"kl: {name}",
            "D",
            causes,
            kl,
            lambda dy, mu, lv: (dy[:, None] * dmu(mu), dy[:, None] * dlv(lv)),
            two,
            lambda dy, mu, lv: (dy[:, None] * mu, dy[:, None] * np.expm1(lv) / 2),
        )

    kl_entry("0.5 missing", "factor", lambda mu: mu, np.expm1)
    kl_entry("sign reversed", "sign", lambda mu: -mu, lambda lv: -np.expm1(lv) / 2)
    kl_entry(
        "mean in forward, sum in backward", "factor", lambda mu: mu / 3, lambda lv: np.expm1(lv) / 6
    )
    kl_entry("exp(lv) for exp(lv) - 1", "missing term", lambda mu: mu, lambda lv: exp(lv) / 2)

    def sampled(mu: Any, lv: Any) -> Any:
        return mu + exp(lv / 2) * NOISE

    def reparam(name: str, classes: str, causes: str, dlv: Any) -> None:
        add(
            f"reparam: {name}",
            classes,
            causes,
            sampled,
            lambda dy, mu, lv: (dy, dlv(dy, mu, lv)),
            two,
            lambda dy, mu, lv: (dy, 0.5 * dy * exp(lv / 2) * NOISE),
        )

    reparam("0.5 missing", "D", "factor", lambda dy, mu, lv: dy * exp(lv / 2) * NOISE)
    reparam(
        "exp(lv) for exp(lv / 2)",
        "D",
        "missing factor, unknown",
        lambda dy, mu, lv: 0.5 * dy * exp(lv) * NOISE,
    )
    reparam(
        "z for z - mu",
        "D",
        "missing term, missing factor, unknown",
        lambda dy, mu, lv: 0.5 * dy * sampled(mu, lv),
    )
    reparam("path through log_var missing", "D", "zero", lambda dy, mu, lv: np.zeros_like(lv))
    reparam(
        "noise missing",
        "D",
        "missing factor, missing term, unknown",
        lambda dy, mu, lv: 0.5 * dy * exp(lv / 2),
    )

    def redrawn() -> Any:
        g = rng(77)

        def forward(mu: Any, lv: Any) -> Any:
            noise = g.standard_normal(mu.shape)
            return mu + exp(lv / 2) * noise, (lv, g)

        def backward(dy: Any, cache: Any) -> Any:
            lv, g = cache
            return dy, 0.5 * dy * exp(lv / 2) * g.standard_normal(lv.shape)

        return forward, backward

    add_made(
        "reparam: noise redrawn in backward",
        "SD",
        "stale, impure, missing factor, unknown, missing term",
        redrawn,
        two,
    )


KEPT = (np.random.default_rng(97).random((5, 4)) < 0.6) / 0.6


def other_entries() -> None:
    def dropout(x: Any) -> Any:
        return x * KEPT

    def mistake(name: str, classes: str, causes: str, wrong: Any, args: Any = None) -> None:
        add(
            f"dropout: {name}",
            classes,
            causes,
            dropout,
            wrong,
            args or x_args(),
            lambda dy, x: dy * KEPT,
        )

    mistake(
        "mask not applied", "D", "mask, missing factor, missing term, few entries", lambda dy, x: dy
    )
    mistake("scale missing", "D", "factor", lambda dy, x: dy * (KEPT > 0))
    mistake("scale squared", "D", "factor", lambda dy, x: dy * KEPT / 0.6)
    mistake("scale 1/p for 1/(1-p)", "D", "factor", lambda dy, x: dy * KEPT * 0.6 / 0.4)

    def with_zeros() -> dict[str, Any]:
        x = signed(rng(5), (5, 4))
        x[KEPT > 0] = np.where(np.arange((KEPT > 0).sum()) % 3 == 0, 0, x[KEPT > 0])
        return {"x": x}

    mistake(
        "mask inferred from y == 0",
        "D",
        "mask, few entries",
        lambda dy, x: dy * (dropout(x) != 0) / 0.6,
        with_zeros,
    )

    scores = lambda: {"real": signed(rng(11), 7, 0.2, 2.0), "fake": signed(rng(12), 7, 0.2, 2.0)}  # noqa: E731

    def logistic(real: Any, fake: Any) -> Any:
        return softplus(-real) + softplus(fake)

    def hinge(real: Any, fake: Any) -> Any:
        return np.maximum(0, 1 - real) + np.maximum(0, 1 + fake)

    def squares(real: Any, fake: Any) -> Any:
        return (real - 1) ** 2 / 2 + fake**2 / 2

    def hinge_right(dy: Any, r: Any, f: Any) -> Any:
        return -dy * (r < 1), dy * (f > -1)

    def game(name: str, causes: str, f: Any, wrong: Any, right: Any) -> None:
        add(f"gan: {name}", "D", causes, f, wrong, scores, right)

    def logistic_right(dy: Any, r: Any, f: Any) -> Any:
        return -dy * sigmoid(-r), dy * sigmoid(f)

    game(
        "real and fake signs swapped",
        "sign",
        logistic,
        lambda dy, r, f: (dy * sigmoid(-r), -dy * sigmoid(f)),
        logistic_right,
    )
    game(
        "sigmoid(r) for sigmoid(-r)",
        "missing factor, missing term, unknown",
        logistic,
        lambda dy, r, f: (-dy * sigmoid(r), dy * sigmoid(f)),
        logistic_right,
    )
    game(
        "hinge without its mask",
        "mask, few entries, missing term",
        hinge,
        lambda dy, r, f: (-dy, dy),
        hinge_right,
    )
    game(
        "hinge mask on the wrong side",
        "mask, few entries, missing term",
        hinge,
        lambda dy, r, f: (-dy * (r > 1), dy * (f < -1)),
        hinge_right,
    )
    game(
        "least squares, factor 2",
        "factor",
        squares,
        lambda dy, r, f: (2 * dy * (r - 1), 2 * dy * f),
        lambda dy, r, f: (dy * (r - 1), dy * f),
    )
    game(
        "least squares, 1 forgotten",
        "missing term",
        squares,
        lambda dy, r, f: (dy * r, dy * f),
        lambda dy, r, f: (dy * (r - 1), dy * f),
    )

    slope = lambda: {"slope": signed(rng(13), (5, 3))}  # noqa: E731

    def length(s: Any) -> Any:
        return sqrt((s * s).sum(1))

    def penalty(s: Any) -> Any:
        return 10 * (length(s) - 1) ** 2

    def penalty_right(dy: Any, s: Any) -> Any:
        n = length(s)[:, None]
        return 20 * dy[:, None] * (n - 1) * s / n

    def pen(
        name: str, classes: str, causes: str, wrong: Any, args: Any = slope, f: Any = penalty
    ) -> None:
        add(
            f"penalty: {name}",
            classes,
            causes,
            f,
            wrong,
            args,
            penalty_right if f is penalty else None,
        )

    pen("gradient never computed", "2D", "zero", lambda dy, s: np.zeros_like(s))
    pen("factor 2 lost", "D", "factor", lambda dy, s: penalty_right(dy, s) / 2)
    pen("lambda in forward only", "D", "factor", lambda dy, s: penalty_right(dy, s) / 10)
    pen(
        "unit vector missing",
        "D",
        "missing factor, axis, unknown",
        lambda dy, s: np.broadcast_to(20 * dy[:, None] * (length(s)[:, None] - 1), s.shape).copy(),
    )
    pen(
        "not divided by the norm",
        "D",
        "missing factor, unknown",
        lambda dy, s: 20 * dy[:, None] * (length(s)[:, None] - 1) * s,
    )

    def at_zero_slope() -> dict[str, Any]:
        s = signed(rng(13), (5, 3))
        s[2] = 0
        return {"slope": s}

    def squared(s: Any) -> Any:
        return 5 * (s * s).sum(1)

    def squared_by_norm(dy: Any, s: Any) -> Any:
        with np.errstate(all="ignore"):
            n = sqrt((s * s).sum(1))[:, None]
            return 10 * dy[:, None] * n * (s / n)

    pen("NaN where the slope is 0", "X", "not finite", squared_by_norm, at_zero_slope, squared)

    def as_constant(dys: Any, x: Any, u: Any) -> Any:  # second order: v = s'(x) u, s' held fixed
        dy, dv = dys
        h = 1 - np.tanh(x) ** 2
        return h * dy, h * dv

    def second(x: Any, u: Any) -> Any:
        return np.tanh(x), (1 - np.tanh(x) ** 2) * u

    def second_right(dys: Any, x: Any, u: Any) -> Any:
        dy, dv = dys
        h = 1 - np.tanh(x) ** 2
        return h * dy - 2 * np.tanh(x) * h * u * dv, h * dv

    add(
        "penalty: first order held constant",
        "2D",
        "missing term",
        second,
        as_constant,
        lambda: {"x": signed(rng(14), (5, 3)), "u": signed(rng(15), (5, 3))},
        second_right,
    )


def blind_spots() -> None:
    tiny = lambda: {"x": signed(rng(16), (4, 5))}  # noqa: E731
    add(
        "blind: zero gradient for 1e-6 sum(x^2)",
        "D",
        "zero",
        lambda x: 1e-6 * (x * x).sum(),
        lambda dy, x: np.zeros_like(x),
        tiny,
        lambda dy, x: 2e-6 * dy * x,
    )
    for size in (1e-2, 1e-3, 1e-6, 1e-9):

        def one_wrong(dy: Any, x: Any, size: float = size) -> Any:
            g = dy * np.cos(x)
            g[2, 3] *= 1 + size
            return g

        add(
            f"blind: one entry off by {size:.0e}",
            "D",
            "few entries",
            np.sin,
            one_wrong,
            lambda: {"x": signed(rng(16), (4, 5))},
            lambda dy, x: dy * np.cos(x),
        )

    def hard(name: str, f: Any, vjp: Any, args: Any) -> None:
        add(f"right: {name}", "D", "", f, vjp, args, must="NOT FAIL")

    hard("sum(x^2) + 1e9", lambda x: (x * x).sum() + 1e9, lambda dy, x: 2 * dy * x, tiny)
    near = lambda: {"x": abs(signed(rng(17), (4, 3))) * 1e-5}  # noqa: E731
    hard("log near 1e-5", np.log, lambda dy, x: dy / x, near)
    hard("sqrt near 1e-5", sqrt, lambda dy, x: 0.5 * dy / sqrt(x), near)
    small = lambda: {"x": signed(rng(17), (4, 3)) * 1e-6}  # noqa: E731
    hard(
        "norm near 1e-6",
        lambda x: sqrt((x * x).sum(1)),
        lambda dy, x: dy[:, None] * x / sqrt((x * x).sum(1))[:, None],
        small,
    )
    at_zero = lambda: {"x": np.array([[0.0, 1.0, -1.0], [0.5, 0.0, -0.5]])}  # noqa: E731
    hard("relu at 0", lambda x: np.maximum(x, 0), lambda dy, x: dy * (x > 0), at_zero)

    def tied_max(dy: Any, x: Any) -> Any:
        g = np.zeros_like(x)
        g[np.arange(len(x)), x.argmax(1)] = dy
        return g

    ties = lambda: {"x": np.array([[1.0, 1.0, 0.2], [0.3, 0.7, 0.7], [0.1, 0.4, 0.9]])}  # noqa: E731
    hard("ties in a maximum", lambda x: x.max(1), tied_max, ties)

    def single(x: Any) -> Any:
        return np.tanh(x.astype(np.float32)).astype(float)

    hard("float32 inside", single, lambda dy, x: dy * (1 - np.tanh(x) ** 2), tiny)
    hard(
        "a true gradient of 0",
        lambda x, b: (x + b) - (x + b).mean(0),
        lambda dy, x, b: ((dy - dy.mean(0)), (dy - dy.mean(0)).sum(0)),
        lambda: {"x": signed(rng(18), (5, 3)), "b": signed(rng(19), 3)},
    )
    hard(
        "relu on 1000 random numbers",
        lambda x: np.maximum(x, 0),
        lambda dy, x: dy * (x > 0),
        lambda: {"x": rng(20).standard_normal(1000)},
    )
    hard(
        "softmax cross-entropy of large logits",
        lambda z: np.log(exp(z - z.max(1, keepdims=True)).sum(1)) + z.max(1),
        lambda dy, z: dy[:, None] * softmax(z),
        lambda: {"z": 30 * signed(rng(21), (4, 5))},
    )


loss_entries()
other_entries()
blind_spots()
