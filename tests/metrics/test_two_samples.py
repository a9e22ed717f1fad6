"""The energy distance and its test, on samples of the same distribution and of different ones."""

import numpy as np
import pytest

from scratchgen.ground import errors
from scratchgen.metrics import energy_distance, same_distribution


def normal(seed, n, d=2):
    return np.random.default_rng(seed).standard_normal((n, d))


def test_the_distance_is_that_of_three_means_over_all_pairs():
    x, y = normal(0, 5, 3), 2 * normal(1, 7, 3)

    def mean_distance(a, b):
        return np.mean([np.linalg.norm(x - y) for x in a for y in b])

    by_pairs = 2 * mean_distance(x, y) - mean_distance(x, x) - mean_distance(y, y)
    assert energy_distance(x, y) == pytest.approx(by_pairs, rel=1e-12)
    assert energy_distance(y, x) == pytest.approx(by_pairs, rel=1e-12)
    assert energy_distance(x, x[::-1]) == pytest.approx(0, abs=1e-12)


def test_the_energy_distance_of_two_points_is_twice_their_distance():
    # 2 |0 - 3| - 0 - 0
    assert energy_distance(np.zeros((2, 1, 1)), np.full((3, 1, 1), 3.0)) == pytest.approx(6)


def test_the_distance_of_two_normals_is_the_published_integral():
    """E|N(m, s^2)| is s sqrt(2 / pi) exp(-m^2 / 2 s^2) + m erf(m / (s sqrt(2)))."""
    # x - y ~ N(1, 2), x - x' and y - y' ~ N(0, 2): erf(1/2) = 0.5204998778
    across = 2 / np.sqrt(np.pi) * np.exp(-1 / 4) + 0.5204998778
    within = 2 / np.sqrt(np.pi)
    found = energy_distance(normal(0, 2_000, 1), normal(1, 2_000, 1) + 1)
    assert found == pytest.approx(2 * across - 2 * within, abs=0.08)


def test_samples_of_one_distribution_are_rejected_no_more_often_than_the_level():
    ps = np.array(
        [same_distribution(normal(i, 30), normal(1_000 + i, 40), 99, i) for i in range(200)]
    )
    # of 200 tests at 10 %, 20 on average, with a standard deviation of 4.2
    assert 5 <= (ps <= 0.1).sum() <= 36
    assert 0.4 < ps.mean() < 0.6


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x + np.array([0.5, 0]),
        lambda x: 1.5 * x,
        lambda x: x * [1, -1] @ [[1, 0.9], [0, 0.44]],
    ],
    ids=["moved", "wider", "correlated"],
)
def test_another_distribution_is_rejected(change):
    ps = [same_distribution(normal(i, 300), change(normal(100 + i, 300)), 99, i) for i in range(5)]
    assert max(ps) <= 0.01


def test_bad_samples_are_refused():
    with pytest.raises(errors.DataError, match="at least one of each"):
        energy_distance(np.zeros((0, 2)), np.zeros((3, 2)))
    with pytest.raises(errors.ShapeError):
        energy_distance(np.zeros((2, 2)), np.zeros((2, 3)))
    with pytest.raises(errors.DataError, match="NaN"):
        same_distribution(np.full((2, 2), np.nan), np.zeros((2, 2)))
    with pytest.raises(errors.OptionError):
        same_distribution(np.zeros((2, 2)), np.zeros((2, 2)), shuffles=0)
