"""Coverage of modes, on samples of known coverage."""

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.data import GRID, RING
from scratchgen.ground import errors
from scratchgen.metrics import coverage


@pytest.mark.parametrize("mixture", [RING, GRID])
def test_the_truth_covers_itself(mixture):
    x, _ = mixture.draw(2_500, rng=0)
    found = coverage(x, mixture)
    assert found.found == found.modes == len(mixture.means)
    # of a round Gaussian in the plane 1 - exp(-9/2) = 98.9 % lie within 3 standard deviations
    assert found.good == pytest.approx(1 - np.exp(-4.5), abs=0.008)


def test_points_between_modes_are_not_good():
    x = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.029], [1.0, 0.031], [0.0, -1.0]])
    assert coverage(x, RING) == (2, 8, 3 / 5)


def test_the_coverage_does_not_depend_on_the_size_of_chunks(monkeypatch):
    x = np.concatenate([RING.means, np.zeros((12, 2))])
    monkeypatch.setattr("scratchgen.ground.chunks.CHUNK", 3)
    assert coverage(x, RING) == (8, 8, 8 / 20)


def test_bad_samples_are_refused():
    with pytest.raises(errors.DataError, match="no samples"):
        coverage(np.zeros((0, 2)), RING)
    with pytest.raises(errors.ShapeError):
        coverage(np.zeros((3, 3)), RING)
    with pytest.raises(errors.DataError, match="NaN"):
        coverage(sg.data.ring(3, rng=0) * np.nan, RING)
