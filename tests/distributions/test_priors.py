"""Priors: the moments of their draws, their settings, and their draws in a replayed step."""

import dataclasses
import math

import numpy as np
import pytest

from scratchgen.distributions import PRIORS, Prior, Ring, StandardNormal, Uniform
from scratchgen.ground.errors import OptionError
from scratchgen.kernels.formulas import by_formulas, by_loops, compiles, numba_works
from scratchgen.kernels.plans import Plan
from scratchgen.kernels.recording import recording
from scratchgen.kernels.workspaces import Workspace

PRIORS_TO_TEST = [
    StandardNormal(),
    Uniform(),
    Uniform(0.5),
    Ring(),
    Ring(modes=3, radius=2.0, std=0.7),
]
each_prior = pytest.mark.parametrize("prior", PRIORS_TO_TEST, ids=str)
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
both_ways = pytest.mark.parametrize("way", [by_formulas, by_loops])
needs_numba = pytest.mark.skipif(
    not compiles() or not numba_works(), reason="numba is not installed, or switched off"
)
COUNT = 200_000


def rng(seed=0):
    return np.random.default_rng(seed)


def test_every_prior_is_tested_and_registered_by_its_name():
    assert {type(prior) for prior in PRIORS_TO_TEST} == set(PRIORS.values())
    assert {name: kind.name for name, kind in PRIORS.items()} == {name: name for name in PRIORS}


def variances(prior, latent):
    """The variance of each latent."""
    if isinstance(prior, StandardNormal):
        return [1.0] * latent
    if isinstance(prior, Uniform):
        return [prior.bound**2 / 3] * latent
    on_circle = prior.radius**2 / 2 + prior.std**2  # E[cos^2] = 1/2 over 3 or more angles
    return [on_circle, on_circle, *[prior.std**2] * (latent - 2)]


@each_prior
@each_dtype
@pytest.mark.parametrize("latent", [2, 5])
def test_draws_have_mean_0_and_the_variance_of_the_prior(prior, latent, dtype):
    """Within five standard errors; no two latents are correlated."""
    z = prior.draw(rng(), COUNT, latent, dtype).astype(float)
    wanted = np.array(variances(prior, latent))
    products = z[:, :, None] * z[:, None, :]  # (n, latent, latent)
    for samples, right in ((z, np.zeros(latent)), (products, np.diag(wanted))):
        allowed = 5 * samples.std(axis=0) / math.sqrt(COUNT)
        assert (np.abs(samples.mean(axis=0) - right) < allowed).all()


@each_prior
@each_dtype
@both_ways
@pytest.mark.parametrize(("n", "latent"), [(0, 2), (1, 2), (7, 3)])
def test_draws_have_the_shape_and_dtype_of_the_call_and_depend_on_the_seed(
    prior, n, latent, dtype, way
):
    with way():
        z = prior.draw(rng(), n, latent, dtype)
        again = prior.draw(rng(), n, latent, dtype)
        other = prior.draw(rng(1), n, latent, dtype)
    assert (type(z), z.shape, z.dtype) == (np.ndarray, (n, latent), np.dtype(dtype))
    assert np.array_equal(z, again)
    assert n == 0 or not (z == other).any()


@each_dtype
@pytest.mark.parametrize("bound", [math.sqrt(3), 0.5, 1])
def test_uniform_draws_fill_the_interval_between_the_bounds_evenly(bound, dtype):
    z = Uniform(bound).draw(rng(), COUNT // 2, 2, dtype)
    assert np.abs(z).max() <= np.dtype(dtype).type(bound)
    counts, _ = np.histogram(z, bins=20, range=(-bound, bound))
    assert (np.abs(counts - COUNT / 20) < 5 * math.sqrt(COUNT / 20)).all()


def test_uniform_draws_have_a_variance_of_1_by_default():
    assert Uniform().bound == math.sqrt(3)
    assert Uniform().draw(rng(), COUNT, 1, "float64").var() == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize("modes", [1, 2, 8, 10])
def test_the_modes_of_a_ring_are_equally_likely_and_evenly_spaced(modes):
    prior = Ring(modes=modes, radius=3.0, std=0.01)
    z = prior.draw(rng(), COUNT, 2, "float64")
    np.testing.assert_allclose(np.hypot(*z.T), 3, atol=0.06)
    turns = np.arctan2(z[:, 1], z[:, 0]) / (2 * math.pi) * modes
    nearest = np.rint(turns)
    assert np.abs(turns - nearest).max() < 0.06 * modes / (2 * math.pi * 3) + 1e-9
    counts = np.bincount(nearest.astype(int) % modes, minlength=modes)
    assert len(counts) == modes
    assert (np.abs(counts - COUNT / modes) <= 5 * math.sqrt(COUNT / modes)).all()


def test_the_means_of_a_ring_are_equally_far_from_their_neighbours():
    means = Ring(modes=8).means(4)
    gaps = np.linalg.norm(means - np.roll(means, 1, axis=0), axis=1)
    np.testing.assert_allclose(gaps, 2 * 3 * math.sin(math.pi / 8), rtol=1e-12)
    assert (means[:, 2:] == 0).all()
    np.testing.assert_allclose(means[0], [3, 0, 0, 0])


def test_each_mode_of_a_ring_is_round_in_all_latents():
    z = Ring(modes=1, radius=5.0, std=0.3).draw(rng(), COUNT, 3, "float64")
    np.testing.assert_allclose(np.cov(z.T), 0.09 * np.eye(3), atol=2e-3)
    np.testing.assert_allclose(z.mean(axis=0), [5, 0, 0], atol=5e-3)


def test_a_ring_needs_two_latents_and_other_priors_need_one():
    with pytest.raises(OptionError, match=r"latent=1 for the prior Ring\(modes=10.*wants 2 or"):
        Ring().draw(rng(), 3, 1, "float32")
    for prior in PRIORS_TO_TEST:
        if not isinstance(prior, Ring):
            prior.check(1)
            assert prior.draw(rng(), 3, 1, "float32").shape == (3, 1)
        prior.check(2)


@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, "one", None, True])
@pytest.mark.parametrize(
    ("kind", "setting"), [(Uniform, "bound"), (Ring, "radius"), (Ring, "std"), (Ring, "modes")]
)
def test_an_invalid_setting_is_refused(kind, setting, value):
    with pytest.raises(OptionError, match=rf"^{kind.__name__}: {setting}=.*wants a "):
        kind(**{setting: value})


@each_prior
def test_a_prior_can_be_built_from_its_name_and_settings_and_does_not_change(prior):
    fields = dataclasses.asdict(prior)
    assert PRIORS[prior.name](**fields) == prior
    assert prior.formula
    with pytest.raises(dataclasses.FrozenInstanceError):
        prior.name = "other"


def test_a_users_prior_without_draw_raises_not_implemented():
    with pytest.raises(NotImplementedError):
        Prior().draw(rng(), 1, 2, "float32")


@pytest.mark.parametrize("way", [by_formulas, pytest.param(by_loops, marks=needs_numba)])
@each_prior
@each_dtype
def test_a_replayed_step_draws_the_same_numbers_as_the_step_itself(prior, dtype, way):
    ours, theirs = rng(3), rng(3)
    workspace = Workspace(guards=True, fills=True)
    with way():
        with workspace.step(), recording() as notes:
            z = prior.draw(ours, 300, 3, dtype)
        assert not notes.foreign_arrays([], workspace)
        plan = Plan(notes, threads=1)
        prior.draw(theirs, 300, 3, dtype)
        for _ in range(3):
            workspace.poison()
            plan.run()
            assert z.tobytes() == prior.draw(theirs, 300, 3, dtype).tobytes()
