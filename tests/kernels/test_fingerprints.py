"""A formula counts as published if everything that it reaches by name is as it was published."""

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
    """edit(file, name): that function or constant has another text on disk from now on."""

    def edit(file, name):
        assert name in sources.TEXTS[file]
        monkeypatch.setattr(sources, "_edited", [file])
        monkeypatch.setattr(sources, "changed_in", lambda of: {name} if of == file else set())
        monkeypatch.setattr(sources, "_version", object())  # equal to no other version

    return edit


def is_published(formula) -> bool:
    return published.is_published(inspect.unwrap(formula))


def test_every_formula_of_the_package_is_published():
    assert sg.models  # imports all rooms with formulas
    ours = {name: x for name, x in FORMULAS.items() if x.__module__.startswith("scratchgen.")}
    assert len(ours) > 40
    assert [name for name, formula in ours.items() if not is_published(formula)] == []


@pytest.mark.parametrize(
    ("formula", "name"),
    [
        (gaussian.draw_and_kl, "draw"),
        (gaussian.draw_and_kl_backward, "kl_terms_gradients"),
        (bernoulli.log_prob_bernoulli, "log_prob_bernoulli"),
        (gaussian.value_and_gradient, "LOG_TWO_PI"),
        (products._affine, "_affine"),
        (arithmetic._add, "_add"),
    ],
)
def test_an_edit_of_a_name_that_a_formula_reaches_is_noticed(edit, formula, name):
    file = f"{formula.__module__.removeprefix('scratchgen.').replace('.', '/')}.py"
    assert is_published(formula)
    edit(file, name)
    assert not is_published(formula)


def test_an_edit_of_a_name_that_a_formula_does_not_reach_is_ignored(edit):
    edit("distributions/gaussian.py", "draw")
    assert is_published(gaussian.value_and_gradient)
    assert is_published(bernoulli.log_prob_bernoulli)


def test_replacing_a_function_is_noticed_by_the_formulas_that_call_it(monkeypatch):
    monkeypatch.setattr(gaussian, "draw", lambda mu, log_var, noise: mu)
    assert not is_published(gaussian.draw_and_kl)
    assert is_published(gaussian.draw_and_kl_backward)
    monkeypatch.undo()
    assert is_published(gaussian.draw_and_kl)


@pytest.mark.parametrize(("kind", "file"), [(GELU, "nn/gelu.py"), (SiLU, "nn/sigmoids.py")])
def test_an_edit_of_a_method_is_noticed_by_the_methods_that_call_it(edit, kind, file):
    assert published.is_published(kind.activate, kind=kind)
    edit(file, f"{kind.__name__}.value")
    assert not published.is_published(kind.activate, kind=kind)
