"""Mistakes in dense layers, normalisation and activations."""

from typing import Any

import numpy as np
from mistakes import (
    add,
    add_made,
    exp,
    phi,
    phi_cdf,
    rng,
    sigmoid,
    softplus,
    sqrt,
    x_args,
)
from proof_subjects import signed


def dense_args(n: int = 5, i: int = 4, o: int = 3) -> Any:
    def make() -> dict[str, Any]:
        g = rng(1)
        return {"x": signed(g, (n, i)), "w": signed(g, (i, o)), "b": signed(g, (o,))}

    return make


def dense(x: Any, w: Any, b: Any) -> Any:
    return x @ w + b


def dense_right(dy: Any, x: Any, w: Any, b: Any) -> Any:
    return dy @ w.T, x.T @ dy, dy.sum(0)


def dense_entries() -> None:
    def mistake(name: str, classes: str, causes: str, wrong: Any, args: Any = None) -> None:
        add(f"dense: {name}", classes, causes, dense, wrong, args or dense_args(), dense_right)

    square, own = dense_args(5, 4, 4), dense_args()
    mistake(
        "dW divided by N once more",
        "D",
        "factor",
        lambda dy, x, w, b: (dy @ w.T, x.T @ dy / len(x), dy.sum(0)),
    )
    mistake(
        "db mean instead of sum",
        "D",
        "factor",
        lambda dy, x, w, b: (dy @ w.T, x.T @ dy, dy.mean(0)),
    )
    mistake(
        "db all zeros", "D", "zero", lambda dy, x, w, b: (dy @ w.T, x.T @ dy, np.zeros(b.shape))
    )
    mistake("db is None", "D", "zero", lambda dy, x, w, b: (dy @ w.T, x.T @ dy, None))
    mistake(
        "dx = dy @ w",
        "D",
        "order, unknown",
        lambda dy, x, w, b: (dy @ w, x.T @ dy, dy.sum(0)),
        square,
    )
    mistake(
        "dW transposed", "D", "order", lambda dy, x, w, b: (dy @ w.T, dy.T @ x, dy.sum(0)), square
    )
    for label, bend in (
        ("|dy|", np.abs),
        ("relu(dy)", lambda d: np.maximum(d, 0)),
        ("dy ** 2", np.square),
        ("clip(dy, -1, 1)", lambda d: np.clip(d, -1, 1)),
    ):

        def bent(dy: Any, x: Any, w: Any, b: Any, bend: Any = bend) -> Any:
            return dense_right(bend(dy), x, w, b)

        mistake(label, "DL", "not linear, mask", bent)
    mistake(
        "db of shape (1, out)",
        "T",
        "shape",
        lambda dy, x, w, b: (dy @ w.T, x.T @ dy, dy.sum(0, keepdims=True)),
    )
    mistake("db of shape (N, out)", "T", "shape", lambda dy, x, w, b: (dy @ w.T, x.T @ dy, dy))
    mistake("one gradient too few", "T", "shape, count", lambda dy, x, w, b: (dy @ w.T, x.T @ dy))

    def modified(dy: Any, x: Any, w: Any, b: Any) -> Any:
        found = dense_right(dy, x, w, b)
        dy *= 0.5
        return found

    mistake("dy modified", "P", "impure", modified)

    def assumes_contiguous(dy: Any, x: Any, w: Any, b: Any) -> Any:
        return dense_right(dy.ravel(order="K").reshape(dy.shape), x, w, b)

    mistake("assumes contiguous dy", "Y", "layout, order", assumes_contiguous)

    def updated() -> Any:  # dx with w after the update
        def forward(x: Any, w: Any, b: Any) -> Any:
            return dense(x, w, b), (x, w, b)

        def backward(dy: Any, cache: Any) -> Any:
            x, w, _ = cache
            dw = x.T @ dy
            w -= 0.1 * dw
            return dy @ w.T, dw, dy.sum(0)

        return forward, backward

    add_made(
        "dense: dx with w after the update", "SP", "impure, missing term, unknown", updated, own
    )

    def stale() -> Any:  # x cached at module level
        last: dict[str, Any] = {}

        def forward(x: Any, w: Any, b: Any) -> Any:
            last["x"] = x.copy()
            return dense(x, w, b), (w, b)

        return forward, lambda dy, cache: (dy @ cache[0].T, last["x"].T @ dy, dy.sum(0))

    add_made("dense: cache of the last call", "S", "stale", stale, own)

    def buffered() -> Any:  # x copied into a buffer that the next call reuses
        buffer = np.zeros((5, 4))

        def forward(x: Any, w: Any, b: Any) -> Any:
            np.copyto(buffer, x)
            return dense(x, w, b), (buffer, w)

        return forward, lambda dy, cache: (dy @ cache[1].T, cache[0].T @ dy, dy.sum(0))

    add_made("dense: x in a buffer that is reused", "S", "stale", buffered, own)

    def adding() -> Any:  # gradients accumulate
        total: dict[str, Any] = {"w": 0.0}

        def forward(x: Any, w: Any, b: Any) -> Any:
            return dense(x, w, b), (x, w)

        def backward(dy: Any, cache: Any) -> Any:
            x, w = cache
            total["w"] = total["w"] + x.T @ dy
            return dy @ w.T, total["w"].copy(), dy.sum(0)

        return forward, backward

    add_made("dense: gradients accumulate", "S", "stale, impure", adding, own)

    def shared(x: Any, w: Any) -> Any:
        return np.tanh(x @ w) @ w

    def shared_right(dy: Any, x: Any, w: Any) -> Any:
        h = np.tanh(x @ w)
        dh = dy @ w.T * (1 - h * h)
        return dh @ w.T, x.T @ dh + h.T @ dy

    def shared_wrong(dy: Any, x: Any, w: Any) -> Any:
        h = np.tanh(x @ w)
        dh = dy @ w.T * (1 - h * h)
        return dh @ w.T, x.T @ dh

    add(
        "dense: shared weight, second use overwrites",
        "D",
        "missing term, unknown",
        shared,
        shared_wrong,
        lambda: {"x": signed(rng(2), (5, 3)), "w": signed(rng(3), (3, 3), 0.1, 0.7)},
        shared_right,
    )


EPS = 1e-2


def norm(axis: int, eps: float = EPS) -> Any:
    def f(x: Any, gamma: Any, beta: Any) -> Any:
        c = x - x.mean(axis, keepdims=True)
        return gamma * c / sqrt((c * c).mean(axis, keepdims=True) + eps) + beta

    return f


def norm_vjp(axis: int, spoil: str = "", eps: float = EPS) -> Any:
    """The gradients of `norm`, with one mistake or none."""

    def vjp(dy: Any, x: Any, gamma: Any, beta: Any) -> Any:
        c = x - x.mean(axis, keepdims=True)
        var = (c * c).mean(axis, keepdims=True)
        if spoil == "eps outside":
            r = 1 / (sqrt(var) + eps)
        else:
            r = 1 / sqrt(var + {"no eps": 0.0, "other eps": 1e-1 * eps}.get(spoil, eps))
        h = r * c
        q = dy if spoil == "gamma missing" else gamma * dy
        m, mh = q.mean(axis, keepdims=True), (q * h).mean(axis, keepdims=True)
        dx = r * (q - m - h * mh)
        if spoil == "constants":
            dx = r * q
        if spoil == "no mean(dy)":
            dx = r * (q - h * mh)
        if spoil == "no mean(dy h)":
            dx = r * (q - m)
        if spoil == "gamma after":
            m, mh = dy.mean(axis, keepdims=True), (dy * h).mean(axis, keepdims=True)
            dx = gamma * r * (dy - m - h * mh)
        if spoil == "other axis":
            m, mh = q.mean(1 - axis, keepdims=True), (q * h).mean(1 - axis, keepdims=True)
            dx = r * (q - m - h * mh)
        if spoil == "extra sum(x - mean)":
            dx = dx + 0.3 * c.sum(axis, keepdims=True)
        dgamma = (dy * (x if spoil == "dgamma by x" else h)).sum(0)
        return dx, dgamma, dy.sum(0)

    return vjp


def norm_args(n: int = 6, f: int = 4) -> Any:
    def make() -> dict[str, Any]:
        g = rng(4)
        return {
            "x": g.standard_normal((n, f)) + 0.5,
            "gamma": signed(g, f, 0.4, 1.6),
            "beta": signed(g, f),
        }

    return make


def norm_entries() -> None:
    for label, at in (("batch norm", 0), ("layer norm", 1)):
        for spoil, causes in (
            ("constants", "mean term, missing term"),
            ("no mean(dy)", "mean term"),
            ("no mean(dy h)", "missing term, mean term"),
            ("eps outside", "eps, missing factor, factor"),
            ("no eps", "eps, missing factor, missing term"),
            ("other eps", "eps, missing factor, missing term"),
            ("gamma missing", "missing factor, mean term, missing term"),
            ("dgamma by x", "missing term, missing factor, axis, unknown"),
            ("other axis", "mean term, axis, missing term, unknown"),
        ):
            add(
                f"{label}: {spoil}",
                "D",
                causes,
                norm(at),
                norm_vjp(at, spoil),
                norm_args(),
                norm_vjp(at),
            )
        add(
            f"{label}: extra sum(x - mean)",
            "D",
            "",
            norm(at),
            norm_vjp(at, "extra sum(x - mean)"),
            norm_args(),
            must="PASS",
        )
    add(
        "layer norm: gamma after the means",
        "D",
        "missing term, mean term, missing factor, unknown",
        norm(1),
        norm_vjp(1, "gamma after"),
        norm_args(),
        norm_vjp(1),
    )

    def evaluated(x: Any, gamma: Any, beta: Any) -> Any:
        return gamma * (x - 0.2) / sqrt(0.8) + beta

    def as_trained(dy: Any, x: Any, gamma: Any, beta: Any) -> Any:
        h = (x - 0.2) / sqrt(0.8)
        q = gamma * dy
        return (q - q.mean(0) - h * (q * h).mean(0)) / sqrt(0.8), (dy * h).sum(0), dy.sum(0)

    def as_evaluated(dy: Any, x: Any, gamma: Any, beta: Any) -> Any:
        h = (x - 0.2) / sqrt(0.8)
        return gamma * dy / sqrt(0.8), (dy * h).sum(0), dy.sum(0)

    add(
        "batch norm: training formula in evaluation",
        "D",
        "mean term, missing term",
        evaluated,
        as_trained,
        norm_args(),
        as_evaluated,
    )

    def running() -> Any:  # forward moves the running mean while it is checked, and uses it
        state = {"mean": np.zeros(4)}

        def forward(x: Any, gamma: Any, beta: Any) -> Any:
            state["mean"] = 0.9 * state["mean"] + 0.1 * x.mean(0)
            return gamma * (x - state["mean"]) + beta, (x - state["mean"], gamma)

        return forward, lambda dy, c: (c[1] * dy, (dy * c[0]).sum(0), dy.sum(0))

    add_made(
        "batch norm: running mean moves in forward", "PS", "impure, stale", running, norm_args()
    )

    def single(dy: Any, x: Any, gamma: Any, beta: Any) -> Any:  # var[0] for var[i]
        c = x - x.mean(1, keepdims=True)
        r = 1 / sqrt((c * c).mean(1, keepdims=True) + EPS)[0]
        h, q = r * c, gamma * dy
        return (
            r * (q - q.mean(1, keepdims=True) - h * (q * h).mean(1, keepdims=True)),
            (dy * h).sum(0),
            dy.sum(0),
        )

    add(
        "layer norm: var[0] for var[i]",
        "DB",
        "missing factor, missing term, mask, unknown, mean term",
        norm(1),
        single,
        norm_args(),
        norm_vjp(1),
    )

    def constant_row(dy: Any, x: Any, gamma: Any, beta: Any) -> Any:
        c = x - x.mean(1, keepdims=True)
        with np.errstate(all="ignore"):
            std = sqrt((c * c).mean(1, keepdims=True))
            r = 1 / sqrt(std**2 + EPS) + 0 * (c / std)  # NaN where the row is constant
        h, q = r * c, gamma * dy
        return (
            r * (q - q.mean(1, keepdims=True) - h * (q * h).mean(1, keepdims=True)),
            (dy * h).sum(0),
            dy.sum(0),
        )

    add(
        "layer norm: NaN for a constant row",
        "X",
        "not finite",
        norm(1),
        constant_row,
        norm_args(),
        norm_vjp(1),
    )


def activation_entries() -> None:
    def mistake(
        name: str,
        classes: str,
        causes: str,
        s: Any,
        slope: Any,
        true: Any,
        args: Any = None,
        must: str = "FAIL",
    ) -> None:
        def wrong(dy: Any, x: Any) -> Any:
            return slope(x) * dy

        add(
            f"activation: {name}",
            classes,
            causes,
            s,
            wrong,
            args or x_args(),
            (lambda dy, x: true(x) * dy) if true else None,
            must,
        )

    def relu(x: Any) -> Any:
        return np.maximum(x, 0)

    def leaky(x: Any) -> Any:
        return np.where(x > 0, x, 0.1 * x)

    def elu(x: Any) -> Any:
        return np.where(x > 0, x, 0.7 * np.expm1(np.minimum(x, 0)))

    def elu_slope(x: Any) -> Any:
        return np.where(x > 0, 1, elu(x) + 0.7)

    add(
        "activation: relu mask from dy",
        "DL",
        "mask, not linear",
        relu,
        lambda dy, x: dy * (dy > 0),
        x_args(),
        lambda dy, x: dy * (x > 0),
    )
    mistake("relu without a mask", "D", "mask", relu, np.ones_like, lambda x: x > 0)
    at_zero = lambda: {"x": np.array([[0.0, 1.0, -1.0], [0.5, 0.0, -0.5]])}  # noqa: E731
    mistake("relu mask >= 0", "K", "", relu, lambda x: x >= 0, None, at_zero, "PASS")
    mistake(
        "relu slope 1/2 at 0",
        "K",
        "",
        relu,
        lambda x: (x > 0) + 0.5 * (x == 0),
        None,
        at_zero,
        "PASS",
    )

    def changed() -> Any:  # the mask is read from y, which a later layer has changed in place
        def forward(x: Any) -> Any:
            y = relu(x)
            return y.copy(), y

        def backward(dy: Any, y: Any) -> Any:
            found = dy * (y > 0)
            y -= 1.0
            return found

        return forward, backward

    add_made(
        "activation: relu mask from y, changed in place",
        "SP",
        "stale, impure, mask",
        changed,
        x_args(),
    )
    mistake(
        "leaky relu slope forgotten",
        "D",
        "mask",
        leaky,
        lambda x: x > 0,
        lambda x: np.where(x > 0, 1, 0.1),
    )
    mistake(
        "leaky relu slope forgotten, one sign",
        "D",
        "mask, few entries",
        leaky,
        lambda x: x > 0,
        lambda x: np.where(x > 0, 1, 0.1),
        lambda: {
            "x": np.where(np.arange(20) == 7, -1, 1).reshape(5, 4) * abs(signed(rng(5), (5, 4)))
        },
    )
    mistake(
        "leaky relu mask flipped",
        "D",
        "mask",
        leaky,
        lambda x: np.where(x < 0, 1, 0.1),
        lambda x: np.where(x > 0, 1, 0.1),
    )
    mistake(
        "elu: y instead of y + alpha",
        "D",
        "mask, missing factor, missing term",
        elu,
        lambda x: np.where(x > 0, 1, elu(x)),
        elu_slope,
    )
    mistake(
        "softplus e^x / (1 + e^x)",
        "X",
        "not finite",
        softplus,
        lambda x: exp(x) / (1 + exp(x)),
        sigmoid,
    )
    mistake(
        "tanh' of the pre-activation",
        "D",
        "missing factor, missing term, unknown",
        np.tanh,
        lambda x: 1 - x * x,
        lambda x: 1 - np.tanh(x) ** 2,
    )
    mistake(
        "tanh' twice",
        "D",
        "missing factor, missing term, unknown",
        np.tanh,
        lambda x: (1 - np.tanh(x) ** 2) ** 2,
        lambda x: 1 - np.tanh(x) ** 2,
    )
    mistake(
        "tanh'' missing a factor",
        "D",
        "factor",
        np.tanh,
        lambda x: 0.5 * (1 - np.tanh(x) ** 2),
        None,
    )
    mistake(
        "sigmoid' of the pre-activation",
        "D",
        "missing factor, missing term, unknown",
        sigmoid,
        lambda x: x * (1 - x),
        lambda x: sigmoid(x) * (1 - sigmoid(x)),
    )
    mistake(
        "gelu: x phi(x) dropped",
        "D",
        "missing term, missing factor",
        lambda x: x * phi_cdf(x),
        phi_cdf,
        lambda x: phi_cdf(x) + x * phi(x),
    )
    mistake(
        "gelu: wrong for -6 < x < -3 only",
        "D",
        "few entries, mask",
        lambda x: x * phi_cdf(x),
        lambda x: phi_cdf(x) + np.where((x < -3) & (x > -6), 0, x * phi(x)),
        lambda x: phi_cdf(x) + x * phi(x),
        x_args((5, 4), 3.0),
    )
    mistake(
        "silu: x sig' dropped",
        "D",
        "missing term, missing factor",
        lambda x: x * sigmoid(x),
        sigmoid,
        lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x))),
    )

    def swish(x: Any, beta: Any) -> Any:
        return x * sigmoid(beta * x)

    def swish_vjp(total: bool) -> Any:
        def vjp(dy: Any, x: Any, beta: Any) -> Any:
            s = sigmoid(beta * x)
            dbeta = (dy * x * x * s * (1 - s)).sum(0)
            return dy * (s + beta * x * s * (1 - s)), np.full_like(
                beta, dbeta.sum()
            ) if total else dbeta

        return vjp

    add(
        "activation: silu beta gradient summed to one number",
        "D",
        "axis, mean term",
        swish,
        swish_vjp(True),
        lambda: {"x": signed(rng(5), (5, 4)), "beta": signed(rng(6), 4)},
        swish_vjp(False),
    )

    def rough_sigmoid(x: Any) -> Any:  # 1 - y loses its digits for large x
        y = sigmoid(x)
        return y * (1 - y)

    mistake(
        "sigmoid': 1 - y far out",
        "X",
        "",
        sigmoid,
        rough_sigmoid,
        None,
        x_args((5, 4), 2.0),
        "PASS",
    )


dense_entries()
norm_entries()
activation_entries()
