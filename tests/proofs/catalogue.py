"""Real mistakes, written by hand: a right forward pass, and the backward pass that someone wrote.

    ENTRIES     name -> Entry: the wrong pair, the right one, what is expected of a checker

`classes` are the letters of the design: D derivative, L linear in dy, P pure, S stale, Y layout,
T type and shape, B batch, X extremes, K kink, 2 second order, F meaning of the forward. `causes`
are the hints that are true of the mistake; they were written down before any checker had run.
Entries with must="PASS" are right code that a checker may not fail.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from mutants import Subject, signed, spread

sqrt, exp = np.sqrt, np.exp


@dataclass(frozen=True)
class Entry:
    """One mistake: `wrong()` and `right()` make the pair anew, each with state of its own."""

    name: str
    classes: str
    causes: tuple[str, ...]
    wrong: Callable[[], Subject]
    right: Callable[[], Subject] | None
    must: str = "FAIL"


ENTRIES: dict[str, Entry] = {}


def pair(name: str, f: Any, vjp: Any, args: dict[str, Any]) -> Subject:
    """f(*args) and vjp(dy, *args)."""
    arrays = [np.array(one, float) for one in args.values()]
    return cached(
        name, lambda *a: (f(*a), a), lambda dy, a: vjp(dy, *a), dict(zip(args, arrays, strict=True))
    )


def cached(name: str, forward: Any, backward: Any, args: dict[str, Any]) -> Subject:
    """forward(*args) -> (y, cache) and backward(dy, cache)."""

    def as_tuple(dy: Any, cache: Any) -> Any:
        found = backward(dy, cache)
        return found if isinstance(found, tuple) else (found,)

    return Subject(name, name, list(args), list(args.values()), forward, as_tuple)


def add(
    name: str,
    classes: str,
    causes: str,
    f: Any,
    wrong: Any,
    args: Any,
    right: Any = None,
    must: str = "FAIL",
) -> None:
    """An entry whose backward is a function of dy and the arguments."""
    ENTRIES[name] = Entry(
        name,
        classes,
        tuple(one.strip() for one in causes.split(",") if one.strip()),
        lambda: pair(name, f, wrong, args()),
        (lambda: pair(name, f, right, args())) if right else None,
        must,
    )


def add_made(
    name: str,
    classes: str,
    causes: str,
    make: Any,
    args: Any,
    right: Any = None,
    must: str = "FAIL",
) -> None:
    """An entry with state: make() -> (forward, backward)."""
    ENTRIES[name] = Entry(
        name,
        classes,
        tuple(one.strip() for one in causes.split(",") if one.strip()),
        lambda: cached(name, *make(), args()),
        (lambda: cached(name, *right(), args())) if right else None,
        must,
    )


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# --- dense --------------------------------------------------------------------------------------


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
    def one(name: str, classes: str, causes: str, wrong: Any, args: Any = None) -> None:
        add(f"dense: {name}", classes, causes, dense, wrong, args or dense_args(), dense_right)

    square, own = dense_args(5, 4, 4), dense_args()
    one(
        "dW divided by N once more",
        "D",
        "factor",
        lambda dy, x, w, b: (dy @ w.T, x.T @ dy / len(x), dy.sum(0)),
    )
    one(
        "db mean instead of sum",
        "D",
        "factor",
        lambda dy, x, w, b: (dy @ w.T, x.T @ dy, dy.mean(0)),
    )
    one("db all zeros", "D", "zero", lambda dy, x, w, b: (dy @ w.T, x.T @ dy, np.zeros(b.shape)))
    one("db is None", "D", "zero", lambda dy, x, w, b: (dy @ w.T, x.T @ dy, None))
    one(
        "dx = dy @ w",
        "D",
        "order, unknown",
        lambda dy, x, w, b: (dy @ w, x.T @ dy, dy.sum(0)),
        square,
    )
    one("dW transposed", "D", "order", lambda dy, x, w, b: (dy @ w.T, dy.T @ x, dy.sum(0)), square)
    for label, bend in (
        ("|dy|", np.abs), ("relu(dy)", lambda d: np.maximum(d, 0)),
        ("dy ** 2", np.square), ("clip(dy, -1, 1)", lambda d: np.clip(d, -1, 1)),
    ):  # fmt: skip

        def bent(dy: Any, x: Any, w: Any, b: Any, bend: Any = bend) -> Any:
            return dense_right(bend(dy), x, w, b)

        one(label, "DL", "not linear, mask", bent)
    one(
        "db of shape (1, out)",
        "T",
        "shape",
        lambda dy, x, w, b: (dy @ w.T, x.T @ dy, dy.sum(0, keepdims=True)),
    )
    one("db of shape (N, out)", "T", "shape", lambda dy, x, w, b: (dy @ w.T, x.T @ dy, dy))
    one("one gradient too few", "T", "shape, count", lambda dy, x, w, b: (dy @ w.T, x.T @ dy))

    def modified(dy: Any, x: Any, w: Any, b: Any) -> Any:
        found = dense_right(dy, x, w, b)
        dy *= 0.5
        return found

    one("dy modified", "P", "impure", modified)

    def assumes_contiguous(dy: Any, x: Any, w: Any, b: Any) -> Any:
        return dense_right(dy.ravel(order="K").reshape(dy.shape), x, w, b)

    one("assumes contiguous dy", "Y", "layout, order", assumes_contiguous)

    def updated() -> Any:  # dx with w after the update
        def forward(x: Any, w: Any, b: Any) -> Any:
            return dense(x, w, b), (x, w, b)

        def backward(dy: Any, cache: Any) -> Any:
            x, w, b = cache
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
        "dense: shared weight, second use overwrites", "D", "missing term, unknown", shared, shared_wrong,
        lambda: {"x": signed(rng(2), (5, 3)), "w": signed(rng(3), (3, 3), 0.1, 0.7)}, shared_right,
    )  # fmt: skip


# --- normalisation ------------------------------------------------------------------------------

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
            f"{label}: extra sum(x - mean)", "D", "", norm(at), norm_vjp(at, "extra sum(x - mean)"),
            norm_args(), must="PASS",
        )  # fmt: skip
    add("layer norm: gamma after the means", "D", "missing term, mean term, missing factor, unknown",
        norm(1), norm_vjp(1, "gamma after"), norm_args(), norm_vjp(1))  # fmt: skip

    def evaluated(x: Any, gamma: Any, beta: Any) -> Any:
        return gamma * (x - 0.2) / sqrt(0.8) + beta

    def as_trained(dy: Any, x: Any, gamma: Any, beta: Any) -> Any:
        h = (x - 0.2) / sqrt(0.8)
        q = gamma * dy
        return (q - q.mean(0) - h * (q * h).mean(0)) / sqrt(0.8), (dy * h).sum(0), dy.sum(0)

    def as_evaluated(dy: Any, x: Any, gamma: Any, beta: Any) -> Any:
        h = (x - 0.2) / sqrt(0.8)
        return gamma * dy / sqrt(0.8), (dy * h).sum(0), dy.sum(0)

    add("batch norm: training formula in evaluation", "D", "mean term, missing term", evaluated,
        as_trained, norm_args(), as_evaluated)  # fmt: skip

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


# --- activations --------------------------------------------------------------------------------


def x_args(shape: Any = (5, 4), scale: float = 1.0, seed: int = 5) -> Any:
    return lambda: {"x": scale * signed(rng(seed), shape)}


def sigmoid(x: Any) -> Any:
    e = exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def softplus(x: Any) -> Any:
    return np.maximum(x, 0) + np.log1p(exp(-np.abs(x)))


_erf = np.vectorize(math.erf)


def phi_cdf(x: Any) -> Any:
    return 0.5 * (1 + _erf(x / math.sqrt(2)))


def phi(x: Any) -> Any:
    return exp(-x * x / 2) / math.sqrt(2 * math.pi)


def activation_entries() -> None:
    def one(
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

        add(f"activation: {name}", classes, causes, s, wrong, args or x_args(),
            (lambda dy, x: true(x) * dy) if true else None, must)  # fmt: skip

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
    one("relu without a mask", "D", "mask", relu, np.ones_like, lambda x: x > 0)
    at_zero = lambda: {"x": np.array([[0.0, 1.0, -1.0], [0.5, 0.0, -0.5]])}  # noqa: E731
    one("relu mask >= 0", "K", "", relu, lambda x: x >= 0, None, at_zero, "PASS")
    one(
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
    one(
        "leaky relu slope forgotten",
        "D",
        "mask",
        leaky,
        lambda x: x > 0,
        lambda x: np.where(x > 0, 1, 0.1),
    )
    one("leaky relu slope forgotten, one sign", "D", "mask, few entries", leaky, lambda x: x > 0,
        lambda x: np.where(x > 0, 1, 0.1), lambda: {"x": np.where(np.arange(20) == 7, -1, 1).reshape(5, 4) * abs(signed(rng(5), (5, 4)))})  # fmt: skip
    one(
        "leaky relu mask flipped",
        "D",
        "mask",
        leaky,
        lambda x: np.where(x < 0, 1, 0.1),
        lambda x: np.where(x > 0, 1, 0.1),
    )
    one(
        "elu: y instead of y + alpha",
        "D",
        "mask, missing factor, missing term",
        elu,
        lambda x: np.where(x > 0, 1, elu(x)),
        elu_slope,
    )
    one(
        "softplus e^x / (1 + e^x)",
        "X",
        "not finite",
        softplus,
        lambda x: exp(x) / (1 + exp(x)),
        sigmoid,
    )
    one(
        "tanh' of the pre-activation",
        "D",
        "missing factor, missing term, unknown",
        np.tanh,
        lambda x: 1 - x * x,
        lambda x: 1 - np.tanh(x) ** 2,
    )
    one(
        "tanh' twice",
        "D",
        "missing factor, missing term, unknown",
        np.tanh,
        lambda x: (1 - np.tanh(x) ** 2) ** 2,
        lambda x: 1 - np.tanh(x) ** 2,
    )
    one(
        "tanh'' missing a factor",
        "D",
        "factor",
        np.tanh,
        lambda x: 0.5 * (1 - np.tanh(x) ** 2),
        None,
    )
    one(
        "sigmoid' of the pre-activation",
        "D",
        "missing factor, missing term, unknown",
        sigmoid,
        lambda x: x * (1 - x),
        lambda x: sigmoid(x) * (1 - sigmoid(x)),
    )
    one(
        "gelu: x phi(x) dropped",
        "D",
        "missing term, missing factor",
        lambda x: x * phi_cdf(x),
        phi_cdf,
        lambda x: phi_cdf(x) + x * phi(x),
    )
    one("gelu: wrong for -6 < x < -3 only", "D", "few entries, mask", lambda x: x * phi_cdf(x),
        lambda x: phi_cdf(x) + np.where((x < -3) & (x > -6), 0, x * phi(x)), lambda x: phi_cdf(x) + x * phi(x), x_args((5, 4), 3.0))  # fmt: skip
    one(
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

    add("activation: silu beta gradient summed to one number", "D", "axis, mean term", swish, swish_vjp(True),
        lambda: {"x": signed(rng(5), (5, 4)), "beta": signed(rng(6), 4)}, swish_vjp(False))  # fmt: skip

    def rough_sigmoid(x: Any) -> Any:  # 1 - y loses its digits for large x
        y = sigmoid(x)
        return y * (1 - y)

    one(
        "sigmoid': 1 - y far out",
        "X",
        "",
        sigmoid,
        rough_sigmoid,
        None,
        x_args((5, 4), 2.0),
        "PASS",
    )


# --- losses -------------------------------------------------------------------------------------

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

    def one(name: str, classes: str, causes: str, wrong: Any) -> None:
        add(
            f"softmax: {name}",
            classes,
            causes,
            cross_entropy,
            wrong,
            logits,
            lambda dy, z: dy * (softmax(z) - hit) / 5,
        )

    one("1/N missing", "D", "factor", lambda dy, z: dy * (softmax(z) - hit))
    one("target sign", "D", "sign", lambda dy, z: dy * (hit - softmax(z)) / 5)
    one(
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
    add("softmax: diagonal of the Jacobian only", "D", "missing term, mean term, missing factor", softmax, lambda dy, z: dy * softmax(z) * (1 - softmax(z)),
        logits, lambda dy, z: softmax(z) * (dy - (dy * softmax(z)).sum(-1, keepdims=True)))  # fmt: skip

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

    bce_entry("derivative at logit 0 through abs", "KD", "few entries, mask",
              lambda dy, z: dy[:, None] * ((z > 0) - t - np.sign(z) * exp(-abs(z)) / (1 + exp(-abs(z)))), args=at_kink)  # fmt: skip

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

    bce_entry("pos_weight in forward only", "D", "missing term, unknown", lambda dy, z: dy[:, None] * (sigmoid(z) - t), weighted,
              lambda dy, z: dy[:, None] * ((1 - t) * sigmoid(z) - weights * t * sigmoid(-z)))  # fmt: skip

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
        add(f"kl: {name}", "D", causes, kl, lambda dy, mu, lv: (dy[:, None] * dmu(mu), dy[:, None] * dlv(lv)), two,
            lambda dy, mu, lv: (dy[:, None] * mu, dy[:, None] * np.expm1(lv) / 2))  # fmt: skip

    kl_entry("0.5 missing", "factor", lambda mu: mu, np.expm1)
    kl_entry("sign reversed", "sign", lambda mu: -mu, lambda lv: -np.expm1(lv) / 2)
    kl_entry(
        "mean in forward, sum in backward", "factor", lambda mu: mu / 3, lambda lv: np.expm1(lv) / 6
    )
    kl_entry("exp(lv) for exp(lv) - 1", "missing term", lambda mu: mu, lambda lv: exp(lv) / 2)

    def sampled(mu: Any, lv: Any) -> Any:
        return mu + exp(lv / 2) * NOISE

    def reparam(name: str, classes: str, causes: str, dlv: Any) -> None:
        add(f"reparam: {name}", classes, causes, sampled, lambda dy, mu, lv: (dy, dlv(dy, mu, lv)), two,
            lambda dy, mu, lv: (dy, 0.5 * dy * exp(lv / 2) * NOISE))  # fmt: skip

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


# --- dropout, adversarial losses, penalties -----------------------------------------------------

KEPT = (np.random.default_rng(97).random((5, 4)) < 0.6) / 0.6


def other_entries() -> None:
    def dropout(x: Any) -> Any:
        return x * KEPT

    def one(name: str, classes: str, causes: str, wrong: Any, args: Any = None) -> None:
        add(
            f"dropout: {name}",
            classes,
            causes,
            dropout,
            wrong,
            args or x_args(),
            lambda dy, x: dy * KEPT,
        )

    one(
        "mask not applied", "D", "mask, missing factor, missing term, few entries", lambda dy, x: dy
    )
    one("scale missing", "D", "factor", lambda dy, x: dy * (KEPT > 0))
    one("scale squared", "D", "factor", lambda dy, x: dy * KEPT / 0.6)
    one("scale 1/p for 1/(1-p)", "D", "factor", lambda dy, x: dy * KEPT * 0.6 / 0.4)

    def with_zeros() -> dict[str, Any]:
        x = signed(rng(5), (5, 4))
        x[KEPT > 0] = np.where(np.arange((KEPT > 0).sum()) % 3 == 0, 0, x[KEPT > 0])
        return {"x": x}

    one(
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

    add("penalty: first order held constant", "2D", "missing term", second, as_constant,
        lambda: {"x": signed(rng(14), (5, 3)), "u": signed(rng(15), (5, 3))}, second_right)  # fmt: skip


# --- what torch does not see, and what is right but hard ----------------------------------------


def blind_spots() -> None:
    tiny = lambda: {"x": signed(rng(16), (4, 5))}  # noqa: E731
    add("blind: zero gradient for 1e-6 sum(x^2)", "D", "zero", lambda x: 1e-6 * (x * x).sum(),
        lambda dy, x: np.zeros_like(x), tiny, lambda dy, x: 2e-6 * dy * x)  # fmt: skip
    for size in (1e-2, 1e-3, 1e-6, 1e-9):

        def one_wrong(dy: Any, x: Any, size: float = size) -> Any:
            g = dy * np.cos(x)
            g[2, 3] *= 1 + size
            return g

        add(f"blind: one entry off by {size:.0e}", "D", "few entries", np.sin, one_wrong,
            lambda: {"x": signed(rng(16), (4, 5))}, lambda dy, x: dy * np.cos(x))  # fmt: skip

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
    hard("a true gradient of 0", lambda x, b: (x + b) - (x + b).mean(0), lambda dy, x, b: ((dy - dy.mean(0)), (dy - dy.mean(0)).sum(0)),
         lambda: {"x": signed(rng(18), (5, 3)), "b": signed(rng(19), 3)})  # fmt: skip
    hard(
        "relu on 1000 random numbers",
        lambda x: np.maximum(x, 0),
        lambda dy, x: dy * (x > 0),
        lambda: {"x": rng(20).standard_normal(1000)},
    )
    hard("softmax cross-entropy of large logits", lambda z: np.log(exp(z - z.max(1, keepdims=True)).sum(1)) + z.max(1),
         lambda dy, z: dy[:, None] * softmax(z), lambda: {"z": 30 * signed(rng(21), (4, 5))})  # fmt: skip


dense_entries()
norm_entries()
activation_entries()
loss_entries()
other_entries()
blind_spots()
_ = spread
