"""Mistakes of respected libraries, each repeated here as a mutant, and the test that finds it.

A mutant is the library with one such mistake patched in. The test that is named beside it passes as
long as nothing is patched, and fails under the mutant. Several of these mistakes have a value and a
gradient that agree with each other, so that no gradient check sees them; see UNSEEN.
"""

import dataclasses
import importlib.util
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from scratchgen.data import toys
from scratchgen.distributions import gaussian
from scratchgen.kernels import mean
from scratchgen.kernels.activation_loops import LOOPS
from scratchgen.losses import (
    LOSSES,
    GradientPenalty,
    discriminator_loss,
    generator_loss,
    penalties,
)
from scratchgen.models import GAN
from scratchgen.nn import Tanh

TESTS = Path(__file__).parents[1]


def caches_flushed_before_backward(patch):
    """numpy-ml's WGAN-GP: backward then goes through an empty list, and adds nothing for G."""

    def _generator(self, turn, z):
        generator = turn.network("generator", settle=True)
        fakes, layers = generator.forward(z), generator.network.layers
        caches = list(range(len(layers)))  # a note for each layer, from forward
        fake = turn.forward("discriminator", fakes, on="judged")
        d = generator_loss(self.loss, fake[:, 0], 1 / turn.size)
        if turn.wants_gradient:
            dy = turn.backward("discriminator", d.fake[:, None], on="judged")
            caches.clear()  # the mistake
            for i in reversed(caches):
                at = generator.tape.inner(i)
                dy = layers[i].backward(generator.p[i], dy, at, generator.g[i])
        return {"generator": mean(d.value)}

    patch.setattr(GAN, "_generator", _generator)


def exp_of_log_var_as_standard_deviation(patch):
    """numpy-ml's and dezero's VAE: the variance is squared; backward belongs to this forward."""

    def draw(mu, log_var, noise):
        return mu + np.exp(log_var) * noise

    def draw_gradients(log_var, noise, dz):
        return SimpleNamespace(mu=dz, log_var=dz * noise * np.exp(log_var))

    patch.setattr(gaussian, "draw", draw)
    patch.setattr(gaussian, "draw_gradients", draw_gradients)


def both_signs_flipped(patch):
    """numpy-ml's WGAN-GP: the critic's value is f - r, and its gradients are those of r - f."""

    def gradients(real, fake, dvalue):
        return SimpleNamespace(real=dvalue, fake=-dvalue)

    flipped = dataclasses.replace(LOSSES["wasserstein"], discriminator_gradients=gradients)
    patch.setitem(LOSSES, "wasserstein", flipped)


def caches_of_fake_used_for_real(patch):
    """A from-scratch GAN: the real pass and the fake pass write to the same caches."""

    def _discriminator(self, turn, z):
        fakes = turn.forward("generator", z)
        real = turn.forward("discriminator", turn.batch, on="only", settle=True)[:, 0].copy()
        fake = turn.forward("discriminator", fakes, on="only", settle=True)[:, 0].copy()
        d = discriminator_loss(self.loss, real, fake, 1 / turn.size)
        if turn.wants_gradient:
            for dy in (d.real, d.fake):
                turn.backward("discriminator", dy[:, None], on="only", need_dx=False)
        return {"discriminator": mean(d.value)}

    patch.setattr(GAN, "_discriminator", _discriminator)


def one_norm_over_the_batch(patch):
    """torchgan: |g| of all examples together, with the gradient that belongs to it."""
    of_each = GradientPenalty.value_and_gradient

    def norms(slope):
        return np.full(len(slope), np.sqrt((slope * slope).sum()))

    def of_the_whole_batch(self, slope, dvalue):
        return of_each(self, slope, np.full_like(dvalue, dvalue.sum()))

    patch.setattr(penalties, "norms", norms)
    patch.setattr(GradientPenalty, "value_and_gradient", of_the_whole_batch)


def no_curvature(patch):
    """numpy-ml's second-order backward: right where s'' = 0, as in ReLU, and not for tanh."""
    patch.setattr(Tanh, "curvature", lambda self, x, y: 0.0)
    patch.delitem(LOOPS, Tanh)  # which have their own


def noise_drawn_twice(patch):
    """A VAE that draws noise to store for backward, and draws again to sample with."""
    draw = gaussian.draw_and_kl

    def drawn_again(heads, noise):
        return draw(heads, noise[::-1].copy())  # other noise than what is stored

    patch.setattr(gaussian, "draw_and_kl", drawn_again)


def linspace_to_two_pi(patch):
    """A ring of eight modes whose last is its first: linspace includes its end."""
    angles = np.linspace(0, 2 * np.pi, 8)
    means = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    patch.setattr(toys, "RING", toys.Mixture("ring", means, 0.01))


CHECKED = (
    "meaning/test_objectives.py::test_the_gradient_of_every_player_is_that_of_the_number_that_"
    "objective_returns"
)
DRAWN_IS_DIFFERENTIATED = (
    "meaning/test_evidence.py::test_the_noise_that_is_drawn_is_the_noise_that_is_differentiated"
)
UNIT_SLOPE = (
    "losses/test_penalties.py::test_the_gradient_penalty_of_a_linear_critic_of_unit_slope_is_0_at_"
    "every_batch_size"
)
PENALTY = (
    "losses/test_penalties.py::test_a_penalty_and_its_gradient_agree_with_differences_of_the_"
    "forward_pass"
)


def of(kind):
    """The arguments of the test of a model's gradients."""
    return {"kind": kind, "training": True, "seed": 0}


# mutant: the test that kills it, and the arguments of that test
MUTANTS = {
    caches_flushed_before_backward: (
        "meaning/test_wgan_gp.py::"
        "test_the_generator_moves_in_every_fifth_step_and_the_critic_in_every_step",
        dict,
    ),
    exp_of_log_var_as_standard_deviation: (
        "distributions/test_distributions.py::test_a_gaussian_draw_has_the_variance_that_the_decoder_states",
        dict,
    ),
    both_signs_flipped: (CHECKED, lambda: of("gradient_penalty")),
    caches_of_fake_used_for_real: (
        "meaning/test_games.py::test_real_and_fake_passes_do_not_share_their_notes",
        dict,
    ),
    one_norm_over_the_batch: (UNIT_SLOPE, lambda: {"n": 16}),
    no_curvature: (CHECKED, lambda: of("gradient_penalty")),
    noise_drawn_twice: (DRAWN_IS_DIFFERENTIATED, dict),
    linspace_to_two_pi: (
        "data/test_data.py::test_toys_have_all_their_modes_and_their_spread",
        lambda: {"mixture": toys.RING, "modes": 8},
    ),
}
# mutant: a good test that does not find it
UNSEEN = {
    exp_of_log_var_as_standard_deviation: (CHECKED, of("gaussian")),
    one_norm_over_the_batch: (CHECKED, of("gradient_penalty")),
    no_curvature: (PENALTY, {"penalty": GradientPenalty(10.0), "body": "ReLU"}),
}


@cache
def module(path):
    """A file of tests, loaded apart from the module that pytest has loaded."""
    spec = importlib.util.spec_from_file_location(f"named_{Path(path).stem}", TESTS / path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def run(test, arguments):
    path, name = test.split("::")
    getattr(module(path), name)(**arguments)


def by_name(table):
    return pytest.mark.parametrize("mutant", table, ids=lambda mutant: mutant.__name__)


@by_name(MUTANTS)
def test_the_named_test_kills_the_mutant_and_passes_without_it(mutant, monkeypatch):
    test, arguments = MUTANTS[mutant]
    run(test, arguments())
    with monkeypatch.context() as patch:
        mutant(patch)
        with pytest.raises(AssertionError):
            run(test, arguments())
    run(test, arguments())  # the mutant is gone


@by_name(UNSEEN)
def test_a_gradient_check_alone_does_not_see_the_mutant(mutant, monkeypatch):
    test, arguments = UNSEEN[mutant]
    with monkeypatch.context() as patch:
        mutant(patch)
        run(test, arguments)


def test_the_penalty_over_a_batch_is_what_was_measured(monkeypatch):
    """9 for 16 examples and 49 for 64, weight 1, where each slope is 1 and so 0 is right."""
    for n, wrong in ((16, 9), (64, 49)):
        slope = np.tile([1.0, 0.0], (n, 1))
        assert GradientPenalty(1.0).value(slope).mean() == 0
        with monkeypatch.context() as patch:
            one_norm_over_the_batch(patch)
            assert GradientPenalty(1.0).value(slope).mean() == pytest.approx(wrong)
