"""A prepared function returns what the function returns, for every example."""

import numpy as np
import pytest

from scratchgen import kernels
from scratchgen.kernels.formulas import by_formulas, by_loops
from scratchgen.kernels.plans import Plan
from scratchgen.kernels.prepared import Prepared

W = np.arange(6, dtype=np.float32).reshape(2, 3)
FUNCTIONS = {
    "kernels": (lambda x: kernels.sigmoid(kernels.times(x, W)), True),
    "NumPy at its end": (lambda x: 2 * kernels.times(x, W), False),
    "NumPy within": (lambda x: kernels.times(2 * x, W), False),
    "NumPy alone": (lambda x: x @ W, False),
    "a number of the example": (lambda x: kernels.add_scaled(x, x, float(x[0, 0])), False),
    "the example": (lambda x: x, False),
}


@pytest.mark.parametrize("way", [by_formulas, by_loops])
@pytest.mark.parametrize("may_replay", [True, False])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_prepared_function_returns_what_the_function_returns(name, may_replay, way, monkeypatch):
    f, is_replayed = FUNCTIONS[name]
    examples = np.random.default_rng(0).standard_normal((4, 5, 2), np.float32)
    with way():
        prepared = Prepared(f, examples[0], [W] if may_replay else None)
        ran, run = [], Plan.run
        monkeypatch.setattr(Plan, "run", lambda plan: ran.append(plan) or run(plan))
        for x in examples:
            W[:] += 1  # the function reads W in each call
            assert prepared(x).tobytes() == np.asarray(f(x)).tobytes()
    assert len(ran) == (4 if is_replayed and may_replay else 0)
