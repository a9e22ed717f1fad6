"""The three toys on curves: what is drawn, and whether the density is that of what is drawn."""

import dataclasses
from functools import cache

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.data import GRID, MIXTURES, RING, SPIRAL, SWISS_ROLL, TOYS, TWO_MOONS
from scratchgen.ground import errors

CURVES = [SWISS_ROLL, TWO_MOONS, SPIRAL]
each_curve = pytest.mark.parametrize("toy", CURVES, ids=lambda toy: toy.name)
each_draw = pytest.mark.parametrize("draw", [sg.data.swiss_roll, sg.data.two_moons, sg.data.spiral])
N = 20_000


def arms(name: str, u: np.ndarray) -> np.ndarray:
    """The places c_j of uniform numbers u (n,), as published: (J, n, 2)."""
    if name == "swiss_roll":
        t = 1.5 * np.pi * (1 + 2 * u)
        return np.array([[t * np.cos(t) / 10, t * np.sin(t) / 10]]).swapaxes(1, 2)
    if name == "two_moons":
        t = np.pi * u
        upper, lower = (np.cos(t), np.sin(t)), (1 - np.cos(t), 0.5 - np.sin(t))
        return np.array([upper, lower]).swapaxes(1, 2)
    t = 3 * np.pi * np.sqrt(u)
    out = np.stack([t / np.pi * np.cos(t), t / np.pi * np.sin(t)], axis=1)
    return np.stack([out, -out])


@cache
def lattice(toy, pitch: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Points (n, 2) on all that the toy covers, `pitch` standard deviations apart, their
    log-densities (n,), and the area of a cell. The midpoint rule on a density that is smoothed by
    a Gaussian of std is off by exp(-2 (pi / pitch)^2), which for a pitch of 0.8 is 4e-14."""
    centres = arms(toy.name, np.linspace(0, 1, 1001)).reshape(-1, 2)
    step = pitch * toy.std
    low, high = centres.min(axis=0) - 9 * toy.std, centres.max(axis=0) + 9 * toy.std
    axes = [np.arange(a, b, step) for a, b in zip(low, high, strict=True)]
    x = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    return x, toy.log_prob(x), step**2


@each_curve
def test_the_density_integrates_to_one(toy):
    _, log_p, area = lattice(toy, 0.8)
    assert np.exp(log_p).sum() * area == pytest.approx(1, abs=1e-10)


@each_curve
def test_the_density_has_the_mean_of_the_curve(toy):
    x, log_p, area = lattice(toy, 0.8)
    mean = (np.exp(log_p)[:, None] * x).sum(axis=0) * area
    u = (np.arange(1_000_000) + 0.5) / 1_000_000
    np.testing.assert_allclose(mean, arms(toy.name, u).mean(axis=(0, 1)), atol=1e-8)


@each_curve
def test_the_density_is_the_average_over_the_uniform_numbers_that_draw_it(toy):
    u = (np.arange(400_000) + 0.5) / 400_000
    centres = arms(toy.name, u).reshape(-1, 2)
    for x in toy.draw(5, rng=1)[0].astype(np.float64):
        square = ((x - centres) ** 2).sum(axis=1) / toy.std**2
        density = np.exp(-square / 2).mean() / (2 * np.pi * toy.std**2)
        assert toy.log_prob(x[None])[0] == pytest.approx(np.log(density), abs=1e-6)


@each_curve
def test_twice_the_nodes_give_the_same_density(toy):
    finer = dataclasses.replace(toy, nodes=2 * toy.nodes)
    x, _ = toy.draw(2_000, rng=0)
    np.testing.assert_allclose(toy.log_prob(x), finer.log_prob(x), rtol=0, atol=1e-10)
    side = 3 * np.abs(x).max()
    far = np.random.default_rng(0).uniform(-side, side, (1_000, 2))
    np.testing.assert_allclose(toy.log_prob(far), finer.log_prob(far), rtol=0, atol=1e-8)


@each_curve
def test_a_sixth_of_the_nodes_is_too_few_where_an_arm_is_long(toy):
    coarse = dataclasses.replace(toy, nodes=toy.nodes // 6)
    x, log_p, _ = lattice(toy, 0.8)
    off = np.abs(coarse.log_prob(x) - log_p).max()
    assert off < 1e-7 if toy is TWO_MOONS else off > 1e-2


@each_curve
def test_draws_score_on_average_the_negative_entropy_of_the_density(toy):
    _, log_p, area = lattice(toy, 0.4)
    expected = (np.exp(log_p) * log_p).sum() * area
    scores = toy.log_prob(toy.draw(N, rng=0)[0])
    assert abs(scores.mean() - expected) < 4 * scores.std() / np.sqrt(N)


@each_curve
def test_draws_fall_into_boxes_as_often_as_the_density_says(toy):
    """Pearson's statistic: its mean is the number of boxes, its variance twice that."""
    x, log_p, area = lattice(toy, 0.4)
    low, high = x.min(axis=0), x.max(axis=0)
    # cells belong to the box that holds their corner, so boxes are whole numbers of cells
    sides = 5 * 0.4 * toy.std
    drawn = toy.draw(N, rng=2)[0]
    half = 0.2 * toy.std
    edges = [np.arange(a - half, b + sides, sides) for a, b in zip(low, high, strict=True)]
    mass = np.histogram2d(*x.T, bins=edges, weights=np.exp(log_p) * area)[0]
    counts = np.histogram2d(*drawn.T, bins=edges)[0]
    full = N * mass >= 5
    expected, seen = N * mass[full], counts[full]
    expected, seen = np.append(expected, N - expected.sum()), np.append(seen, N - seen.sum())
    pearson = ((seen - expected) ** 2 / expected).sum()
    assert len(expected) > 50
    assert pearson < len(expected) + 4 * np.sqrt(2 * len(expected))


@each_curve
def test_points_lie_on_the_arm_that_their_label_names(toy):
    x, labels = toy.draw(2_000, rng=0)
    paths = arms(toy.name, np.linspace(0, 1, 501))
    assert set(labels) == set(range(len(paths)))
    distance = np.stack(
        [np.linalg.norm(x[:, None] - path, axis=2).min(axis=1) for path in paths]
    )  # (J, n)
    assert distance[labels, np.arange(len(x))].max() < 5 * toy.std
    assert abs((labels == 0).mean() - 1 / len(paths)) < 4 * 0.5 / np.sqrt(2_000)


def test_curves_begin_and_end_where_they_should():
    ends = np.array([0.0, 1.0])
    for toy in CURVES:
        np.testing.assert_allclose(toy._on_arms(ends), arms(toy.name, ends), atol=1e-15)
    np.testing.assert_allclose(SPIRAL._on_arms(ends)[0], [[0, 0], [-3, 0]], atol=1e-14)
    np.testing.assert_allclose(TWO_MOONS._on_arms(ends)[1], [[0, 0.5], [2, 0.5]], atol=1e-15)


@each_draw
def test_a_seed_draws_the_same_points_and_another_seed_others(draw):
    assert np.array_equal(draw(50, rng=3), draw(50, rng=3))
    assert not np.array_equal(draw(50, rng=3), draw(50, rng=4))
    x, labels = draw(50, rng=3, return_labels=True)
    assert np.array_equal(x, draw(50, rng=3))
    assert (x.shape, x.dtype, labels.shape) == ((50, 2), np.float32, (50,))
    assert draw(0).shape == (0, 2)


@each_draw
def test_what_is_no_source_of_randomness_is_refused(draw):
    with pytest.raises(errors.OptionError, match="wants a whole number of at least 0, a numpy"):
        draw(5, rng="seven")


@pytest.mark.parametrize("toy", TOYS.values(), ids=lambda toy: toy.name)
def test_every_toy_draws_and_scores(toy):
    x, labels = toy.draw(30, rng=0)
    assert toy.log_prob(x).shape == labels.shape == (30,)
    assert toy.log_prob(x[:0]).shape == (0,)
    assert np.isfinite(toy.log_prob([[1e6, -1e6]])).all()
    with pytest.raises(errors.ShapeError):
        toy.log_prob(np.zeros((4, 3)))
    with pytest.raises(errors.DataError, match="NaN"):
        toy.log_prob(np.full((4, 2), np.nan))


def test_all_toys_have_their_names_and_coverage_keeps_to_mixtures():
    assert list(TOYS) == ["ring", "grid", "swiss_roll", "two_moons", "spiral"]
    assert all(toy.name == name for name, toy in TOYS.items())
    assert MIXTURES == {"ring": RING, "grid": GRID}


def test_chunks_of_points_score_as_the_points_do_one_by_one(monkeypatch):
    x, _ = SPIRAL.draw(40, rng=0)
    in_parts = SPIRAL.log_prob(x)
    monkeypatch.setattr("scratchgen.data.toys.CHUNK", 7 * 2 * SPIRAL.nodes)
    np.testing.assert_allclose(SPIRAL.log_prob(x), in_parts, rtol=1e-13)


@pytest.mark.parametrize("name", ["swiss_roll", "two_moons", "spiral"])
def test_curves_are_data_by_name_with_either_dash(name):
    x, labels = sg.data.load(name, return_labels=True)
    assert x.shape == (50_000, 2)
    assert labels.shape == (50_000,)
    assert np.array_equal(x, sg.data.load(name.replace("_", "-")))
    assert not np.array_equal(x, sg.data.load(name, split="test"))
    assert name in sg.data.NAMES
