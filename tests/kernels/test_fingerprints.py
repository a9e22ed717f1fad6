"""A formula is as it was published if all that it reaches by name is."""

import inspect

import pytest

import scratchgen as sg
from scratchgen.distributions import bernoulli, gaussian
from scratchgen.kernels import arithmetic, products
from scratchgen.kernels import fingerprints as sources
from scratchgen.kernels import replaced as published
from scratchgen.kernels.formulas import FORMULAS
from scratchgen.nn import GELU, SiLU


@pytest.fixture
def edit(monkeypatch):
    """edit(file, name): from now on that function or constant has another text on disk."""

    def edit(file, name):
        assert name in sources.TEXTS[file]
        monkeypatch.setattr(sources, "_edited", [file])
        monkeypatch.setattr(sources, "changed_in", lambda of: {name} if of == file else set())
        monkeypatch.setattr(sources, "_version", object())  # as no other

    return edit


def is_published(formula) -> bool:
    return published.is_published(inspect.unwrap(formula))


def test_every_formula_is_as_it_was_published():
    assert sg.models  # which imports what has formulas
    ours = {name: x for name, x in FORMULAS.items() if x.__module__.startswith("scratchgen.")}
    assert len(ours) > 40
    assert [name for name, formula in ours.items() if not is_published(formula)] == []


@pytest.mark.parametrize(
    ("formula", "name"),
    [
        (gaussian.draw_and_kl, "draw"),
        (gaussian.draw_and_kl_backward, "kl_terms_gradients"),
        (bernoulli.score_bernoulli, "score_bernoulli"),
        (gaussian.value_and_gradient, "LOG_TWO_PI"),
        (products._affine, "_affine"),
        (arithmetic._add, "_add"),
    ],
)
def test_an_edit_of_what_a_formula_reaches_changes_the_formula(edit, formula, name):
    file = f"{formula.__module__.removeprefix('scratchgen.').replace('.', '/')}.py"
    assert is_published(formula)
    edit(file, name)
    assert not is_published(formula)


def test_an_edit_of_what_a_formula_does_not_reach_does_not_count(edit):
    edit("distributions/gaussian.py", "draw")
    assert is_published(gaussian.value_and_gradient)
    assert is_published(bernoulli.score_bernoulli)


def test_replacing_a_function_changes_the_formulas_that_call_it(monkeypatch):
    monkeypatch.setattr(gaussian, "draw", lambda mu, log_var, noise: mu)
    assert not is_published(gaussian.draw_and_kl)
    assert is_published(gaussian.draw_and_kl_backward)
    monkeypatch.undo()
    assert is_published(gaussian.draw_and_kl)


@pytest.mark.parametrize(("kind", "file"), [(GELU, "nn/gelu.py"), (SiLU, "nn/sigmoids.py")])
def test_an_edit_of_a_method_changes_the_methods_that_call_it(edit, kind, file):
    assert published.is_published(kind.activate, kind=kind)
    edit(file, f"{kind.__name__}.value")
    assert not published.is_published(kind.activate, kind=kind)
