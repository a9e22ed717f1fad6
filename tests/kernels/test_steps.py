"""Steps of optimizers agree with the same formula in extended precision."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchgen.ground.versions import is_installed
from scratchgen.kernels.compiling import for_python
from scratchgen.optim.adam import adam_step
from scratchgen.optim.descent import sgd_step
from scratchgen.optim.momentum import momentum_step, nesterov_step
from scratchgen.optim.rmsprop import centred_rmsprop_step, rmsprop_step

STEPS = {  # step -> its coefficients, except the last, which is the smallest normal number
    adam_step: (1e-2, 0.1, 0.001, 1e-8, 10.0, 1000.0, 1e-3),
    centred_rmsprop_step: (1e-2, 0.01, 1e-8),
    momentum_step: (1e-2, 0.9),
    nesterov_step: (1e-2, 0.9),
    rmsprop_step: (1e-2, 0.01, 1e-8),
    sgd_step: (1e-2,),
}
needs_numba = pytest.mark.skipif(
    not is_installed("numba"), reason="numba is not installed: there are no loops"
)
each_step = pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def operands(step, dtype, seed, size=200):
    """By name: normal draws (P,), v as a mean of squares, and the coefficients of the step."""
    names, rng = step.definition.operands.names, np.random.default_rng(seed)
    drawn = {name: rng.standard_normal(size).astype(dtype) for name in names[:-1]}
    if "v" in drawn:
        np.abs(drawn["v"], out=drawn["v"])
    if "mean" in drawn:  # v is far above mean^2, so v - mean^2 loses no digits
        drawn["v"] += 4 * (1 + drawn["mean"] ** 2)
    return drawn | {names[-1]: np.array([*STEPS[step], np.finfo(dtype).tiny], dtype)}


@needs_numba
@each_step
@each_dtype
@given(st.integers(0, 2**32))
def test_a_loop_moves_theta_with_at_most_four_roundings(step, dtype, seed):
    ours = operands(step, dtype, seed)
    wide = {name: x.astype(np.longdouble) for name, x in ours.items()}
    before, u = wide["theta"].copy(), np.finfo(dtype).eps / 2
    step.definition.formula(*wide.values())
    for_python(step.definition.loop)(0, 1, *ours.values())
    error = np.abs(ours["theta"] - wide["theta"])
    assert (error <= 4 * u * (np.abs(before) + np.abs(wide["theta"] - before))).all()


@needs_numba
@each_step
@each_dtype
@given(st.integers(0, 2**32))
def test_a_loop_updates_its_memory_as_its_formula_does(step, dtype, seed):
    ours, theirs = (operands(step, dtype, seed) for _ in range(2))
    step.definition.formula(*theirs.values())
    for_python(step.definition.loop)(0, 1, *ours.values())
    eps = np.finfo(dtype).eps
    for name, x in ours.items():
        np.testing.assert_allclose(x, theirs[name], rtol=8 * eps, atol=8 * eps)


@needs_numba
@pytest.mark.parametrize("step", [step for step in STEPS if step is not sgd_step])
@each_dtype
def test_memory_below_the_smallest_normal_number_becomes_0(step, dtype):
    least = np.finfo(dtype).tiny
    for way in (
        step.definition.formula,
        lambda *arrays: for_python(step.definition.loop)(0, 1, *arrays),
    ):
        arrays = operands(step, dtype, 0, size=3)
        arrays["g"][:] = 0
        memory = [x for name, x in arrays.items() if name not in ("theta", "g", "coefficients")]
        for x in memory:
            x[:] = [least, 0 if x is arrays.get("v") else -least, 2 * least]
        way(*arrays.values())
        for x in memory:
            assert (x != 0).tolist() == [False, False, True]
