"""A step of an optimizer, beside the same formula in extended precision."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchgen.bench.cases import CASES, twins
from scratchgen.kernels.compiling import for_python
from scratchgen.versions import is_installed

STEPS = sorted(name for name in CASES if name.endswith("_step"))


@pytest.mark.skipif(not is_installed("numba"), reason="numba is not installed: there are no twins")
@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(st.integers(0, 2**32))
def test_a_step_is_right_to_four_roundings(name, dtype, seed):
    kernel, case = twins()[name], CASES[name](1, 200, dtype, seed)
    wide = [np.asarray(one, np.longdouble) for one in case]
    before, u = wide[0].copy(), np.finfo(dtype).eps / 2
    kernel.reference(*wide)
    for_python(kernel.loop)(0, 1, *case)
    error = np.abs(case[0] - wide[0])
    assert (error <= 4 * u * (np.abs(before) + np.abs(wide[0] - before))).all()
