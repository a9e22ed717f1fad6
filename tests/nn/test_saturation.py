"""Where activations level off, slope and curvature are tiny, and still have all their digits.

The expected values are computed in 60 digits. `atol` is the smallest normal number, because below
it results may be 0.
"""

from decimal import Decimal, localcontext

import numpy as np
import pytest

from scratchgen import nn
from scratchgen.ground.versions import is_installed
from scratchgen.kernels.formulas import by_formulas, by_loops
from scratchgen.nn import Tape

needs_numba = pytest.mark.skipif(
    not is_installed("numba"), reason="numba is not installed: there are no loops to compare"
)
FAR = {"float32": [1, 9, 15, 18, 30, 80], "float64": [1, 15, 30, 40, 100, 700]}
ULPS = 16  # the roundings of several factors


def sigmoid(x):
    return 1 / (1 + (-x).exp())


def bump(x):
    """The slope of a sigmoid."""
    return sigmoid(x) * sigmoid(-x)


EXPECTED = {  # slope and curvature
    "ELU": (
        lambda x: Decimal(1) if x > 0 else x.exp(),
        lambda x: Decimal(0) if x > 0 else x.exp(),
    ),
    "Tanh": (
        lambda x: 4 * bump(2 * x),
        lambda x: 8 * bump(2 * x) * (1 - 2 * sigmoid(2 * x)),
    ),
    "Sigmoid": (bump, lambda x: bump(x) * (1 - 2 * sigmoid(x))),
    "Softplus": (sigmoid, bump),
    "SiLU": (
        lambda x: sigmoid(x) + x * bump(x),
        lambda x: bump(x) * (2 + x - 2 * x * sigmoid(x)),
    ),
}


@pytest.mark.parametrize("way", [pytest.param(by_loops, marks=needs_numba), by_formulas])
@pytest.mark.parametrize("dtype", FAR)
@pytest.mark.parametrize("kind", sorted(EXPECTED))
def test_slopes_and_curvatures_keep_their_digits_far_from_0(kind, dtype, way):
    x = np.array([[sign * far for far in FAR[dtype] for sign in (1, -1)]], dtype)
    layer, tape, ones = getattr(nn, kind)(), Tape().begin(training=True), np.ones_like(x)
    with way():
        layer.forward(None, x, tape)
        slope = layer.backward(None, ones, tape)
        layer.tangent(None, ones, tape)
        curvature = layer.tangent_backward(None, 0 * ones, ones, tape).x
    with localcontext() as context:
        context.prec = 60
        slopes, curvatures = [[float(f(Decimal(float(a)))) for a in x[0]] for f in EXPECTED[kind]]
    tolerance = {"rtol": ULPS * np.finfo(dtype).eps, "atol": np.finfo(dtype).tiny}
    np.testing.assert_allclose(slope[0], slopes, **tolerance)
    np.testing.assert_allclose(curvature[0], curvatures, **tolerance)


@pytest.mark.parametrize("way", [pytest.param(by_loops, marks=needs_numba), by_formulas])
@pytest.mark.parametrize("layer", [kind() for kind in nn.ACTIVATIONS.values()], ids=str)
def test_slopes_and_curvatures_far_from_0_are_the_same_in_float32_and_float64(layer, way):
    """A slope computed from a y that was rounded to its limit would have no correct digit."""
    x = np.array([[sign * far for far in (1, 5, 9, 12) for sign in (1, -1)]])
    results = []
    for dtype in ("float32", "float64"):
        tape, ones = Tape().begin(training=True), np.ones_like(x, dtype)
        with way():
            layer.forward(None, x.astype(dtype), tape)
            slope = layer.tangent(None, ones, tape)
            curvature = layer.tangent_backward(None, 0 * ones, ones, tape).x
        results.append((slope, curvature))
    for in_float32, in_float64 in zip(*results, strict=True):
        np.testing.assert_allclose(in_float32, in_float64, rtol=1e-4, atol=np.finfo("float32").tiny)


def test_an_elu_is_not_flat_at_minus_20_in_float32():
    layer, tape = nn.ELU(), Tape().begin(training=True)
    with by_formulas():
        layer.forward(None, np.full((1, 1), -20, np.float32), tape)
        slope = layer.backward(None, np.ones((1, 1), np.float32), tape)
    assert slope[0, 0] == pytest.approx(2.0611536e-09, rel=1e-6)
