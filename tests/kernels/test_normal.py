"""The normal distribution function agrees with the standard library's erfc."""

import math

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.kernels import normal_cdf, normal_density


def test_the_normal_distribution_agrees_with_the_standard_library():
    x = np.linspace(-37, 9, 4001)
    expected = [math.erfc(-value / math.sqrt(2)) / 2 for value in x]
    np.testing.assert_allclose(normal_cdf(x), expected, rtol=1e-12)
    near = np.abs(x) < 5
    np.testing.assert_allclose(normal_cdf(x[near]), np.array(expected)[near], rtol=4e-15)


def test_the_distribution_in_float32_is_right_to_a_few_roundings():
    x = np.linspace(-5, 5, 1001, dtype=np.float32)
    y = normal_cdf(x)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, normal_cdf(x.astype(float)), rtol=1e-5)


def test_the_distribution_is_0_or_1_far_from_0_and_nan_at_nan():
    far = np.array([-np.inf, -1e200, 1e200, np.inf, np.nan])
    with np.errstate(all="raise", under="ignore"):
        assert normal_cdf(far).tolist()[:4] == [0, 0, 1, 1]
        assert normal_density(far).tolist()[:4] == [0, 0, 0, 0]
    assert np.isnan(normal_cdf(far)[4])


def test_the_density_is_the_slope_of_the_distribution():
    x = np.linspace(-6, 6, 101)
    report = sg.check_pair(normal_cdf, lambda dy, x: dy * normal_density(x), (x,))
    assert report.ok, report
    assert normal_density(np.zeros(1))[0] == pytest.approx(1 / math.sqrt(2 * math.pi), rel=1e-15)
