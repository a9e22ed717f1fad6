"""Every contract: code that keeps it passes, code that breaks it fails, right code never fails.

The pairs are written out here, each wrong in one way that no derivative at one point would show.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_cases import layers

import scratchgen as sg
from scratchgen.gradcheck.contracts.comparing import distance, percent, share_memory
from scratchgen.gradcheck.contracts.every_contract import check_contracts
from scratchgen.gradcheck.contracts.reference import Reference
from scratchgen.gradcheck.library.subjects import pairs_of
from scratchgen.gradcheck.pairs.budget import Budget
from scratchgen.gradcheck.pairs.function_pairs import CachedPair, VJPPair
from scratchgen.gradcheck.results import FAIL, INCONCLUSIVE, NOTE, PASS

RNG = np.random.default_rng(7)
X, W, B = RNG.uniform(0.2, 1.5, (4, 5)), RNG.uniform(-1, 1, (5, 3)), RNG.uniform(-1, 1, 3)
X[0, :2] *= -1


def dense(x, w, b):
    return x @ w + b


def dense_vjp(dy, x, w, b):
    return dy @ w.T, x.T @ dy, dy.sum(axis=0)


def findings_of(pair, seed=0):
    """Findings by contract: the worst verdict, and all texts."""
    found = {}
    for finding in check_contracts(pair, np.random.default_rng(seed)):
        verdict, text = found.get(finding.contract, (NOTE, ""))
        found[finding.contract] = (
            finding.verdict if finding.verdict != NOTE else verdict,
            text + finding.text,
        )
    return found


def failures(pair, seed=0):
    return {
        name: text for name, (verdict, text) in findings_of(pair, seed).items() if verdict == FAIL
    }


def test_a_dense_layer_keeps_every_contract():
    pair = VJPPair(dense, dense_vjp, (X, W, B))
    pair.declare_batch(0)
    found = findings_of(pair)
    assert {name: verdict for name, (verdict, _) in found.items()} == dict.fromkeys(
        ["linear", "stale", "layout", "extremes", "batch"], PASS
    )


NOT_LINEAR = {
    "abs": np.abs,
    "square": np.square,
    "relu": lambda dy: np.maximum(dy, 0),
    "clip": lambda dy: np.clip(dy, -2, 2),
    "clip of what is far beyond any dy here": lambda dy: np.clip(dy, -100, 100),
    "dead zone": lambda dy: np.where(abs(dy) < 0.01, 0, dy),
    "a hundred-millionth of abs": lambda dy: dy + 1e-8 * abs(dy),
    "a little abs, in float32": lambda dy: (dy + 1e-4 * abs(dy)).astype("f4").astype(float),
    "sign": np.sign,
    "plus a little": lambda dy: dy + 1e-6,
    "largest only": lambda dy: np.where(abs(dy) == abs(dy).max(), dy, 0),
    "by its length": lambda dy: dy / np.linalg.norm(dy),
    "ignored": lambda dy: np.ones_like(dy),
}


@pytest.mark.parametrize("name", NOT_LINEAR)
def test_a_backward_that_is_not_linear_in_dy_fails(name):
    def vjp(dy, x, w, b):
        return dense_vjp(NOT_LINEAR[name](dy), x, w, b)

    assert list(failures(VJPPair(dense, vjp, (X, W, B)))) == ["linear"]


def test_a_gradient_that_would_overflow_for_a_larger_dy_is_linear():
    pair = VJPPair(lambda x: 1e297 * np.tanh(x), lambda dy, x: 1e297 * dy / np.cosh(x) ** 2, (X,))
    assert failures(pair) == {}


def test_a_backward_that_is_not_linear_in_a_few_entries_fails():
    def vjp(dy, x):
        dx = 2 * x * dy
        dx[3, 2] = abs(dx[3, 2])
        return dx

    found = failures(VJPPair(lambda x: x**2, vjp, (X,)))
    assert "backward(-dy) is not -backward(dy)" in found["linear"]


def test_float32_inside_breaks_neither_linearity_nor_layout():
    def f(x, w, b):
        return dense(x.astype(np.float32), w.astype(np.float32), b)

    def vjp(dy, x, w, b):
        return dense_vjp(dy.astype(np.float32), x.astype(np.float32), w.astype(np.float32), b)

    pair = VJPPair(f, vjp, (X, W, B))
    pair.declare_batch(0)
    for seed in range(20):
        assert failures(pair, seed) == {}


@pytest.mark.parametrize(("size", "names"), [(0, []), (1e-4, ["linear"])])
def test_a_backward_that_cancels_may_differ_by_its_rounding_but_not_by_ten_thousand_times_that(
    size, names
):
    def vjp(dy, x):
        d = dy + size * abs(dy)
        return d * ((2 + 1e8) * x - 1e8 * x)

    for seed in range(3):
        assert list(failures(VJPPair(lambda x: x**2, vjp, (X,)), seed)) == names


def test_a_zero_gradient_may_be_rounding_of_the_largest_gradient():
    pair = VJPPair(lambda x, b: 1 * x, lambda dy, x, b: (1 * dy, 0 * b), (X, B))
    reference = Reference(pair, np.random.default_rng(0))
    g = reference.gradients
    top = abs(g["x"]).max()
    assert reference.largest_gap({**g, "b": g["b"] + 0.5e-13 * top}) is None
    assert reference.largest_gap({**g, "b": g["b"] + 2e-13 * top})[0] == "b"


def test_rounding_is_measured_more_than_once():
    """The gradient is 0 an ulp below 1; in one of four cases, no neighbour of two is below."""
    pair = VJPPair(lambda x: x**2 / 2, lambda dy, x: dy * np.floor(x), (np.ones(1),))
    for seed in range(20):
        reference = Reference(pair, np.random.default_rng(seed))
        assert reference.largest_gap({"x": np.zeros(1)}, rounding="scaled") is None


def test_a_bias_before_a_batch_norm_whose_gradient_is_rounding_dust_passes():
    layer = sg.nn.Network((5,), sg.nn.Dense(5, 4), sg.nn.BatchNorm(4), sg.nn.Tanh())
    for seed in range(10):
        for _, pair in pairs_of(layer, (6, 5), seed=seed):
            assert failures(pair, seed) == {}


# State


def test_a_cache_shared_by_all_passes_fails():
    cache = {}

    def forward(x, w, b):
        cache["x"], cache["w"] = x, w
        return dense(x, w, b), None

    def backward(dy, _):
        return dense_vjp(dy, cache["x"], cache["w"], None)

    found = failures(CachedPair(forward, backward, (X, W, B)))
    assert list(found) == ["stale"]
    assert "after another forward pass" in found["stale"]


def test_a_buffer_that_is_added_to_and_never_cleared_fails_with_that_cause():
    total = np.zeros(W.shape)

    def vjp(dy, x, w, b):
        dx, dw, db = dense_vjp(dy, x, w, b)
        np.add(total, dw, out=total)
        return dx, total, db

    found = failures(VJPPair(dense, vjp, (X, W, B)))
    assert "add up from call to call" in found["stale"]


def test_a_cache_shared_by_all_passes_fails_for_a_difference_of_1e_8():
    last = {}

    def forward(x):
        last["x"] = x
        return np.sin(x)

    pair = VJPPair(forward, lambda dy, x: dy * (np.cos(x) + 1e-8 * last["x"]), (X,))
    assert list(failures(pair)) == ["stale"]


def test_a_batch_size_that_is_shared_by_all_passes_fails():
    last = {}

    def mean(x):
        last["n"] = len(x)
        return x.sum(axis=0) / len(x)

    pair = VJPPair(mean, lambda dy, x: np.tile(dy / last["n"], (len(x), 1)), (X,))
    pair.declare_batch(0)
    assert list(failures(pair)) == ["stale"]


def test_a_backward_that_spoils_its_cache_fails():
    def forward(x):
        y = np.tanh(x)
        return y.copy(), y

    def backward(dy, y):
        np.multiply(y, y, out=y)
        return dy * (1 - y)

    found = failures(CachedPair(forward, backward, (X,)))
    assert "a second time" in found["stale"]


def test_a_cache_that_can_be_read_only_once_is_noted():
    def backward(dy, cache):
        return 2 * cache.pop() * dy

    found = findings_of(CachedPair(lambda x: (x**2, [x]), backward, (X,)))
    assert found["stale"][0] == PASS
    assert "pop from empty list" in found["stale"][1]


def test_a_backward_with_new_random_numbers_fails():
    rng = np.random.default_rng(0)

    def forward(x):
        noise = rng.normal(size=x.shape)
        return x * noise, None

    def backward(dy, _):
        return dy * rng.normal(size=dy.shape)

    assert "stale" in failures(CachedPair(forward, backward, (X,)))


def test_a_buffer_for_the_largest_batch_that_keeps_old_rows_fails():
    buffer = np.zeros((10, 5))

    def forward(x):
        buffer[: len(x)] = np.tanh(x)
        return buffer[: len(x)].copy(), len(x)

    def backward(dy, n):
        return dy * (1 - buffer[:n] ** 2)

    pair = CachedPair(forward, backward, (X,))
    pair.declare_batch(0)
    assert "stale" in failures(pair)


# Memory


@pytest.mark.parametrize("order", ["K", "A"])
def test_a_backward_that_reads_dy_in_memory_order_fails(order):
    def vjp(dy, x):
        return (dy.ravel(order=order) * np.cos(x).ravel(order="C")).reshape(x.shape)

    found = failures(VJPPair(np.sin, vjp, (X,)))
    assert list(found) == ["layout"]
    assert "with dy in Fortran order" in found["layout"]


def test_a_forward_that_reads_its_memory_in_the_wrong_order_fails():
    def f(x):
        return np.arange(x.size) * x.ravel(order="K")

    def vjp(dy, x):
        return (np.arange(x.size) * dy).reshape(x.shape)

    found = failures(VJPPair(f, vjp, (X,)))
    assert "with arguments in Fortran order: y" in found["layout"]


def test_a_backward_that_raises_for_strided_memory_fails_with_its_line():
    def vjp(dy, x):
        if not dy.flags.c_contiguous:
            raise ValueError("wants C order")
        return dy * np.cos(x)

    found = failures(VJPPair(np.sin, vjp, (X,)))
    assert "wants C order" in found["layout"]
    assert "test_contracts.py" in found["layout"]


def test_three_axes_in_an_order_that_is_neither_c_nor_fortran_fail_too():
    def vjp(dy, x):
        if dy.strides[-1] > dy.strides[0] > dy.strides[1]:
            return 0 * x
        return dy * np.cos(x)

    x = RNG.uniform(0, 1, (2, 3, 4))
    assert list(failures(VJPPair(np.sin, vjp, (x,)))) == ["layout"]


def test_a_backward_that_ignores_negative_strides_fails():
    def vjp(dy, x):
        if min(dy.strides) < 0:
            raise ValueError("negative strides are not supported")
        return dy * np.cos(x)

    assert "negative strides" in failures(VJPPair(np.sin, vjp, (X,)))["layout"]


def test_a_broadcast_dy_that_is_taken_for_a_whole_array_fails():
    def vjp(dy, x):
        return (2.0 if dy.strides == (0, 0) else 1.0) * dy * np.cos(x)

    assert "strides 0" in failures(VJPPair(np.sin, vjp, (X,)))["layout"]


# Extremes


def sigmoid(x):
    return 0.5 * (1 + np.tanh(x / 2))


def log_softmax(x):
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


NAN_AT_EXTREMES = {
    "a logistic slope of two overflows": (
        sigmoid,
        lambda dy, x: dy * np.exp(-x) / (1 + np.exp(-x)) ** 2,
    ),
    "a softplus slope of two overflows": (
        lambda x: np.logaddexp(0, x),
        lambda dy, x: dy * np.exp(x) / (1 + np.exp(x)),
    ),
    "a softmax without its shift": (
        log_softmax,
        lambda dy, x: dy - np.exp(x) / np.exp(x).sum(-1, keepdims=True) * dy.sum(-1, keepdims=True),
    ),
    "a square as y / x": (lambda x: x**2, lambda dy, x: dy * 2 * (x**2) / x),
}


@pytest.mark.parametrize("name", NAN_AT_EXTREMES)
def test_a_gradient_that_is_nan_where_the_derivative_is_finite_fails(name):
    f, vjp = NAN_AT_EXTREMES[name]
    found = failures(VJPPair(f, vjp, (X,)))
    assert list(found) == ["extremes"]
    assert "nan" in found["extremes"]


def test_a_backward_that_raises_at_an_extreme_where_forward_does_not_fails():
    import math

    def vjp(dy, x):
        slopes = [math.exp(-t) / (1 + math.exp(-t)) ** 2 for t in x.ravel()]
        return dy * np.reshape(slopes, x.shape)

    assert "OverflowError" in failures(VJPPair(sigmoid, vjp, (X,)))["extremes"]


def test_a_parameter_at_an_extreme_counts_as_well():
    def f(x, log_scale):
        return x * sigmoid(log_scale)

    def vjp(dy, x, log_scale):
        e = np.exp(-log_scale)
        return dy * sigmoid(log_scale), (dy * x).sum() * e / (1 + e) ** 2

    assert "log_scale at -800" in failures(VJPPair(f, vjp, (X, 0.3)))["extremes"]


def norm(x):
    return np.sqrt((x**2).sum(axis=-1))


A = np.diag([0.0, 1.0, 1.0, 1.0, 1.0])
INFINITE = {
    "a root": (np.sqrt, lambda dy, x: dy / (2 * np.sqrt(x)), (abs(X),)),
    "a cube root": (np.cbrt, lambda dy, x: dy / (3 * np.cbrt(x) ** 2), (X,)),
    "a logarithm": (np.log, lambda dy, x: dy / x, (abs(X),)),
    "a norm": (norm, lambda dy, x: x * (dy / norm(x))[:, None], (X,)),
    "a size": (np.abs, lambda dy, x: dy * x / abs(x), (X,)),
    "x log x": (
        lambda x: np.where(x == 0, 0, x * np.log(abs(x))),
        lambda dy, x: dy * (np.log(abs(x)) + 1),
        (X,),
    ),
    "a direction": (
        lambda x: x / norm(x)[:, None],
        lambda dy, x: (
            (dy - x * (dy * x).sum(-1, keepdims=True) / norm(x)[:, None] ** 2) / norm(x)[:, None]
        ),
        (X,),
    ),
    "a norm behind a matrix": (
        lambda x, w: norm(x @ w),
        lambda dy, x, w: (
            (x @ w * (dy / norm(x @ w))[:, None]) @ w.T,
            x.T @ (x @ w * (dy / norm(x @ w))[:, None]),
        ),
        (X, W),
    ),
    "a quotient": (
        lambda x, w: x / w,
        lambda dy, x, w: (dy / w, -(dy * x).sum(0) / w**2),
        (X, X[0].copy()),
    ),
    "a spread without eps": (
        lambda x: x.std(axis=0),
        lambda dy, x: dy * (x - x.mean(axis=0)) / (len(x) * x.std(axis=0)),
        (X,),
    ),
}


@pytest.mark.parametrize("name", INFINITE)
def test_where_the_derivative_itself_is_not_finite_nothing_fails(name):
    f, vjp, args = INFINITE[name]
    for seed in range(5):
        assert failures(VJPPair(f, vjp, args), seed) == {}


def test_a_softmax_that_subtracts_the_minimum_is_nan_only_at_mixed_extremes():
    def f(x):
        return np.log(np.exp(x - x.max()).sum()) + x.max()

    def vjp(dy, x):
        e = np.exp(x - x.min())
        return dy * e / e.sum()

    assert "in some places" in failures(VJPPair(f, vjp, (X,)))["extremes"]


def test_extremes_are_not_judged_beyond_1e100_or_below_rounding():
    power = lambda dy, x: dy * 60 * (x**59 * (x**60 + 1)) / (x**60 + 1)  # noqa: E731
    assert findings_of(VJPPair(lambda x: x**60, power, (X,)))["extremes"] == (PASS, "")
    root = lambda dy, x: dy * 0.5 * np.sign(x) / np.sqrt(abs(x))  # noqa: E731
    assert failures(VJPPair(lambda x: np.sqrt(abs(x)) + 1e12, root, (X,))) == {}


def test_an_infinite_derivative_is_noted():
    f, vjp, args = INFINITE["a root"]
    assert "no finite derivative" in findings_of(VJPPair(f, vjp, args))["extremes"][1]


# Batches


def test_a_layer_that_mixes_examples_fails_if_it_declared_otherwise():
    def f(x):
        return x - x.mean(axis=0)

    def vjp(dy, x):
        return dy - dy.mean(axis=0)

    pair = VJPPair(f, vjp, (X,))
    assert failures(pair) == {}
    pair.declare_batch(0)
    assert "split" in failures(pair)["batch"]


def test_a_backward_that_treats_the_first_place_specially_fails():
    def vjp(dy, x, w, b):
        dx, dw, db = dense_vjp(dy, x, w, b)
        dx[0] *= 1.001
        return dx, dw, db

    pair = VJPPair(dense, vjp, (X, W, B))
    pair.declare_batch(0)
    assert "dx is not the same" in failures(pair)["batch"]


def test_a_mean_over_the_batch_in_one_gradient_fails():
    def vjp(dy, x, w, b):
        return dy @ w.T, x.T @ dy, dy.mean(axis=0)

    pair = VJPPair(dense, vjp, (X, W, B))
    pair.declare_batch(0)
    assert "db does not add up" in failures(pair)["batch"]


def cross_entropy(logits, labels):
    return -log_softmax(logits)[np.arange(len(logits)), labels]


def cross_entropy_vjp(dy, logits, labels):
    p = np.exp(log_softmax(logits))
    p[np.arange(len(logits)), labels] -= 1
    return dy[:, None] * p, None


def test_labels_move_with_their_examples():
    pair = VJPPair(cross_entropy, cross_entropy_vjp, (X, np.array([0, 3, 1, 1])))
    pair.declare_batch(0)
    assert findings_of(pair)["batch"] == (PASS, "")


def test_an_argument_with_as_many_rows_by_chance_does_not_move_with_them():
    w = RNG.uniform(-1, 1, (5, 5))
    pair = VJPPair(dense, dense_vjp, (RNG.uniform(-1, 1, (5, 5)), w, w[0]))
    pair.declare_batch(0)
    assert findings_of(pair)["batch"] == (PASS, "")


def test_a_second_input_moves_with_the_first():
    pair = VJPPair(lambda a, b: a * b, lambda dy, a, b: (dy * b, dy * a), (X, X[::-1].copy()))
    pair.declare_batch(0)
    assert findings_of(pair)["batch"] == (PASS, "")


def test_two_of_three_possible_arguments_move_with_the_examples():
    w = RNG.uniform(-1, 1, (4, 4))
    x, y, z = RNG.uniform(0.2, 1.5, (3, 4, 4))

    def vjp(dy, x, y, z, w):
        d = dy @ w.T
        return d * y * z, d * x * z, d * x * y, (x * y * z).T @ dy

    pair = VJPPair(lambda x, y, z, w: (x * y * z) @ w, vjp, (x, y, z, w))
    pair.declare_batch(0)
    assert failures(pair) == {}


def test_an_output_without_examples_is_noted():
    pair = VJPPair(lambda x: x.sum(), lambda dy, x: dy + 0 * x, (X,))
    pair.declare_batch(0)
    found = findings_of(pair)["batch"]
    assert found[0] == NOTE
    assert "no axis 0" in found[1]


def test_batch_laws_are_not_tested_for_a_random_mask_per_place_in_the_batch():
    rng = np.random.default_rng(3)

    def forward(x):
        mask = rng.random(x.shape) < 0.5
        return x * mask, mask

    pair = CachedPair(forward, lambda dy, mask: dy * mask, (X,))
    pair.declare_batch(0)
    assert "batch" not in findings_of(pair)


# All together


def test_batch_laws_are_not_tested_for_a_mask_from_the_global_generator():
    def masked(x):
        return x * (np.random.rand(*x.shape) < 0.5)  # noqa: NPY002

    pair = VJPPair(masked, lambda dy, x: masked(dy), (X,))
    pair.declare_batch(0)
    pair.frozen.freeze_shared()
    assert failures(pair) == {}


def test_contracts_take_a_third_of_the_budget_and_name_those_not_tested():
    """The clock advances by a second with each forward pass."""
    clock = [0.0]

    def f(x):
        clock[0] += 1
        return np.sin(x)

    pair = VJPPair(f, lambda dy, x: dy * np.cos(x), (X,))
    pair.budget = budget = Budget(60, lambda: clock[0])
    found = check_contracts(pair, np.random.default_rng(0))
    assert [finding.contract for finding in found][:2] == ["stale", "linear"]
    assert (found[-1].contract, found[-1].verdict) == ("budget", INCONCLUSIVE)
    assert found[-1].text.endswith("extremes")
    assert pair.budget is budget
    assert budget.spent() == 21  # a third, with the pass that was running


@given(layers, st.integers(0, 2**32), st.sampled_from([1e-3, 1.0, 1e3]))
def test_no_layer_of_ours_breaks_a_contract(case, seed, scale):
    layer, shape = case
    x = np.random.default_rng(seed).normal(size=(3, *shape)) * scale
    for label, pair in pairs_of(layer, x, seed=seed):
        assert failures(pair, seed) == {}, label


def valid_pair(seed):
    """A correct pair of a random family at a random point."""
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 6, 2)
    scale = 10.0 ** rng.integers(-3, 4)
    x, w = scale * rng.normal(size=(n, m)), rng.normal(size=(m, 3))
    families = [
        (lambda x, w: np.tanh(x @ w), lambda dy, x, w: tanh_vjp(dy, x, w), (x, w)),
        (lambda x: (x**2).sum() + 1e9, lambda dy, x: 2 * x * dy, (x,)),
        (log_softmax, log_softmax_vjp, (x,)),
        (lambda x: np.maximum(x, 0), lambda dy, x: dy * (x > 0), (x,)),
        (norm, INFINITE["a norm"][1], (x,)),
        (lambda x: x - x.mean(), lambda dy, x: dy - dy.mean(), (x + 1e6,)),
        (
            lambda x, w: np.float32(x) @ np.float32(w),
            lambda dy, x, w: (np.float32(dy) @ w.T, x.T @ np.float32(dy)),
            (x, w),
        ),
        (np.sort, lambda dy, x: np.take_along_axis(dy, np.argsort(np.argsort(x)), -1), (x,)),
    ]
    return VJPPair(*families[seed % len(families)])


def tanh_vjp(dy, x, w):
    d = dy * (1 - np.tanh(x @ w) ** 2)
    return d @ w.T, x.T @ d


def log_softmax_vjp(dy, x):
    return dy - np.exp(log_softmax(x)) * dy.sum(axis=-1, keepdims=True)


def test_no_correct_pair_of_300_breaks_a_contract():
    for seed in range(300):
        assert failures(valid_pair(seed), seed) == {}, seed


def test_all_contracts_of_a_small_layer_take_few_passes():
    ((_, pair),) = pairs_of(sg.nn.Dense(5, 3), (4, 5))
    before = pair.forward_calls
    check_contracts(pair, np.random.default_rng(0))
    assert pair.forward_calls - before <= 60


def test_distances_and_shared_memory_are_found_for_any_arrays():
    assert distance([np.zeros(2)], [np.zeros(3)]) == np.inf
    assert distance([np.array([np.nan])], [np.array([np.nan])]) == 0
    assert distance([np.array([1.0])], [np.array([np.nan])]) == np.inf
    assert percent(0.0) == "0.0e+00"
    assert share_memory(X, X[1:])
    assert not share_memory(X[::2], X[1::2])


@settings(max_examples=10)
@given(st.integers(0, 2**32))
def test_models_keep_the_contracts_of_an_objective(seed):
    for _, pair in pairs_of(sg.models.vae((3,), latent=2, hidden=(4,), rng=seed), (4, 3)):
        assert failures(pair, seed) == {}
