"""A family is read from the fields of its class, however their types are written."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

import scratchgen as sg
from scratchgen.models import Model, family
from scratchgen.models.model import family_settings, network_names
from scratchgen.nn import Network
from scratchgen.parts import setting


class Frame(Model):
    kind: ClassVar[str] = "Frame"
    numbers: ClassVar[tuple[str, ...]] = ("error",)

    def fit_together(self) -> None:
        self.shape, self.latent = (2,), 0


@family
class OfText(Frame):
    """The annotations of this file are text."""

    players: ClassVar[dict[str, tuple[str, ...]]] = {"one": ("first",), "other": ("second",)}

    first: Network
    second: sg.nn.Network
    weight: float = setting(default=1.0)


@family
class Forgetful(Frame):
    players: ClassVar[dict[str, tuple[str, ...]]] = {"one": ("first", "second")}

    first: Network
    second: Any


def network():
    return Network((2,), sg.nn.Dense(2, 2))


def test_networks_are_found_where_annotations_are_text():
    assert network_names(OfText) == ("first", "second")
    assert [field.name for field in family_settings(OfText)] == ["weight"]
    model = OfText(network(), network(), rng=0)
    assert model.theta("one").size == model.theta("other").size == 6


def test_a_player_that_moves_what_is_no_network_is_an_error_that_says_what_to_declare():
    with pytest.raises(
        sg.errors.OptionError, match="moves 'second', which is none of its networks"
    ):
        Forgetful(network(), network(), rng=0)
