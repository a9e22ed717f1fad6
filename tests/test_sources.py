"""Whether the textbook is as it was published is told of every part of it."""

import inspect

import pytest

import scratchgen as sg
from scratchgen import sources
from scratchgen.distributions import bernoulli, gaussian
from scratchgen.kernels.twins import FORMULAS
from scratchgen.nn import GELU, SiLU


def test_every_formula_is_known_as_it_stands_here():
    assert sg.models  # which imports what has formulas
    ours = {name: x for name, x in FORMULAS.items() if x.__module__.startswith("scratchgen.")}
    assert len(ours) > 40
    assert [name for name, one in ours.items() if not _is_published(one)] == []


@pytest.mark.parametrize(
    ("formula", "room", "name"),
    [
        (gaussian.draw_and_kl, gaussian, "draw"),
        (gaussian.draw_and_kl_back, gaussian, "kl_terms_gradients"),
        (bernoulli.score_bernoulli, bernoulli, "score_bernoulli"),
    ],
)
def test_a_formula_is_another_where_what_it_calls_is_another(monkeypatch, formula, room, name):
    file = room.__name__.removeprefix("scratchgen.").replace(".", "/") + ".py"
    edited = {**sources._functions(file), name: "another"}
    monkeypatch.setattr(sources, "_functions", lambda file: edited)
    monkeypatch.setattr(sources, "_digest_of", lambda file: "another")
    assert not _is_published(formula)


def test_a_formula_is_another_where_a_number_that_it_shares_is_another(monkeypatch):
    edited = {**sources._functions("distributions/gaussian.py"), "": "another"}
    monkeypatch.setattr(sources, "_functions", lambda file: edited)
    monkeypatch.setattr(sources, "_digest_of", lambda file: "another")
    assert not _is_published(gaussian.draw_and_kl)


def test_a_formula_is_another_where_a_function_that_it_calls_was_replaced(monkeypatch):
    monkeypatch.setattr(gaussian, "draw", lambda mu, log_var, noise: mu)
    assert not _is_published(gaussian.draw_and_kl)
    assert _is_published(gaussian.draw_and_kl_back)


def test_a_method_is_another_where_one_that_it_calls_is_another(monkeypatch):
    for kind, inner in ((GELU, "value"), (SiLU, "value")):
        edited = {**sources._functions("nn/activations.py"), f"{kind.__name__}.{inner}": "another"}
        monkeypatch.setattr(sources, "_functions", lambda file, edited=edited: edited)
        monkeypatch.setattr(sources, "_digest_of", lambda file: "another")
        assert not sources.is_published(inspect.unwrap(getattr(kind, inner)))


def _is_published(formula) -> bool:
    return sources.is_published(inspect.unwrap(formula))


@pytest.mark.parametrize(
    ("file", "name"), [("kernels/products.py", "_affine"), ("kernels/arithmetic.py", "_add")]
)
def test_a_function_that_is_no_formula_of_its_own_is_asked_for_by_name(monkeypatch, file, name):
    assert name in sources._functions(file)
    edited = {**sources._functions(file), name: "another"}
    assert sources.are_published(file, name)
    monkeypatch.setattr(sources, "_functions", lambda file: edited)
    monkeypatch.setattr(sources, "_digest_of", lambda file: "another")
    assert not sources.are_published(file, "", name)
    assert sources.are_published(file, "")
