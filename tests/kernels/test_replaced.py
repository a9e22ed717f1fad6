"""A function in the place of a textbook function is noticed, wherever it comes from."""

import functools

import pytest

import scratchgen as sg
from scratchgen import nn
from scratchgen.kernels import fingerprints as sources
from scratchgen.kernels import replaced as published
from scratchgen.kernels import trust
from scratchgen.kernels.trust import why_not

MODULE = "scratchgen.models.autoencoder"
REPLACED = [
    (nn.Dense, "forward", "Dense.forward"),
    (nn.ReLU, "settle", "ReLU.settle"),  # inherited: ReLU defines no settle
    (sg.models.autoencoder, "log_prob_and_gradient", "models.autoencoder.log_prob_and_gradient"),
    (sg.distributions.gaussian, "draw_and_kl", "distributions.gaussian.draw_and_kl"),
    (sg.kernels, "full", "kernels.full"),
]


def of_a_prompt():
    """A function from a Python prompt, without a file."""
    space = {}
    exec("def forward(*args):\n    raise ZeroDivisionError", space)
    return space["forward"]


@pytest.mark.parametrize("function", [lambda *args: None, of_a_prompt()])
@pytest.mark.parametrize(
    ("where", "name", "full_name"), REPLACED, ids=[case[-1] for case in REPLACED]
)
def test_a_replaced_function_is_named_until_it_is_put_back(
    where, name, full_name, function, monkeypatch
):
    monkeypatch.setattr(sources, "edited", list)
    for _ in range(2):
        assert why_not() == ""
        with monkeypatch.context() as context:
            context.setattr(where, name, function, raising=False)
            for _ in range(2):
                assert full_name in published.replaced()
                assert why_not().endswith((" was replaced", " were replaced"))
    assert why_not() == ""


def test_a_wrapper_made_with_functools_wraps_counts_as_a_replacement(monkeypatch):
    forward = nn.Dense.forward

    @functools.wraps(forward)
    def wrapper(*args):
        return forward(*args)

    monkeypatch.setattr(nn.Dense, "forward", wrapper)
    assert "Dense.forward" in published.replaced()


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ("a", "a was replaced"),
        ("ab", "a and b were replaced"),
        ("abc", "a, b and c were replaced"),
        ("abcdefgh", "a, b, c and 5 more were replaced"),
    ],
)
def test_the_verb_agrees_with_the_number_of_names(names, text, monkeypatch):
    monkeypatch.setattr(sources, "edited", list)
    monkeypatch.setattr(trust.replaced, "replaced", lambda: list(names))
    assert why_not() == text
    files = [f"{name}.py" for name in names]
    monkeypatch.setattr(sources, "edited", lambda: files)
    assert why_not().endswith(" was edited" if len(files) == 1 else " were edited")
