"""Hints name the cause of each of many wrong backward passes, whatever the numbers."""

import sys

import numpy as np
import pytest

from scratchgen.gradcheck.engine import examine
from scratchgen.gradcheck.hints.naming import CAUSES, hints_for, point_to_known
from scratchgen.gradcheck.pairs.function_pairs import VJPPair
from scratchgen.gradcheck.results import FAIL, PASS, BlockResult, EntryMap, Finding, Hint

EPS = 1e-5


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def softmax(v):
    power = np.exp(v - v.max(axis=-1, keepdims=True))
    return power / power.sum(axis=-1, keepdims=True)


def signed(rng, *shape):
    return rng.uniform(0.1, 1.5, shape) * rng.choice([-1.0, 1.0], shape)


# Right passes: name -> (f, gradients by name, arguments from rng).


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
    """The right backward pass, with some gradients replaced by functions of it and of its input."""

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
    "cut to float32": (CUBE, "x", lambda g, *a: g.astype("f4").astype(float), "dtype"),
    "nan": (CUBE, "x", lambda g, *a: np.where(g > 1, np.nan, g), "not finite"),
    # terms and factors of dense layers
    "no activation": (TANH_DENSE, "b", lambda g, dy, *a: dy.sum(0), "missing factor"),
    "no activation, w": (TANH_DENSE, "w", lambda g, dy, x, *a: x.T @ dy, "missing factor"),
    "weight decay in": (DENSE_CASE, "w", lambda g, dy, x, w, b: g + 0.01 * w, "missing term"),
    "axis of db": ((*D, ((5, 5), (5, 5), (5,))), "b", lambda g, dy, *a: dy.sum(1), "axis"),
    "db of all": (DENSE_CASE, "b", lambda g, dy, *a: 0 * g + dy.sum(), "axis"),
    # activations
    "sigmoid lacks 1 - y": (SIGMOID, "x", lambda g, dy, x: dy * sigmoid(x), "missing factor"),
    "sigmoid lacks y": (SIGMOID, "x", lambda g, dy, x: dy * sigmoid(-x), "missing factor"),
    "sigmoid lacks dy": (SIGMOID, "x", lambda g, dy, x: g / dy, "missing factor"),
    "tanh of x": (TANH, "x", lambda g, dy, x: dy * (1 - x**2), "missing factor, missing term"),
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
    "dropout no mask": (DROPOUT, "x", lambda g, dy, x: dy, "mask, missing factor"),
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
        "missing term, mask",
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
        "missing term, missing factor",
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
        "missing term, missing factor",
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


def first(case, seed):
    pair, block, entries, dy = posed(case, seed)
    return hints_for(pair, block, entries, dy, [])[0]


@pytest.mark.parametrize("name", CASES)
def test_the_first_hint_names_the_cause(name):
    causes = CASES[name][3].split(", ")
    hints = [first(CASES[name], seed) for seed in range(3)]
    assert all(hint.cause in causes for hint in hints), hints


def test_every_expected_cause_is_one_of_the_documented_causes():
    assert {cause for *_, causes in CASES.values() for cause in causes.split(", ")} <= set(CAUSES)


def noise_at_all(right, *_):
    return right + signed(np.random.default_rng(right.size), *right.shape)


@pytest.mark.parametrize("base", [TANH, CUBE, BATCH, LIKELIHOOD, KL])
@pytest.mark.parametrize("seed", range(4))
def test_an_error_without_a_shape_gets_no_cause(base, seed):
    block = {BATCH: "x", LIKELIHOOD: "mu", KL: "mu"}.get(base, "x")
    hint = first((base, block, noise_at_all, ""), seed)
    assert hint.cause in ("unknown", "formula")


def test_an_error_without_a_shape_is_counted_and_placed():
    pair, block, entries, dy = posed((BATCH, "x", noise_at_all, ""), 0)
    text = hints_for(pair, block, entries, dy, [])[0].text
    worst = np.argmax(abs(entries.analytic - entries.numeric))
    place = [int(i) for i in np.unravel_index(worst, entries.shape)]
    assert f"{entries.wrong.sum()} of {entries.index.size} entries" in text
    assert str(place) in text


def test_a_hint_gives_the_formula_of_the_right_gradient_if_only_that_is_known():
    hint = first((TANH, "x", noise_at_all, ""), 0)
    assert hint.cause == "formula"
    assert "should be dy * (1 - y^2)" in hint.text


TEXTS = {
    "twice": "exactly twice",
    "divided by N again": "6 is the length of axis 0",
    "mean for sum": "6 is the length of axis 0 of dy",
    "transpose removed": "it is dy @ w, and should be dy @ w^T",
    "no activation": "should be sum over axis 0 of dy * (1 - y^2)",
    "relu no mask": "where x < 0",
    "relu shifted": "0 < x < 0.5",
    "hinge no mask": "where y == 0",
    "clip no mask": "where x != y",
    "one entry": "[2, 3]",
    "last rows": "the last 2 indices of axis 0",
    "batchnorm no gamma": "gamma",
    "batchnorm no spread": "std(x)",
    "batchnorm no mean": "constant over axis 0",
    "kl of mu": "lacks the factor exp(-log_var)",
    "draw lacks sigma": "exp(log_var / 2)",
    "cross entropy without labels": "one_hot(t)",
    "likelihood 1/4": "1/4 * dy too many",
    "weight decay in": "0.01 * w",
    "axis of db": "sum over axis 1 of dy, and should be sum over axis 0 of dy",
    "dgamma of x": "it is sum over axis 0 of dy * x",
}


@pytest.mark.parametrize("name", TEXTS)
def test_the_text_of_a_hint_describes_the_mistake(name):
    assert TEXTS[name] in first(CASES[name], 1).text


@pytest.mark.parametrize("name", ["sign", "relu no mask", "kl lacks -1", "layernorm no mean"])
@pytest.mark.parametrize("noise", [1e-9, 1e-6])
def test_measured_numbers_with_errors_get_the_same_hint(name, noise):
    pair, block, entries, dy = posed(CASES[name], 1)
    rng = np.random.default_rng(2)
    size = noise * abs(entries.numeric).max()
    numeric = entries.numeric + size * rng.uniform(-1, 1, entries.numeric.shape)
    bar = np.full(entries.bar.shape, size)
    blurred = EntryMap(entries.shape, entries.index, entries.analytic, numeric, bar, True)
    assert hints_for(pair, block, blurred, dy, [])[0].cause == CASES[name][3]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("left", ["wrong", "half", "one"])
def test_a_part_of_the_entries_is_enough_for_a_hint(name, left):
    pair, block, entries, dy = posed(CASES[name], 0)
    rows = {
        "wrong": np.flatnonzero(entries.wrong),
        "half": np.arange(0, entries.index.size, 2),
        "one": np.array([0]),
    }[left]
    parts = [
        values[rows] for values in (entries.index, entries.analytic, entries.numeric, entries.bar)
    ]
    hints = hints_for(pair, block, EntryMap(entries.shape, *parts, complete=False), dy, [])
    assert 1 <= len(hints) <= 4
    assert all(hint.cause in CAUSES and hint.text for hint in hints)


def test_wrong_entries_of_a_large_block_are_enough_to_see_a_sign():
    pair, block, entries, dy = posed(CASES["sign"], 0)
    rows = np.array([1, 5, 8, 13])
    parts = [
        values[rows] for values in (entries.index, entries.analytic, entries.numeric, entries.bar)
    ]
    hints = hints_for(pair, block, EntryMap(entries.shape, *parts, complete=False), dy, [])
    assert hints[0].cause == "sign"


# Several outputs, and several blocks that are wrong for the same reason.


def examined(f, vjp, *args):
    """The blocks that fail, by name."""
    case = examine(VJPPair(f, vjp, args), seed=3)
    return {block.name: block for block in case.blocks if block.verdict == FAIL}


W = np.random.default_rng(9).normal(size=(3, 3))  # that the hints do not know


def two_outputs(x, u):
    return np.tanh(x @ W), u * np.sinh(x)


def for_two(of_first=1.0, of_second=np.cosh):
    def vjp(dy, x, u):
        of_y = of_first * (dy[0] * (1 - np.tanh(x @ W) ** 2)) @ W.T
        return of_y + of_second(x) * u * dy[1], np.sinh(x) * dy[1]

    return vjp


def points(*shape):
    rng = np.random.default_rng(4)
    return signed(rng, *shape), signed(rng, *shape)


PARTS = {
    "sign": (for_two(of_first=-1.0), "sign", "in what comes from dy[0]: it has the wrong sign"),
    "twice": (for_two(of_first=2.0), "factor", "in what comes from dy[0]: it is exactly twice"),
    "zero": (for_two(of_first=0.0), "zero", "in what comes from dy[0]: it is 0"),
    "strange": (
        for_two(of_second=lambda x: np.arctan(x) / (1.3 + x**4)),
        "missing factor",
        "in what comes from dy[1]: dy[1] is multiplied by a wrong factor",
    ),
}


@pytest.mark.parametrize("name", PARTS)
def test_a_hint_names_the_output_whose_term_is_wrong(name):
    vjp, cause, text = PARTS[name]
    hint = examined(two_outputs, vjp, *points(4, 3))["x"].hints[0]
    assert hint.cause == cause
    assert text in hint.text


MIX = np.random.default_rng(8).normal(size=(15, 15))


def test_a_hint_names_the_wrong_output_even_without_a_cause():
    x, u = points(5, 3)

    def vjp(dy, x, u):
        wrong = (MIX.T @ dy[1].ravel()).reshape(x.shape)
        return dy[0] / 2 + wrong, dy[1] * 2 * u

    def f(x, u):
        return x / 2, u**2 + np.sin(MIX.T @ x.ravel()).reshape(x.shape)

    hint = examined(f, vjp, x, u)["x"].hints[0]
    assert hint.cause == "missing term"
    assert "dy[1] is wrong, and all else is right" in hint.text


def test_a_hint_names_a_missing_factor_of_dy_before_a_mean():
    rng = np.random.default_rng(1)
    x, gamma, beta = signed(rng, 6, 5), signed(rng, 5), signed(rng, 5)

    def vjp(dy, x, gamma, beta):
        h, r = normalised(x, 1)
        right = layer_norm_backward(dy, x, gamma, beta)
        return jacobian(dy, h, r, 1), right["gamma"], right["beta"]

    hint = examined(layer_norm, vjp, x, gamma, beta)["x"].hints[0]
    assert hint.cause == "missing factor"
    assert "dy lacks the factor gamma" in hint.text


def test_a_mean_over_the_wrong_axis_is_seen_in_the_jacobian():
    rng = np.random.default_rng(1)
    x, gamma, beta = signed(rng, 5, 3), signed(rng, 3), signed(rng, 3)

    def vjp(dy, x, gamma, beta):
        h, r = normalised(x, 0)
        right, q = batch_norm_backward(dy, x, gamma, beta), gamma * dy
        return r * (q - mean(q, 0) - h * mean(q * h, 1)), right["gamma"], right["beta"]

    hint = examined(batch_norm, vjp, x, gamma, beta)["x"].hints[0]
    assert hint.cause == "axis"
    assert "depends on dy at other places along axis 1" in hint.text


def test_a_single_wrong_entry_is_not_called_a_wrong_slope():
    def vjp(dy, x):
        wrong = dy * np.cos(x)
        wrong[2, 1] *= 1.01
        return (wrong,)

    hint = examined(lambda x: np.sin(x), vjp, points(5, 4)[0])["x"].hints[0]
    assert hint.cause == "few entries"


def test_a_pass_that_is_not_linear_gets_that_hint_for_every_block():
    pair, block, entries, dy = posed(CASES["relu no mask"], 0)
    finding = Finding("linear", FAIL, "says linear", block="another")
    assert hints_for(pair, block, entries, dy, [finding])[0].cause == "not linear"


def block_of(name, *causes):
    return BlockResult(name, (2,), FAIL, hints=[Hint(cause, f"of {name}") for cause in causes])


def test_a_block_without_a_cause_points_to_a_block_nearer_to_the_output():
    blocks = [block_of("a", "unknown"), block_of("b", "sign"), block_of("c", "factor", "sign")]
    point_to_known([*blocks, block_of("d", "unknown")])
    assert [block.hints[0].cause for block in blocks] == ["factor", "sign", "factor"]
    assert blocks[0].hints[0].text == "look at c first, which is wrong as well: of c"
    assert blocks[0].hints[1].cause == "unknown"


def test_blocks_after_the_only_known_cause_get_no_pointer():
    blocks = [block_of("a", "sign"), block_of("b", "unknown"), block_of("c")]
    point_to_known(blocks)
    assert [len(block.hints) for block in blocks] == [1, 1, 0]


NUMBERS = {
    "a number": (lambda x: x**2, np.array(0.7), np.array(1.4), np.array(1.3)),
    "one entry": (lambda x: x**2, np.array([0.7]), np.array([1.4]), np.array([-1.4])),
    "zeros": (lambda x: 0 * x, np.zeros((3, 2)), np.zeros((3, 2)), np.ones((3, 2))),
    "nothing": (lambda x: x, np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3))),
    "all equal": (lambda x: 2 * x, np.ones((4, 3)), 2 * np.ones((4, 3)), np.ones((4, 3))),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_blocks_of_any_size_get_a_hint(name):
    f, x, right, wrong = NUMBERS[name]
    pair = VJPPair(lambda x: f(x), lambda dy, x: (wrong,), (x,))
    entries = EntryMap(
        x.shape, np.arange(x.size), wrong.ravel(), right.ravel(), 1e-12 * abs(right.ravel()), True
    )
    hints = hints_for(pair, "x", entries, [np.ones(x.shape)], [])
    expected = {"one entry": "sign", "all equal": "factor"}
    assert hints[0].cause == expected.get(name, hints[0].cause)
    assert hints[0].cause in CAUSES


def test_a_measured_entry_that_is_not_finite_is_left_out():
    pair, block, entries, dy = posed(CASES["sign"], 0)
    entries.numeric[0], entries.bar[1] = np.nan, np.inf
    assert hints_for(pair, block, entries, dy, [])[0].cause == "sign"


def test_a_forward_pass_that_raises_later_still_gets_a_hint():
    pair, block, entries, dy = posed(CASES["sign"], 0)

    def broken(x, w, b):
        raise ValueError("no more")

    pair.f = broken
    assert hints_for(pair, block, entries, dy, [])[0].cause == "sign"


BROKEN = [Finding(name, FAIL, f"says {name}") for name in ("linear", "stale", "pure")]


def test_a_broken_contract_comes_before_a_shape_it_may_have_caused():
    pair, block, entries, dy = posed(CASES["relu no mask"], 0)
    for finding, cause in zip(BROKEN, ("not linear", "stale", "impure"), strict=True):
        hints = hints_for(pair, block, entries, dy, [finding])
        assert [hint.cause for hint in hints[:2]] == [cause, "mask"]
        assert finding.text in hints[0].text


def test_changed_arguments_come_before_their_consequences():
    pair, block, entries, dy = posed(CASES["relu no mask"], 0)
    causes = [hint.cause for hint in hints_for(pair, block, entries, dy, BROKEN)]
    assert causes[:3] == ["impure", "stale", "not linear"]


def test_a_wrong_sign_comes_before_kept_state_which_cannot_cause_it():
    pair, block, entries, dy = posed(CASES["sign"], 0)
    causes = [hint.cause for hint in hints_for(pair, block, entries, dy, BROKEN[1:2])]
    assert causes[:2] == ["sign", "stale"]


def test_passed_contracts_and_contracts_of_other_blocks_give_no_hint():
    pair, block, entries, dy = posed(CASES["sign"], 0)
    findings = [Finding("linear", PASS), Finding("shape", FAIL, "of b", block="b")]
    assert hints_for(pair, block, entries, dy, findings)[0].cause == "sign"


def test_hints_for_a_few_hundred_entries_take_few_calls():
    right = lambda dy, x: dy * (1 - np.tanh(x) ** 2)  # noqa: E731
    base = (lambda x: np.tanh(x)), of_x(right), ((20, 20),)
    pair, block, entries, dy = posed((base, "x", lambda g, dy, x: dy, ""), 0)
    called = []  # all functions, of Python and of NumPy
    sys.setprofile(lambda frame, event, arg: called.append(event))
    try:
        hint = hints_for(pair, block, entries, dy, [])[0]
    finally:
        sys.setprofile(None)
    assert hint.cause == "missing factor"
    assert called.count("call") + called.count("c_call") < 300 * entries.analytic.size
