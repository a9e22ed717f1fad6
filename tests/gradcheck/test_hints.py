"""Hints: each of many wrong backward passes gets its cause, whatever the numbers."""

import time

import numpy as np
import pytest

from scratchgen.gradcheck.hints import CAUSES, hints_for
from scratchgen.gradcheck.pair import VJPPair
from scratchgen.gradcheck.results import FAIL, PASS, EntryMap, Finding

EPS = 1e-5


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def softmax(v):
    power = np.exp(v - v.max(axis=-1, keepdims=True))
    return power / power.sum(axis=-1, keepdims=True)


def signed(rng, *shape):
    return rng.uniform(0.1, 1.5, shape) * rng.choice([-1.0, 1.0], shape)


# Passes, each with its right gradients: name -> (f, gradients by name, arguments from rng).


def dense(x, w, b):
    return x @ w + b


def dense_backward(dy, x, w, b):
    return {"x": dy @ w.T, "w": x.T @ dy, "b": dy.sum(0)}


def normalised(x, axis):
    c = x - x.mean(axis=axis, keepdims=True)
    r = 1 / np.sqrt((c * c).mean(axis=axis, keepdims=True) + EPS)
    return c * r, r


def jacobian(q, h, r, axis):
    return r * (q - q.mean(axis=axis, keepdims=True) - h * (q * h).mean(axis=axis, keepdims=True))


def norm(axis):
    def f(x, gamma, beta):
        return gamma * normalised(x, axis)[0] + beta

    def backward(dy, x, gamma, beta):
        h, r = normalised(x, axis)
        return {"x": jacobian(gamma * dy, h, r, axis), "gamma": (dy * h).sum(0), "beta": dy.sum(0)}

    return f, backward


layer_norm, layer_norm_backward = norm(1)
batch_norm, batch_norm_backward = norm(0)


def cross_entropy(x, t):
    return -np.log(softmax(x)[np.arange(len(t)), t]).mean()


def one_hot(t, n):
    return (t[:, None] == np.arange(n)).astype(float)


def cross_entropy_backward(dy, x, t):
    return {"x": (softmax(x) - one_hot(t, x.shape[1])) * dy / len(x)}


def kl(mu, log_var):
    return 0.5 * (np.exp(log_var) + mu**2 - 1 - log_var).sum(axis=1)


def kl_backward(dy, mu, log_var):
    column = dy[:, None]
    return {"mu": column * mu, "log_var": 0.5 * column * (np.exp(log_var) - 1)}


def likelihood(x, mu, log_var):
    return -0.5 * (log_var + (x - mu) ** 2 * np.exp(-log_var)).sum(axis=1)


def likelihood_backward(dy, x, mu, log_var):
    c, off = dy[:, None], (x - mu) * np.exp(-log_var)
    return {"x": -c * off, "mu": c * off, "log_var": -0.5 * c * (1 - off * (x - mu))}


NOISE = np.random.default_rng(5).normal(size=(6, 4))


def draw(mu, log_var):
    return mu + np.exp(log_var / 2) * NOISE


def draw_backward(dy, mu, log_var):
    return {"mu": dy, "log_var": 0.5 * dy * np.exp(log_var / 2) * NOISE}


KEPT = (np.random.default_rng(6).random((6, 5)) > 0.4) / 0.6


def dropout(x):
    return KEPT * x


def tanh_dense(x, w, b):
    return np.tanh(x @ w + b)


def tanh_dense_backward(dy, x, w, b):
    return dense_backward(dy * (1 - np.tanh(x @ w + b) ** 2), x, w, b)


def hinge(x):
    return np.maximum(1 - x, 0)


def clip(x):
    return np.clip(x, -0.8, 0.8)


def elu(x):
    return np.where(x > 0, x, np.exp(x) - 1)


def maxout(x):
    return x.max(axis=-1)


def maxout_backward(dy, x):
    return {"x": dy[..., None] * (x == x.max(axis=-1, keepdims=True))}


def slope(x, a):
    return np.where(x > 0, x, a * x)


def slope_backward(dy, x, a):
    return {"x": np.where(x > 0, dy, a * dy), "a": (dy * np.minimum(x, 0)).sum(0)}


X = ((6, 5),)
DENSE = ((6, 5), (5, 4), (4,))
SQUARE = ((6, 5), (5, 5), (5,))
NORM = ((6, 5), (5,), (5,))
TWO = ((6, 4), (6, 4))


def of_x(gradient):
    return lambda dy, x: {"x": gradient(dy, x)}


def wrong_norm(axis, x):
    def wrong(right, dy, inputs, gamma, beta):
        h, r = normalised(inputs, axis)
        return x(gamma * dy, h, r, gamma, dy)

    return wrong


def mean(v, axis):
    return v.mean(axis=axis, keepdims=True)


SIGMOID = (lambda x: sigmoid(x)), of_x(lambda dy, x: dy * sigmoid(x) * sigmoid(-x)), X
TANH = (lambda x: np.tanh(x)), of_x(lambda dy, x: dy * (1 - np.tanh(x) ** 2)), X
RELU = (lambda x: np.maximum(x, 0)), of_x(lambda dy, x: dy * (x > 0)), X
LEAKY = (
    (lambda x: np.where(x > 0, x, 0.1 * x)),
    of_x(lambda dy, x: np.where(x > 0, dy, 0.1 * dy)),
    X,
)
ELU = elu, of_x(lambda dy, x: dy * np.where(x > 0, 1, np.exp(x))), X
SILU = (
    (lambda x: x * sigmoid(x)),
    of_x(lambda dy, x: dy * (sigmoid(x) + x * sigmoid(x) * sigmoid(-x))),
    X,
)
HINGE = hinge, of_x(lambda dy, x: -dy * (x < 1)), X
CLIP = clip, of_x(lambda dy, x: dy * (abs(x) < 0.8)), X
SOFTMAX = (
    (lambda x: softmax(x)),
    of_x(lambda dy, x: softmax(x) * (dy - (dy * softmax(x)).sum(1)[:, None])),
    X,
)
DROPOUT = dropout, of_x(lambda dy, x: KEPT * dy), X
MEAN = (
    (lambda x: x.mean(0)),
    of_x(lambda dy, x: np.broadcast_to(dy, x.shape) / len(x)),
    X,
)
CUBE = (lambda x: x**3), of_x(lambda dy, x: 3 * x**2 * dy), ((4, 3, 5),)
D, S, T = (dense, dense_backward), (dense, dense_backward), (tanh_dense, tanh_dense_backward)
LAYER = layer_norm, layer_norm_backward, NORM
BATCH = batch_norm, batch_norm_backward, NORM
KL, LIKELIHOOD, DRAW = (
    (kl, kl_backward, TWO),
    (likelihood, likelihood_backward, ((6, 4),) * 3),
    (draw, draw_backward, TWO),
)


def changed(base, **blocks):
    """The right backward pass, with other functions for some blocks: they get it and its input."""

    def backward(dy, *args):
        right = base[1](dy, *args)
        return right | {name: f(right[name], dy, *args) for name, f in blocks.items()}

    return backward


DENSE_CASE, SQUARE_CASE, TANH_DENSE = (*D, DENSE), (*S, SQUARE), (*T, DENSE)


def at_one(right, *_):
    wrong = right.copy()
    wrong[2, 3] *= 1.5
    return wrong


def without_last_rows(right, *_):
    wrong = right.copy()
    wrong[-2:] = 0
    return wrong


def border(right, *_):
    wrong = right.copy()
    wrong[:, [0, -1]] += signed(np.random.default_rng(7), 6, 2)
    return wrong


def eps_elsewhere(q, h, r, gamma, dy):
    std = np.sqrt(1 / r**2 - EPS)
    return jacobian(q, h, 1 / (std + EPS * 100), 0)


CASES = {
    # factors, signs, orders
    "sign": (DENSE_CASE, "w", lambda g, *a: -g, "sign"),
    "twice": (DENSE_CASE, "b", lambda g, *a: 2 * g, "factor"),
    "half": (TANH, "x", lambda g, *a: g / 2, "factor"),
    "mean for sum": (DENSE_CASE, "b", lambda g, dy, *a: dy.mean(0), "factor"),
    "divided by N again": (DENSE_CASE, "w", lambda g, *a: g / 6, "factor"),
    "sum for mean": (MEAN, "x", lambda g, *a: 6 * g, "factor"),
    "factor without a name": (TANH, "x", lambda g, *a: 0.73219 * g, "factor"),
    "zero": (DENSE_CASE, "b", lambda g, *a: 0 * g, "zero"),
    "transposed": (SQUARE_CASE, "w", lambda g, *a: g.T.copy(), "order"),
    "flipped": (CUBE, "x", lambda g, *a: g[:, ::-1], "order"),
    "rolled": (CUBE, "x", lambda g, *a: np.roll(g, 1, axis=2), "order"),
    "transpose removed": (SQUARE_CASE, "x", lambda g, dy, x, w, b: dy @ w, "order"),
    "cut to integers": (CUBE, "x", lambda g, *a: np.trunc(g), "dtype"),
    "nan": (CUBE, "x", lambda g, *a: np.where(g > 1, np.nan, g), "not finite"),
    # terms and factors of dense layers
    "no activation": (TANH_DENSE, "b", lambda g, dy, *a: dy.sum(0), "missing factor"),
    "no activation, w": (TANH_DENSE, "w", lambda g, dy, x, *a: x.T @ dy, "missing factor"),
    "weight decay in": (DENSE_CASE, "w", lambda g, dy, x, w, b: g + 0.01 * w, "missing term"),
    "axis of db": (SQUARE_CASE, "b", None, "axis"),
    "db of all": (DENSE_CASE, "b", lambda g, dy, *a: 0 * g + dy.sum(), "axis"),
    # activations
    "sigmoid lacks 1 - y": (SIGMOID, "x", lambda g, dy, x: dy * sigmoid(x), "missing factor"),
    "sigmoid lacks y": (SIGMOID, "x", lambda g, dy, x: dy * sigmoid(-x), "missing factor"),
    "sigmoid lacks dy": (SIGMOID, "x", lambda g, dy, x: g / dy, "missing factor"),
    "tanh of x": (TANH, "x", lambda g, dy, x: dy * (1 - x**2), "missing factor missing term"),
    "tanh plus": (TANH, "x", lambda g, dy, x: dy * (1 + np.tanh(x) ** 2), "missing term"),
    "relu no mask": (RELU, "x", lambda g, dy, x: dy, "mask"),
    "relu flipped": (RELU, "x", lambda g, dy, x: dy * (x < 0), "mask"),
    "relu mask of dy": (RELU, "x", lambda g, dy, x: dy * (dy > 0), "mask"),
    "relu shifted": (RELU, "x", lambda g, dy, x: dy * (x > 0.5), "mask"),
    "leaky no slope": (LEAKY, "x", lambda g, dy, x: dy * (x > 0), "mask"),
    "leaky other slope": (LEAKY, "x", lambda g, dy, x: np.where(x > 0, dy, 0.3 * dy), "mask"),
    "elu y for y + 1": (ELU, "x", lambda g, dy, x: g - dy * (x < 0), "mask"),
    "silu lacks a term": (SILU, "x", lambda g, dy, x: dy * sigmoid(x), "missing term"),
    "hinge no mask": (HINGE, "x", lambda g, dy, x: -dy, "mask"),
    "clip no mask": (CLIP, "x", lambda g, dy, x: dy, "mask"),
    "dropout no mask": (DROPOUT, "x", lambda g, dy, x: dy, "mask missing factor"),
    "dropout no scale": (DROPOUT, "x", lambda g, dy, x: 0.6 * g, "factor"),
    "dropout scale twice": (DROPOUT, "x", lambda g, dy, x: g / 0.6, "factor"),
    "slope of all": (
        (slope, slope_backward, ((8, 5), (5,))),
        "a",
        lambda g, dy, x, a: (dy * x).sum(0),
        "mask",
    ),
    # normalisation and softmax
    "layernorm no mean": (
        LAYER,
        "x",
        wrong_norm(1, lambda q, h, r, *a: r * (q - h * mean(q * h, 1))),
        "mean term",
    ),
    "layernorm no variance": (
        LAYER,
        "x",
        wrong_norm(1, lambda q, h, r, *a: r * (q - mean(q, 1))),
        "mean term",
    ),
    "batchnorm no mean": (
        BATCH,
        "x",
        wrong_norm(0, lambda q, h, r, *a: r * (q - h * mean(q * h, 0))),
        "mean term",
    ),
    "batchnorm no variance": (
        BATCH,
        "x",
        wrong_norm(0, lambda q, h, r, *a: r * (q - mean(q, 0))),
        "mean term",
    ),
    "batchnorm of constants": (BATCH, "x", wrong_norm(0, lambda q, h, r, *a: r * q), "mean term"),
    "batchnorm no gamma": (
        BATCH,
        "x",
        wrong_norm(0, lambda q, h, r, g, dy: jacobian(dy, h, r, 0)),
        "missing factor",
    ),
    "batchnorm no spread": (
        BATCH,
        "x",
        wrong_norm(0, lambda q, h, r, *a: jacobian(q, h, 1 + 0 * r, 0)),
        "missing factor",
    ),
    "batchnorm eps": (BATCH, "x", wrong_norm(0, eps_elsewhere), "eps"),
    "batchnorm sum for mean": (
        BATCH,
        "x",
        wrong_norm(0, lambda q, h, r, *a: r * (q - q.sum(0) - h * mean(q * h, 0))),
        "mean term",
    ),
    "dgamma of x": (BATCH, "gamma", lambda g, dy, x, *a: (dy * x).sum(0), "missing factor"),
    "dgamma lacks x": (BATCH, "gamma", lambda g, dy, *a: dy.sum(0), "missing factor"),
    "softmax diagonal": (
        SOFTMAX,
        "x",
        lambda g, dy, x: dy * softmax(x) * (1 - softmax(x)),
        "mean term",
    ),
    "softmax no sum": (SOFTMAX, "x", lambda g, dy, x: dy * softmax(x), "mean term"),
    # losses: labels are integers
    "cross entropy without N": (
        (cross_entropy, cross_entropy_backward, ((6, 5), "labels")),
        "x",
        lambda g, *a: 6 * g,
        "factor",
    ),
    "cross entropy without labels": (
        (cross_entropy, cross_entropy_backward, ((6, 5), "labels")),
        "x",
        lambda g, dy, x, t: softmax(x) * dy / 6,
        "missing term mask",
    ),
    "cross entropy without softmax": (
        (cross_entropy, cross_entropy_backward, ((6, 5), "labels")),
        "x",
        lambda g, dy, x, t: -one_hot(t, 5) * dy / 6,
        "missing term",
    ),
    # distributions
    "kl lacks 1/2": (KL, "log_var", lambda g, *a: 2 * g, "factor"),
    "kl lacks -1": (
        KL,
        "log_var",
        lambda g, dy, mu, v: 0.5 * dy[:, None] * np.exp(v),
        "missing term",
    ),
    "kl exp(v / 2)": (
        KL,
        "log_var",
        lambda g, dy, mu, v: 0.5 * dy[:, None] * (np.exp(v / 2) - 1),
        "missing term missing factor",
    ),
    "kl of mu": (
        KL,
        "mu",
        lambda g, dy, mu, v: dy[:, None] * mu * np.exp(v),
        "missing factor",
    ),
    "likelihood lacks a square": (
        LIKELIHOOD,
        "log_var",
        lambda g, dy, *a: 0 * g - 0.5 * dy[:, None],
        "missing term",
    ),
    "likelihood 1/4": (
        LIKELIHOOD,
        "log_var",
        lambda g, dy, x, mu, v: g + 0.25 * dy[:, None],
        "missing term",
    ),
    "likelihood lacks a variance": (
        LIKELIHOOD,
        "mu",
        lambda g, dy, x, mu, v: dy[:, None] * (x - mu),
        "missing factor",
    ),
    "draw lacks sigma": (
        DRAW,
        "log_var",
        lambda g, dy, mu, v: g * np.exp(-v / 2),
        "missing factor",
    ),
    "draw of z": (
        DRAW,
        "log_var",
        lambda g, dy, mu, v: 0.5 * dy * draw(mu, v),
        "missing term missing factor",
    ),
    # places
    "one entry": (TANH, "x", at_one, "few entries"),
    "last rows": (TANH, "x", without_last_rows, "last rows"),
    "border": (TANH, "x", border, "border"),
    "maxout to all": (
        (maxout, maxout_backward, ((4, 3, 5),)),
        "x",
        lambda g, dy, x: np.broadcast_to(dy[..., None], x.shape),
        "mask",
    ),
}
CASES["axis of db"] = (
    (dense, dense_backward, ((5, 5), (5, 5), (5,))),
    "b",
    lambda g, dy, *a: dy.sum(1),
    "axis",
)


def posed(case, seed):
    """A pair, the block, its entries and dy."""
    base, block, wrong, _ = case
    rng = np.random.default_rng(seed)
    args = [
        rng.integers(5, size=6) if shape == "labels" else signed(rng, *shape) for shape in base[2]
    ]
    dy = signed(rng, *np.shape(base[0](*args)))
    right = base[1](dy, *args)[block]
    came = wrong(right, dy, *args)
    pair = VJPPair(base[0], lambda dy, *args: (came,), tuple(args))
    return pair, block, entries_of(came, right), [dy]


def entries_of(analytic, numeric, noise=1e-12):
    analytic, numeric = np.broadcast_arrays(analytic, numeric)
    bar = noise * (abs(numeric.ravel()) + abs(numeric).max(initial=0))
    return EntryMap(
        numeric.shape,
        np.arange(numeric.size),
        np.array(analytic, float).ravel(),
        np.array(numeric, float).ravel(),
        bar,
        complete=True,
    )


@pytest.mark.parametrize("name", CASES)
def test_the_first_hint_names_the_cause(name):
    for seed in range(3):
        pair, block, entries, dy = posed(CASES[name], seed)
        hints = hints_for(pair, block, entries, dy, [])
        assert hints[0].cause in CASES[name][3].split() or any(
            hints[0].cause == one for one in _phrases(CASES[name][3])
        ), [(one.cause, one.text) for one in hints]
