"""The cross-entropy of labels against its definition, and its gradient."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_cases import passes

import scratchgen as sg
from scratchgen.ground.errors import DataError, KindError, ShapeError
from scratchgen.kernels.formulas import by_formulas, by_loops, compiles, numba_works
from scratchgen.kernels.plans import Plan
from scratchgen.kernels.recording import recording
from scratchgen.kernels.workspaces import Workspace
from scratchgen.losses import cross_entropy

both_ways = pytest.mark.parametrize("way", [by_formulas, by_loops])
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
few = settings(max_examples=max(3, settings().max_examples // 4))
needs_numba = pytest.mark.skipif(
    not compiles() or not numba_works(), reason="numba is not installed, or switched off"
)


def drawn(n, classes, seed=0, dtype="float64"):
    rng = np.random.default_rng(seed)
    return rng.integers(0, classes, n), rng.standard_normal((n, classes)).astype(dtype)


@both_ways
@each_dtype
@pytest.mark.parametrize(("n", "classes"), [(0, 3), (1, 1), (1, 2), (6, 3), (70, 10)])
def test_the_cross_entropy_is_minus_the_log_probability_of_the_label(n, classes, dtype, way):
    labels, logits = drawn(n, classes, dtype=dtype)
    with way():
        value, dlogits = cross_entropy(labels, logits, weight=0.5)
    assert value.shape == (n,)
    assert dlogits.shape == logits.shape
    assert value.dtype == dlogits.dtype == np.dtype(dtype)
    near = {"rtol": 30 * np.finfo(dtype).eps, "atol": 10 * np.finfo(dtype).eps}
    for i in range(n):
        e = [math.exp(logit) for logit in logits[i].tolist()]
        p = [term / math.fsum(e) for term in e]
        np.testing.assert_allclose(value[i], -math.log(p[labels[i]]), **near)
        wanted = [0.5 * (p[k] - (k == labels[i])) for k in range(classes)]
        np.testing.assert_allclose(dlogits[i], wanted, **near)


def test_equal_logits_give_the_logarithm_of_the_number_of_classes():
    value, _ = cross_entropy(np.arange(8), np.zeros((8, 8)), weight=1.0)
    np.testing.assert_allclose(value, np.log(8), rtol=1e-15)


@both_ways
@each_dtype
def test_far_logits_give_0_if_right_and_their_difference_if_wrong(dtype, way):
    logits = np.array([[0, 1000, -1000]] * 3, dtype)
    with way():
        value, dlogits = cross_entropy(np.arange(3), logits, weight=1.0)
    assert value.tolist() == [1000, 0, 2000]
    assert dlogits.tolist() == [[-1, 1, 0], [0, 0, 0], [0, 1, -1]]


@few
@given(st.integers(1, 4), st.integers(2, 5), st.integers(0, 2**32))
def test_the_gradient_is_that_of_the_value(n, classes, seed):
    labels, logits = drawn(n, classes, seed)

    def value(labels, logits):
        return cross_entropy(labels, logits, weight=1.0)[0]

    def gradient(dvalue, labels, logits):
        return None, dvalue[:, None] * cross_entropy(labels, logits, weight=1.0)[1]

    passes(sg.check_pair(value, gradient, (labels, logits), wrt="logits", batch_axis=0))


@both_ways
@pytest.mark.parametrize("weight", [1, 0.25, -2.0])
def test_the_weight_multiplies_the_gradient_and_not_the_value(weight, way):
    labels, logits = drawn(5, 4)
    with way():
        value, dlogits = cross_entropy(labels, logits, weight)
        same_value, unweighted = cross_entropy(labels, logits, 1.0)
    np.testing.assert_array_equal(value, same_value)
    np.testing.assert_allclose(dlogits, weight * unweighted, rtol=1e-14)


@both_ways
@pytest.mark.parametrize(
    ("labels", "error", "text"),
    [
        ([0, 3], DataError, "labels goes from 0 to 3, wants whole numbers from 0 to 2"),
        ([-1, 0], DataError, "labels goes from -1 to 0"),
        ([0, 1, 2], ShapeError, r"labels has shape \(3,\), wants \(2,\)"),
        ([0.0, 1.0], KindError, "labels is float64, wants int64"),
    ],
)
def test_labels_that_do_not_fit_the_logits_are_refused(labels, error, text, way):
    with way(), pytest.raises(error, match=text):
        cross_entropy(np.array(labels), np.zeros((2, 3)), weight=1.0)


@pytest.mark.parametrize("way", [by_formulas, pytest.param(by_loops, marks=needs_numba)])
def test_a_replayed_step_reads_the_labels_of_its_own_batch(way):
    labels, logits = drawn(6, 4, dtype="float32")
    workspace = Workspace(guards=True, fills=True)
    with way():
        with workspace.step(), recording() as notes:
            results = cross_entropy(labels, logits, weight=1 / 6)
        assert not notes.foreign_arrays([labels, logits], workspace)
        plan = Plan(notes, threads=1)
        for seed in (1, 2):
            labels[...], logits[...] = drawn(6, 4, seed, "float32")
            workspace.poison()
            plan.run()
            wanted = cross_entropy(labels, logits, weight=1 / 6)
            for ours, right in zip(results, wanted, strict=True):
                assert ours.tobytes() == right.tobytes()
