"""demos/importance_weights.py in small: which gradients gain from more draws, and which do not."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

PATH = Path(__file__).parents[2] / "demos" / "importance_weights.py"
DEMO = SimpleNamespace(**runpy.run_path(str(PATH)))
DRAWS = (3, 100)


@pytest.fixture(scope="module")
def found():
    return DEMO.measured(DRAWS, repeats=100)


def test_the_signal_rises_with_the_draws_except_for_the_encoders_total_gradient(found):
    slopes = DEMO.slopes(DRAWS, found, resamples=100)  # (3, 2)
    rises = dict(zip(DEMO.COLOURS, slopes / slopes[:, 1:], strict=True))  # in standard errors
    assert rises["decoder"][0] > 5
    assert rises["encoder, doubly"][0] > 5
    assert rises["encoder, in total"][0] < -5


def test_the_two_gradients_of_the_encoder_have_the_same_mean(found):
    for at_k in found:
        count = at_k["encoder, doubly"].shape[1]
        assert abs(DEMO.chi_square(at_k) - 1) < 5 * np.sqrt(2 / count)


def test_the_ratio_is_right_for_draws_of_known_mean_and_spread():
    rng = np.random.default_rng(0)
    of_three = {
        name: mean + spread * rng.standard_normal((100_000, 4))
        for name, mean, spread in zip(DEMO.COLOURS, (1, 3, 3), (0.5, 2, 1), strict=True)
    }
    np.testing.assert_allclose(DEMO.ratios(of_three), [2, 1.5, 3], rtol=0.02)
    assert DEMO.chi_square(of_three) < 5
