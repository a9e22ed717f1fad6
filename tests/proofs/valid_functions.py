"""Right forward and backward passes as users write them, which must never be called wrong.

    FUNCTIONS[name] = Function(f, vjp, draw)      vjp(dy, *args) -> a gradient per argument

`draw(rng, n, scale)` gives arguments: n examples, numbers of about the size `scale`. `zeros` is
False where exact zeros would sit on a jump or a pole, which has no derivative to check.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Function:
    """A right pair."""

    f: Callable[..., Any]
    vjp: Callable[..., Any]
    draw: Callable[..., tuple[Any, ...]]
    zeros: bool = True


FUNCTIONS: dict[str, Function] = {}


def rows(rng: np.random.Generator, n: int, scale: float) -> tuple[Array, ...]:
    """An array (n, 1 to 6)."""
    return (scale * rng.standard_normal((n, rng.integers(1, 7))),)


def two_alike(rng: np.random.Generator, n: int, scale: float) -> tuple[Array, ...]:
    """Two arrays of one shape."""
    (x,) = rows(rng, n, scale)
    return x, rng.standard_normal(x.shape)


def positive(rng: np.random.Generator, n: int, scale: float) -> tuple[Array, ...]:
    """Numbers above 0."""
    return (scale * rng.uniform(0.02, 3, (n, rng.integers(1, 7))),)


def ratio(rng: np.random.Generator, n: int, scale: float) -> tuple[Array, ...]:
    """Any numbers, and numbers of size 0.1 or more."""
    (x,) = rows(rng, n, scale)
    return x, rng.uniform(0.1, 2, x.shape) * rng.choice([-1, 1], x.shape)


def product(rng: np.random.Generator, n: int, scale: float) -> tuple[Array, ...]:
    """Two matrices with matching inner sizes."""
    (x,) = rows(rng, n, scale)
    return x, rng.standard_normal((x.shape[1], rng.integers(1, 6)))


def square(rng: np.random.Generator, n: int, scale: float) -> tuple[Array, ...]:
    """A random square matrix, possibly nearly singular."""
    m = n + 1
    return (scale * (rng.standard_normal((m, m)) + m**0.5 * np.eye(m)),)


def add(name: str, draw: Any, f: Any, vjp: Any, zeros: bool = True) -> None:
    """Registers a function."""
    FUNCTIONS[name] = Function(f, vjp, draw, zeros)


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_vjp(dy: Array, x: Array) -> Array:
    p = softmax(x)
    return p * (dy - (dy * p).sum(-1, keepdims=True))


def log_sum_exp(x: Array) -> Array:
    top = x.max(-1)
    return top + np.log(np.exp(x - top[..., None]).sum(-1))


def length(x: Array) -> Array:
    return np.sqrt((x * x).sum(-1))


def length_vjp(dy: Array, x: Array) -> Array:
    r = length(x)[..., None]
    return dy[..., None] * x / np.where(r > 0, r, 1)


def unit_vjp(dy: Array, x: Array) -> Array:
    r = length(x)[..., None]
    y = x / r
    return (dy - y * (dy * y).sum(-1, keepdims=True)) / r


def spread_vjp(dy: Array, x: Array) -> Array:
    c, s = x - x.mean(-1, keepdims=True), x.std(-1)[..., None]
    return dy[..., None] * c / np.where(s > 0, s, 1) / x.shape[-1]


def largest_vjp(dy: Array, x: Array) -> Array:
    dx = np.zeros_like(x)
    np.put_along_axis(dx, x.argmax(-1)[..., None], dy[..., None].astype(x.dtype), -1)
    return dx


def sort_vjp(dy: Array, x: Array) -> Array:
    dx = np.zeros_like(x)
    np.put_along_axis(dx, x.argsort(-1), dy.astype(x.dtype), -1)
    return dx


def huber(x: Array) -> Array:
    a = abs(x)
    return np.where(a < 0.5, x * x / 2, 0.5 * (a - 0.25))


def correlate(x: Array, k: Array) -> Array:
    return np.stack([np.correlate(row, k, "full") for row in x])


def correlate_vjp(dy: Array, x: Array, k: Array) -> tuple[Array, Array]:
    m, d = len(k), x.shape[1]
    dx, dk = np.zeros_like(x), np.zeros_like(k)
    for j in range(m):
        window = dy[:, m - 1 - j : m - 1 - j + d]
        dx += k[j] * window
        dk[j] = (window * x).sum()
    return dx, dk


def cosine(x: Array, y: Array) -> Array:
    return (x * y).sum(-1) / (length(x) * length(y))


def cosine_vjp(dy: Array, x: Array, y: Array) -> tuple[Array, Array]:
    a, b, c = length(x)[:, None], length(y)[:, None], cosine(x, y)[:, None]
    d = dy[:, None]
    return d * (y / (a * b) - c * x / a**2), d * (x / (a * b) - c * y / b**2)


def cross_entropy(x: Array, label: Array) -> Array:
    return np.mean(log_sum_exp(x) - x[np.arange(len(x)), label])


def cross_entropy_vjp(dy: Array, x: Array, label: Array) -> tuple[Array, None]:
    p = softmax(x)
    p[np.arange(len(x)), label] -= 1
    return dy * p / len(x), None


def margins(x: Array, label: Array) -> Array:
    """The margin of each score over the right score minus 1."""
    m = 1 + x - x[np.arange(len(x)), label][:, None]
    m[np.arange(len(x)), label] = 0
    return m


def margin_vjp(dy: Array, x: Array, label: Array) -> tuple[Array, None]:
    hit = (margins(x, label) > 0).astype(x.dtype)
    hit[np.arange(len(x)), label] = -hit.sum(1)
    return dy[:, None] * hit, None


def with_labels(rng: np.random.Generator, n: int, scale: float) -> tuple[Array, ...]:
    """Scores (n, classes) and labels (n,)."""
    k = int(rng.integers(2, 7))
    return scale * rng.standard_normal((n, k)), rng.integers(k, size=n)


def recurrent(x: Array, w: Array) -> Array:
    h = np.zeros_like(x)
    for _ in range(3):
        h = np.tanh(x + h @ w)
    return h


def recurrent_vjp(dy: Array, x: Array, w: Array) -> tuple[Array, Array]:
    states = [np.zeros_like(x)]
    for _ in range(3):
        states.append(np.tanh(x + states[-1] @ w))
    dx, dw, dh = np.zeros_like(x), np.zeros_like(w), dy
    for t in (3, 2, 1):
        da = dh * (1 - states[t] ** 2)
        dx, dw, dh = dx + da, dw + states[t - 1].T @ da, da @ w.T
    return dx, dw


def perceptron(p: dict[str, Any], x: Array) -> Array:
    return np.tanh(x @ p["w"][0] + p["b"]) @ p["w"][1]


def perceptron_vjp(dy: Array, p: dict[str, Any], x: Array) -> tuple[dict[str, Any], Array]:
    h = np.tanh(x @ p["w"][0] + p["b"])
    da = dy @ p["w"][1].T * (1 - h * h)
    return {"w": [x.T @ da, h.T @ dy], "b": da.sum(0)}, da @ p["w"][0].T


def nested(rng: np.random.Generator, n: int, scale: float) -> tuple[Any, ...]:
    """Parameters in a dict that holds a list, and an array."""
    i, h, o = (int(k) for k in rng.integers(1, 5, 3))
    w = [rng.standard_normal((i, h)), rng.standard_normal((h, o))]
    return {"w": w, "b": rng.standard_normal(h), "name": "mlp"}, scale * rng.standard_normal((n, i))


def bilinear(x: Array, t: Array, z: Array) -> Array:
    return np.einsum("ni,ijk,nj->nk", x, t, z)


def bilinear_vjp(dy: Array, x: Array, t: Array, z: Array) -> tuple[Array, ...]:
    return (
        np.einsum("nk,ijk,nj->ni", dy, t, z),
        np.einsum("ni,nk,nj->ijk", x, dy, z),
        np.einsum("ni,ijk,nk->nj", x, t, dy),
    )


def cube(rng: np.random.Generator, n: int, scale: float) -> tuple[Array, ...]:
    """The arguments of bilinear."""
    i, j, k = (int(size) for size in rng.integers(1, 4, 3))
    draw = rng.standard_normal
    return scale * draw((n, i)), draw((i, j, k)), draw((n, j))


def gathered(rng: np.random.Generator, n: int, scale: float) -> tuple[Array, ...]:
    """A table and row indices, some of them repeated."""
    table = scale * rng.standard_normal((n + 1, 3))
    return table, rng.integers(n + 1, size=2 * n)


def scattered(dy: Array, table: Array, places: Array) -> tuple[Array, None]:
    dtable = np.zeros_like(table)
    np.add.at(dtable, places, dy)
    return dtable, None


def inverse_vjp(dy: Array, a: Array) -> Array:
    b = np.linalg.inv(a)
    return -b.T @ dy @ b.T


def approximate_gelu(x: Array) -> Array:
    return 0.5 * x * (1 + np.tanh(0.8 * (x + 0.044 * x**3)))


def approximate_gelu_vjp(dy: Array, x: Array) -> Array:
    t = np.tanh(0.8 * (x + 0.044 * x**3))
    return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.8 * (1 + 0.132 * x * x))


def line(rng: np.random.Generator, n: int, scale: float) -> tuple[Any, ...]:
    """Two plain numbers and an array."""
    return (
        float(rng.standard_normal()),
        scale * rng.standard_normal(n),
        float(rng.standard_normal()),
    )


add("sum of squares", rows, lambda x: (x * x).sum(), lambda dy, x: 2 * dy * x)
add("softmax", rows, softmax, softmax_vjp)
add("log-softmax", rows, lambda x: x - log_sum_exp(x)[:, None],
    lambda dy, x: dy - softmax(x) * dy.sum(-1, keepdims=True))  # fmt: skip
add("log-sum-exp", rows, log_sum_exp, lambda dy, x: dy[:, None] * softmax(x))
add("length", rows, length, length_vjp)
add("unit vector", rows, lambda x: x / length(x)[:, None], unit_vjp, zeros=False)
add("largest", rows, lambda x: x.max(-1), largest_vjp)
add("sort", rows, lambda x: np.sort(x, -1), sort_vjp)
add("abs", rows, abs, lambda dy, x: dy * np.sign(x))
add("Huber", rows, huber, lambda dy, x: dy * np.clip(x, -0.5, 0.5))
add("soft threshold", rows, lambda x: np.sign(x) * np.maximum(abs(x) - 0.3, 0),
    lambda dy, x: dy * (abs(x) > 0.3))  # fmt: skip
add("clip", rows, lambda x: np.clip(x, -1, 1), lambda dy, x: dy * (abs(x) <= 1))
add("log", positive, np.log, lambda dy, x: dy / x, zeros=False)
add("root", positive, np.sqrt, lambda dy, x: dy / (2 * np.sqrt(x)), zeros=False)
add("exp", rows, np.exp, lambda dy, x: dy * np.exp(x))
add("cube", rows, lambda x: x**3, lambda dy, x: 3 * dy * x * x)
add("sine", rows, np.sin, lambda dy, x: dy * np.cos(x))
add("product", two_alike, lambda x, y: x * y, lambda dy, x, y: (dy * y, dy * x))
add("quotient", ratio, lambda x, y: x / y, lambda dy, x, y: (dy / y, -dy * x / y**2), zeros=False)
add("arctan2", ratio, np.arctan2,
    lambda dy, x, y: (dy * y / (x**2 + y**2), -dy * x / (x**2 + y**2)), zeros=False)  # fmt: skip
add("matrix product", product, lambda x, w: x @ w, lambda dy, x, w: (dy @ w.T, x.T @ dy))
add("bilinear", cube, bilinear, bilinear_vjp)
add("convolution", lambda rng, n, scale: (*rows(rng, n, scale), rng.standard_normal(3)),
    correlate, correlate_vjp)  # fmt: skip
add("variance", rows, lambda x: x.var(-1),
    lambda dy, x: dy[:, None] * 2 * (x - x.mean(-1, keepdims=True)) / x.shape[-1])  # fmt: skip
add("standard deviation", rows, lambda x: x.std(-1), spread_vjp)
add("cosine", two_alike, cosine, cosine_vjp, zeros=False)
add("mean square", two_alike, lambda x, y: np.mean((x - y) ** 2),
    lambda dy, x, y: (2 * dy * (x - y) / x.size, 2 * dy * (y - x) / x.size))  # fmt: skip
add("cross-entropy", with_labels, cross_entropy, cross_entropy_vjp)
add("margin loss", with_labels, lambda x, label: np.maximum(margins(x, label), 0).sum(1),
    margin_vjp)  # fmt: skip
add("running sum", rows, lambda x: x.cumsum(-1), lambda dy, x: dy[:, ::-1].cumsum(-1)[:, ::-1])
add("two outputs", two_alike, lambda x, y: (x * y, x + y),
    lambda dy, x, y: (dy[0] * y + dy[1], dy[0] * x + dy[1]))  # fmt: skip
add("nested arguments", nested, perceptron, perceptron_vjp)
add("plain numbers", line, lambda a, x, b: a * x + b,
    lambda dy, a, x, b: (float(dy @ x), a * dy, float(dy.sum())))  # fmt: skip
add("recurrent", lambda rng, n, scale: (scale * rng.standard_normal((n, 3)),
    rng.standard_normal((3, 3))), recurrent, recurrent_vjp)  # fmt: skip
add("gather", gathered, lambda table, places: table[places], scattered)
add("inverse", square, np.linalg.inv, inverse_vjp, zeros=False)
add("quadratic form", lambda rng, n, scale: (*rows(rng, n, scale),),
    lambda x: np.einsum("ni,ij,nj->n", x, np.tri(x.shape[1]), x),
    lambda dy, x: dy[:, None] * (x @ (np.tri(x.shape[1]) + np.tri(x.shape[1]).T)))  # fmt: skip
add("GELU by tanh", rows, approximate_gelu, approximate_gelu_vjp)
