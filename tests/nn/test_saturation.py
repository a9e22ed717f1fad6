"""Activations that level off: slope and curvature keep their digits where hardly anything is left.

Wanted values are computed in 60 digits; `atol` is the smallest normal number, below which results
may be 0.
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
ULPS = 16  # the slope of a curvature's factors, and their roundings


def sigmoid(x):
    return 1 / (1 + (-x).exp())


def bump(x):
    """sigmoid'."""
    return sigmoid(x) * sigmoid(-x)


WANTED = {  # slope, and curvature
    "ELU": (
        lambda x: Decimal(1) if x > 0 else x.exp(),
        lambda x: Decimal(0) if x > 0 else x.exp(),
    ),
    "Tanh": (lambda x: 4 * bump(2 * x), lambda x: 8 * bump(2 * x) * (1 - 2 * sigmoid(2 * x))),
    "Sigmoid": (bump, lambda x: bump(x) * (1 - 2 * sigmoid(x))),
    "Softplus": (sigmoid, bump),
    "SiLU": (
        lambda x: sigmoid(x) + x * bump(x),
        lambda x: bump(x) * (2 + x - 2 * x * sigmoid(x)),
    ),
}


@pytest.mark.parametrize("way", [pytest.param(by_loops, marks=needs_numba), by_formulas])
@pytest.mark.parametrize("dtype", FAR)
@pytest.mark.parametrize("kind", sorted(WANTED))
def test_slopes_and_curvatures_keep_their_digits_far_out(kind, dtype, way):
    x = np.array([[sign * far for far in FAR[dtype] for sign in (1, -1)]], dtype)
    layer, tape, one = getattr(nn, kind)(), Tape().begin(training=True), np.ones_like(x)
    with way():
        layer.forward(None, x, tape)
        slope = layer.backward(None, one, tape)
        layer.tangent(None, one, tape)
        curvature = layer.tangent_backward(None, 0 * one, one, tape).x
    with localcontext() as context:
        context.prec = 60
        wanted = [[float(f(Decimal(float(a)))) for a in x[0]] for f in WANTED[kind]]
    close = {"rtol": ULPS * np.finfo(dtype).eps, "atol": np.finfo(dtype).tiny}
    np.testing.assert_allclose(slope[0], wanted[0], **close)
    np.testing.assert_allclose(curvature[0], wanted[1], **close)


@pytest.mark.parametrize("way", [pytest.param(by_loops, marks=needs_numba), by_formulas])
@pytest.mark.parametrize("layer", [kind() for kind in nn.ACTIVATIONS.values()], ids=str)
def test_slopes_and_curvatures_far_out_in_float32_are_those_of_float64(layer, way):
    """A slope computed from a y that has rounded to its limit would have no digits left there."""
    x = np.array([[sign * far for far in (1, 5, 9, 12) for sign in (1, -1)]])
    found = []
    for dtype in ("float32", "float64"):
        tape, ones = Tape().begin(training=True), np.ones_like(x, dtype)
        with way():
            layer.forward(None, x.astype(dtype), tape)
            slope = layer.tangent(None, ones, tape)
            curvature = layer.tangent_backward(None, 0 * ones, ones, tape).x
        found.append((slope, curvature))
    for single, double in zip(*found, strict=True):
        np.testing.assert_allclose(single, double, rtol=1e-4, atol=np.finfo("float32").tiny)


def test_an_elu_is_not_flat_at_minus_20_in_float32():
    layer, tape = nn.ELU(), Tape().begin(training=True)
    with by_formulas():
        layer.forward(None, np.full((1, 1), -20, np.float32), tape)
        slope = layer.backward(None, np.ones((1, 1), np.float32), tape)
    assert slope[0, 0] == pytest.approx(2.0611536e-09, rel=1e-6)
