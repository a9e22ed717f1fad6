"""Networks without layers, reports without cases and batches without examples are handled."""

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.command import entry as cli
from scratchgen.gradcheck import check_second_order
from scratchgen.gradcheck.reports.pages import certificate_page, certificate_table
from scratchgen.gradcheck.reports.report import Report
from scratchgen.gradcheck.results import FAIL, INCONCLUSIVE, BlockResult, CaseResult
from scratchgen.ground import errors, tables
from scratchgen.models.diagnosis import symptoms
from scratchgen.models.trace import Trace
from scratchgen.nn import Block, Dense, Layout, Maxout, Network, ReLU, Residual
from scratchgen.train import losses_text

NO_LAYERS = Network((2,))
NO_PARAMETERS = Network((2,), ReLU())
X = sg.data.ring(20, rng=0)


def gan_without_parameters():
    """A GAN in which neither player has anything to learn."""
    return sg.models.GAN(Network((2,)), Network((2,), Maxout(2)))


def gan_with_idle(player):
    """A GAN in which that player has nothing to learn."""
    if player == "generator":
        return sg.models.GAN(Network((2,)), Network((2,), Dense(2, 1)), rng=0)
    return sg.models.GAN(Network((2,), Dense(2, 2)), Network((2,), Maxout(2)), rng=0)


def vae_with_idle(network):
    """A VAE in which that network has no layers."""
    if network == "encoder":
        decoder = Network((1,), Dense(1, 2))
        return sg.models.VAE(Network((2,)), decoder, likelihood="gaussian_fixed", rng=0)
    encoder = Network((2,), Dense(2, 4))
    return sg.models.VAE(encoder, Network((2,)), likelihood="gaussian_fixed", rng=0)


def report(*cases):
    return Report("nothing", list(cases), 0, "", 0.0)


MODELS = {
    "neither": gan_without_parameters,
    "generator": lambda: gan_with_idle("generator"),
    "discriminator": lambda: gan_with_idle("discriminator"),
    "encoder": lambda: vae_with_idle("encoder"),
    "decoder": lambda: vae_with_idle("decoder"),
}

# name -> a function that returns the text of an empty thing, and a part of that text
TEXTS = {
    "a network without layers": (lambda: repr(NO_LAYERS), "(2,) -> (2,), 0 parameters"),
    "a network without parameters": (lambda: repr(NO_PARAMETERS), "0  ReLU()  (2,)"),
    "a network of empty networks": (
        lambda: repr(Network((2,), NO_LAYERS, NO_PARAMETERS, Residual(NO_LAYERS))),
        "2  Residual(Network((2,) -> (2,)))",
    ),
    "a residual": (lambda: repr(Residual(NO_PARAMETERS)), "0 parameters"),
    "a block": (lambda: repr(Block(Layout(net=NO_PARAMETERS)).vector), "[]"),
    "a block without networks": (lambda: repr(Block(Layout()).views), "namespace()"),
    "a table": (lambda: repr(tables.columns([], "<>")), "[]"),
    "a table of empty cells": (lambda: repr(tables.columns([("", "")], "<>")), "['']"),
    "a table without columns": (lambda: repr(tables.columns([()], "")), "[]"),
    "a paragraph": (lambda: repr(tables.paragraph("")), "[]"),
    "a trace": (lambda: repr(Trace()), ""),
    "symptoms in a trace": (lambda: repr(symptoms(Trace())), "[]"),
    "a history": (lambda: losses_text({}), ""),
    "a report": (lambda: str(report()), "nothing was checked"),
    "a report of an empty case": (lambda: str(report(CaseResult("x"))), "no gradient"),
    "a block that fails without a reason": (
        lambda: str(report(CaseResult("x", [BlockResult("w", (2,), FAIL)]))),
        "dw is wrong",
    ),
    "a block that is undecided": (
        lambda: str(report(CaseResult("", [BlockResult("w", (), INCONCLUSIVE)]))),
        "no reason is known",
    ),
    "a report as a page": (lambda: report().to_html(), "INCONCLUSIVE"),
    "a report as JSON": (lambda: report().to_json(), '"cases": []'),
    "a certificate": (lambda: certificate_table([]), "0 PASS, 0 FAIL, 0 INCONCLUSIVE"),
    "a certificate's page": (lambda: certificate_page([], "title", {}), "title"),
    "a check of a network without layers": (lambda: str(sg.check(NO_LAYERS)), "PASS"),
    "second order of a network without layers": (
        lambda: str(check_second_order(NO_LAYERS)),
        "PASS",
    ),
    "second order of a network of empty networks": (
        lambda: str(check_second_order(Network((2,), NO_LAYERS, NO_PARAMETERS))),
        "PASS",
    ),
    "a check of a model without parameters": (
        lambda: str(sg.check(gan_without_parameters())),
        "no argument holds floats",
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_empty_things_have_a_text(name):
    text, part = TEXTS[name]
    assert part in text()


@pytest.mark.parametrize("name", MODELS)
def test_a_model_with_nothing_to_learn_can_be_shown_traced_trained_saved_and_explained(
    name, tmp_path, capsys
):
    model = MODELS[name]()
    assert "0 parameters" in repr(model)
    assert "turn" in repr(model.trace(X, rng=0))
    before = {player: model.theta(player).copy() for player in model.players}
    history = sg.fit(model, X, epochs=1, batch_size=10, seed=0)
    assert all(np.isfinite(values).all() for values in history.values())
    for player, vector in before.items():
        moved = not np.array_equal(model.theta(player), vector)
        assert moved == bool(vector.size), player
    path = str(tmp_path / "model.npz")
    sg.save(model, path)
    assert repr(sg.load(path)) == repr(model)
    for command in ("info", "explain"):
        assert cli.main([command, path]) == 0
    assert "total" in capsys.readouterr().out


def test_a_training_of_0_epochs_has_an_empty_history():
    model = sg.models.vae((2,), latent=1, hidden=(3,), rng=0)
    history = sg.fit(model, X, epochs=0)
    assert set(map(len, history.values())) == {0}


def test_a_batch_without_examples_is_refused_or_gives_results_without_examples():
    model, no_examples = sg.models.vae((2,), latent=1, hidden=(3,), rng=0), np.zeros((0, 2))
    for refuses in (model.trace, lambda x: sg.fit(model, x, epochs=1)):
        with pytest.raises(errors.DataError, match="no examples: wants at least one"):
            refuses(no_examples)
    assert model.encode(no_examples).shape == (0, 1)
    assert model.sample(0, rng=0).shape == model.reconstruct(no_examples).shape == (0, 2)
    assert model.elbo(no_examples).shape == (0,)
