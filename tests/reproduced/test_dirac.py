"""demos/dirac.py: our losses, our R1 and our steps move the Dirac-GAN as Mescheder et al. say."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

DEMO = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[2] / "demos" / "dirac.py")))
LOGISTIC = ("minimax", "non_saturating")
NEAR = np.array([3e-5, -4e-5])  # the equilibrium is at (0, 0)


def flow(loss: str, weight: float = 0.0) -> np.ndarray:
    """The eigenvalues of the players' gradient field at their equilibrium."""
    gan = DEMO.dirac_gan(loss, weight)
    return DEMO.eigenvalues(lambda point: DEMO.field(gan, point))


def growth(step, loss: str, size: float, steps: int) -> float:
    """The distance from the equilibrium after that many steps, as a multiple of the first."""
    gan, point = DEMO.dirac_gan(loss), NEAR
    for _ in range(steps):
        point = step(gan, point, size)
    return float(np.linalg.norm(point) / np.linalg.norm(NEAR))


def test_every_row_of_the_table_agrees_with_the_theory():
    rows = DEMO.table()
    assert len(rows) == 3 * 9
    for loss, name, ours, theory in rows:
        np.testing.assert_allclose(ours, theory, atol=1e-6, err_msg=f"{loss}, {name}")


@pytest.mark.parametrize("loss", LOGISTIC)
def test_without_a_penalty_the_players_circle(loss):
    np.testing.assert_allclose(flow(loss), [-0.5j, 0.5j], atol=1e-6)


@pytest.mark.parametrize("loss", LOGISTIC)
@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        (0.1, [-0.05 - 0.4974937186j, -0.05 + 0.4974937186j]),
        (0.5, [-0.25 - 0.4330127019j, -0.25 + 0.4330127019j]),
        (1.0, [-0.5, -0.5]),
        (3.0, [-1.5 - 2**0.5, -1.5 + 2**0.5]),
    ],
)
def test_with_r1_the_players_arrive(loss, weight, expected):
    np.testing.assert_allclose(flow(loss, weight), expected, atol=1e-6)


@pytest.mark.parametrize("loss", LOGISTIC)
@pytest.mark.parametrize("size", [0.01, 0.1, 1.0])
def test_simultaneous_steps_lead_away(loss, size):
    assert growth(DEMO.simultaneous, loss, size, 1) == pytest.approx(
        (1 + size**2 / 4) ** 0.5, abs=1e-6
    )


@pytest.mark.parametrize("loss", LOGISTIC)
def test_alternating_steps_of_fit_come_round_again(loss):
    """The eigenvalues are exp(+- i phi) with cos phi = 1 - h^2 / 8: h = 2 turns by 60 degrees."""
    assert growth(DEMO.alternating, loss, 2.0, 6) == pytest.approx(1, abs=1e-6)
    gan = DEMO.dirac_gan(loss)
    pair = DEMO.eigenvalues(lambda point: DEMO.alternating(gan, point, 1.0))
    np.testing.assert_allclose(abs(pair), 1, atol=1e-6)
    np.testing.assert_allclose(np.cos(np.angle(pair)), 7 / 8, atol=1e-6)


def test_beyond_first_order_minimax_keeps_its_distance_and_non_saturating_creeps_inwards():
    point = np.array([1.2, 0.7])
    expected = {"minimax": 0.0, "non_saturating": -0.84 * np.tanh(0.42)}
    for loss, rate in expected.items():
        motion = DEMO.field(DEMO.dirac_gan(loss), point)
        assert point @ motion == pytest.approx(rate, abs=1e-12)
