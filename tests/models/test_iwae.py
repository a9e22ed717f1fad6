"""The IWAE as users see it: errors, recipe, files, texts, training and gradient check."""

import warnings
from dataclasses import dataclass

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.distributions import importance_draws
from scratchgen.gradcheck import FAIL
from scratchgen.ground.errors import OptionError
from scratchgen.models import IWAE, RECIPES, iwae
from scratchgen.nn import BatchNorm, Dense, Dropout, GaussianNoise, Layer, Network, Residual, Tanh

either = pytest.mark.parametrize("doubly", [True, False])


def encoder(*middle):
    return Network((3,), Dense(3, 4), *middle, Dense(4, 4))


def decoder(*middle):
    return Network((2,), Dense(2, 4), *middle, Dense(4, 3))


def small(**settings):
    settings = {"draws": 3, "likelihood": "mse", "dtype": "float64", "rng": 0} | settings
    return IWAE(encoder(Tanh()), decoder(Tanh()), **settings)


@dataclass(frozen=True, eq=False)
class Silent(Layer):
    """A layer that does not declare whether it mixes examples."""

    def forward(self, p, x, tape):
        return x

    def backward(self, p, dy, tape, g=None, need_dx=True):
        return dy if need_dx else None


@dataclass(frozen=True, eq=False)
class Sure(Silent):
    example_wise = True


@pytest.mark.parametrize("layer", [BatchNorm(4), Residual(BatchNorm(4)), Silent()])
def test_a_decoder_that_may_mix_examples_is_refused_unless_the_gradient_is_total(layer):
    with pytest.raises(OptionError) as problem:
        IWAE(encoder(), decoder(layer), "mse", doubly_reparameterised=True)
    for words in ("mixes examples", "depends on that draw alone", "doubly_reparameterised=False"):
        assert words in str(problem.value)
    IWAE(encoder(), decoder(layer), "mse", doubly_reparameterised=False)


@pytest.mark.parametrize("layer", [Dropout(0.3), GaussianNoise(0.2), Sure()])
def test_a_decoder_that_treats_each_example_by_itself_is_accepted(layer):
    IWAE(encoder(), decoder(layer), "mse")


def test_an_encoder_may_mix_examples():
    IWAE(encoder(BatchNorm(4)), decoder(), "mse")


@pytest.mark.parametrize(
    ("setting", "value"),
    [("draws", 0), ("draws", 2.5), ("draws", True), ("doubly_reparameterised", 1)],
)
def test_settings_that_mean_nothing_are_refused_by_name(setting, value):
    with pytest.raises(OptionError, match=setting):
        small(**{setting: value})


def test_the_recipe_passes_its_settings_on():
    model = iwae((2,), latent=3, hidden=(5,), draws=7, doubly_reparameterised=False, rng=0)
    assert (model.draws, model.doubly_reparameterised, model.latent) == (7, False, 3)
    assert iwae((2,), rng=0).doubly_reparameterised
    assert RECIPES["iwae"].family is IWAE
    assert iwae((4, 4, 1), n_labels=3, rng=0).n_labels == 3


def test_a_file_keeps_both_settings_and_builds_the_model_again(tmp_path):
    for draws, doubly in ((1, True), (9, False)):
        model = small(draws=draws, doubly_reparameterised=doubly)
        sg.save(model, tmp_path / "model.npz")
        again = sg.load(tmp_path / "model.npz")
        assert type(again) is IWAE
        assert (again.draws, again.doubly_reparameterised) == (draws, doubly)
        assert np.array_equal(again.vector, model.vector)


def test_its_text_names_the_draws_and_the_gradient_of_the_encoder():
    assert "draws 3" in str(small())
    assert "doubly reparameterised False" in str(small(doubly_reparameterised=False))
    lines = small(draws=4).objective_text("iwae")
    assert any("K = 4" in line for line in lines)
    assert any("doubly reparameterised" in line for line in lines)
    lines = small(doubly_reparameterised=False).objective_text("iwae")
    assert not any("doubly reparameterised" in line for line in lines)


def fitted(model, replay=None, labels=None):
    x = np.random.default_rng(0).integers(0, 2, (40, *model.shape)).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sg.fit(
            model, x, labels=labels, epochs=30, batch_size=16, seed=0, replay=replay,
            optimizer=sg.optim.Adam(0.01),
        )  # fmt: skip


@either
def test_training_lowers_the_loss_which_stays_below_reconstruction_plus_kl(doubly):
    history = fitted(small(doubly_reparameterised=doubly))
    assert list(history) == ["loss", "reconstruction", "kl"]
    assert history["loss"][-1] < history["loss"][0] - 0.05
    for loss, reconstruction, kl in zip(*history.values(), strict=True):
        assert loss < reconstruction + kl


@either
def test_replayed_steps_leave_the_same_numbers_as_run_steps(doubly):
    labels, left = np.arange(40) % 3, []
    for replay in (False, True):
        settings = {"latent": 2, "hidden": (5,), "draws": 3, "n_labels": 3, "rng": 0}
        model = iwae((4,), **settings, doubly_reparameterised=doubly)
        history = fitted(model, replay, labels)
        left.append((model.vector.tobytes(), dict(history)))
    assert left[0] == left[1]


def test_the_bound_with_its_draws_is_what_it_trains():
    model = small(draws=5)
    x = np.random.default_rng(1).standard_normal((4, 3))
    bounds = np.array([model.bound(x, draws=5, rng=seed).mean() for seed in range(300)])
    losses = np.array([model.objective("iwae", x, 1000 + seed) for seed in range(300)])
    error = np.hypot(bounds.std(), losses.std()) / np.sqrt(300)
    assert abs(bounds.mean() + losses.mean()) < 5 * error


def surrogates_in(report):
    return [
        finding.text
        for case in report.cases
        for finding in case.findings
        if finding.contract == "surrogate"
    ]


def test_the_checker_passes_it_against_its_surrogate_and_says_so():
    report = sg.assert_gradients(small(), (3, 3), strict=True)
    (text,) = surrogates_in(report)
    assert "surrogate" in text


def test_a_total_gradient_is_checked_against_the_number_itself():
    report = sg.assert_gradients(small(doubly_reparameterised=False), (3, 3), strict=True)
    assert not surrogates_in(report)


def test_the_checker_finds_a_total_gradient_that_claims_to_be_doubly_reparameterised(
    monkeypatch,
):
    monkeypatch.setattr(
        importance_draws, "draws_path_backward", importance_draws.draws_and_log_ratio_backward
    )
    report = sg.check(small(), (3, 3), seconds=None)
    wrong = [block.name for case in report.cases for block in case.blocks if block.verdict == FAIL]
    assert wrong
    assert all(name.startswith("encoder") for name in wrong)
