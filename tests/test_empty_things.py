"""What the library says of things that hold nothing: all that is printed or raised is a text."""

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

NOTHING = Network((2,))
PLAIN = Network((2,), ReLU())  # layers, and no parameters
X = sg.data.ring(20, rng=0)


def trained_nowhere():
    """Neither player has anything to learn."""
    return sg.models.GAN(Network((2,)), Network((2,), Maxout(2)))


def gan_without(player):
    """One player has nothing to learn."""
    if player == "generator":
        return sg.models.GAN(Network((2,)), Network((2,), Dense(2, 1)), rng=0)
    return sg.models.GAN(Network((2,), Dense(2, 2)), Network((2,), Maxout(2)), rng=0)


def vae_without(network):
    if network == "encoder":
        decoder = Network((1,), Dense(1, 2))
        return sg.models.VAE(Network((2,)), decoder, likelihood="gaussian_fixed", rng=0)
    encoder = Network((2,), Dense(2, 4))
    return sg.models.VAE(encoder, Network((2,)), likelihood="gaussian_fixed", rng=0)


def report(*cases):
    return Report("nothing", list(cases), 0, "", 0.0)


MODELS = {
    "nowhere": trained_nowhere,
    "generator": lambda: gan_without("generator"),
    "discriminator": lambda: gan_without("discriminator"),
    "encoder": lambda: vae_without("encoder"),
    "decoder": lambda: vae_without("decoder"),
}

# what is asked for, and what its text must say
TEXTS = {
    "a network of no layers": (lambda: repr(NOTHING), "(2,) -> (2,), 0 parameters"),
    "a network of no parameters": (lambda: repr(PLAIN), "0  ReLU()  (2,)"),
    "networks within": (
        lambda: repr(Network((2,), NOTHING, PLAIN, Residual(NOTHING))),
        "2  Residual(Network((2,) -> (2,)))",
    ),
    "a residual": (lambda: repr(Residual(PLAIN)), "0 parameters"),
    "a block": (lambda: repr(Block(Layout(net=PLAIN)).vector), "[]"),
    "a block of no network": (lambda: repr(Block(Layout()).views), "namespace()"),
    "a table": (lambda: repr(tables.columns([], "<>")), "[]"),
    "a table of empty cells": (lambda: repr(tables.columns([("", "")], "<>")), "['']"),
    "a table of no columns": (lambda: repr(tables.columns([()], "")), "[]"),
    "a paragraph": (lambda: repr(tables.paragraph("")), "[]"),
    "a trace": (lambda: repr(Trace()), ""),
    "what strikes in a trace": (lambda: repr(symptoms(Trace())), "[]"),
    "a history": (lambda: losses_text({}), ""),
    "a report": (lambda: str(report()), "nothing was checked"),
    "a report of a case of nothing": (lambda: str(report(CaseResult("x"))), "no gradient"),
    "a block that fails without a word": (
        lambda: str(report(CaseResult("x", [BlockResult("w", (2,), FAIL)]))),
        "dw is wrong",
    ),
    "a block that is not decided": (
        lambda: str(report(CaseResult("", [BlockResult("w", (), INCONCLUSIVE)]))),
        "no reason is known",
    ),
    "a report as a page": (lambda: report().to_html(), "INCONCLUSIVE"),
    "a report as JSON": (lambda: report().to_json(), '"cases": []'),
    "a certificate": (lambda: certificate_table([]), "0 PASS, 0 FAIL, 0 INCONCLUSIVE"),
    "a certificate's page": (lambda: certificate_page([], "title", {}), "title"),
    "a check of no layers": (lambda: str(sg.check(NOTHING)), "PASS"),
    "a second order of no layers": (lambda: str(check_second_order(NOTHING)), "PASS"),
    "a second order of no layers within": (
        lambda: str(check_second_order(Network((2,), NOTHING, PLAIN))),
        "PASS",
    ),
    "a check of a model without parameters": (
        lambda: str(sg.check(trained_nowhere())),
        "no argument holds floats",
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_of_nothing_there_is_a_text(name):
    to_stdout, wanted = TEXTS[name]
    assert wanted in to_stdout()


@pytest.mark.parametrize("name", MODELS)
def test_a_model_with_nothing_to_learn_is_shown_traced_trained_saved_and_explained(
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


def test_a_training_of_no_epochs_has_a_history_of_no_numbers():
    model = sg.models.vae((2,), latent=1, hidden=(3,), rng=0)
    history = sg.fit(model, X, epochs=0)
    assert set(map(len, history.values())) == {0}


def test_no_examples_are_refused_or_give_no_examples():
    model, none = sg.models.vae((2,), latent=1, hidden=(3,), rng=0), np.zeros((0, 2))
    for refuses in (model.trace, lambda x: sg.fit(model, x, epochs=1)):
        with pytest.raises(errors.DataError, match="no examples: wants at least one"):
            refuses(none)
    assert model.encode(none).shape == (0, 1)
    assert model.sample(0, rng=0).shape == model.reconstruct(none).shape == (0, 2)
    assert model.elbo(none).shape == (0,)
