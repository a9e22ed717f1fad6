"""The moving average against its closed form."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchgen.ground import errors
from scratchgen.kernels.formulas import by_formulas, by_loops
from scratchgen.kernels.plans import Plan
from scratchgen.kernels.recording import recording
from scratchgen.kernels.workspaces import Workspace
from scratchgen.optim import Adam, MovingAverage


def averaged(vectors, keep):
    """The average after each of the vectors (T, P) in turn, as one array (T, P)."""
    vector = np.zeros_like(vectors[0])
    moving = MovingAverage(keep)
    memory, averages = moving.memory(vector), []
    for values in vectors:
        vector[:] = values
        moving.update(vector, memory)
        averages.append(moving.average(memory))
    return np.array(averages)


@given(
    st.sampled_from([0.0, 0.5, 0.9, 0.999, 0.999999]),
    st.integers(1, 40),
    st.integers(0, 2**32 - 1),
)
def test_every_average_is_the_weighted_sum_whose_weights_sum_to_one(keep, steps, seed):
    vectors = np.random.default_rng(seed).standard_normal((steps, 5))
    for t, average in enumerate(averaged(vectors, keep), start=1):
        weights = np.longdouble(keep) ** np.arange(t - 1, -1, -1)  # (t,), newest last
        weights = weights / weights.sum()
        wanted = (weights[:, None] * vectors[:t]).sum(axis=0).astype(float)
        # 1 - keep^t loses digits as keep nears 1
        np.testing.assert_allclose(average, wanted, rtol=1e-9, atol=1e-9)


@given(
    st.floats(0, 1, exclude_max=True),
    st.sampled_from(["float32", "float64"]),
    st.integers(0, 2**32 - 1),
)
def test_the_average_of_a_constant_vector_is_that_vector_to_the_last_bit(keep, dtype, seed):
    constant = np.random.default_rng(seed).standard_normal(5).astype(dtype)
    averages = averaged([constant] * 30, keep)
    assert averages.dtype == dtype
    assert (averages == constant).all()


def test_with_keep_0_the_average_is_the_last_vector():
    vectors = np.random.default_rng(0).standard_normal((6, 3))
    np.testing.assert_allclose(averaged(vectors, 0.0), vectors, rtol=1e-15)


def test_the_average_varies_less_than_the_vectors():
    vectors = np.random.default_rng(0).standard_normal((5000, 4))
    late = averaged(vectors, 0.99)[1000:]
    # the variance of the average of independent draws is (1 - keep) / (1 + keep)
    np.testing.assert_allclose(late.var(), 0.01 / 1.99, rtol=0.25)


def test_an_update_does_not_change_the_vector_and_average_returns_a_copy():
    vector, moving = np.ones(3), MovingAverage(0.5)
    memory = moving.memory(vector)
    moving.update(vector, memory)
    moving.average(memory)[:] = 7
    assert (vector == 1).all()
    assert (moving.average(memory) == 1).all()


@pytest.mark.parametrize("way", [by_loops, by_formulas])
def test_a_replayed_update_goes_on_counting(way):
    vectors = np.random.default_rng(0).standard_normal((20, 3))
    vector, moving = vectors[0].copy(), MovingAverage(0.9)
    memory = moving.memory(vector)
    with way():
        with Workspace().step(), recording() as notes:
            moving.update(vector, memory)
        plan = Plan(notes, threads=1)
        for vector[:] in vectors[1:]:
            plan.run()
        assert (moving.average(memory) == averaged(vectors, 0.9)[-1]).all()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_vector_and_memory_copied_together_stay_together(copied):
    vector, moving = np.ones(3), MovingAverage(0.5)
    memory = moving.memory(vector)
    moving.update(vector, memory)
    other, other_memory = copied((vector, memory))
    vector[:] = other[:] = 2
    moving.update(vector, memory)
    moving.update(other, other_memory)
    assert (moving.average(memory) == moving.average(other_memory)).all()


@pytest.mark.parametrize("bad", [1, 1.5, -0.1, float("nan"), "most", None, True], ids=str)
def test_an_invalid_keep_is_refused(bad):
    with pytest.raises(errors.OptionError, match=r"^MovingAverage: keep=.*: wants a number"):
        MovingAverage(bad)


def test_a_memory_of_another_owner_or_vector_is_refused():
    vector, moving = np.ones(3), MovingAverage()
    of_adam, own = Adam().memory(vector), moving.memory(vector)
    with pytest.raises(errors.KindError, match=r"^MovingAverage got a memory that Adam made"):
        moving.update(vector, of_adam)
    with pytest.raises(errors.KindError, match=r"^MovingAverage got a memory that Adam made"):
        moving.average(of_adam)
    with pytest.raises(errors.KindError, match=r"^Adam got a memory that MovingAverage made"):
        Adam().update(vector, vector, own)
    with pytest.raises(errors.OptionError, match=r"^MovingAverage got a memory of another vector"):
        moving.update(vector.copy(), own)
    with pytest.raises(errors.DataError, match=r"averaged nothing yet: call update"):
        moving.average(own)
    with pytest.raises(errors.KindError, match=r"wants a NumPy array of float32 or float64"):
        moving.memory([1.0])
