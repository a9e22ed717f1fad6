"""A user's own activation is three functions; an error names one that is missing."""

from dataclasses import dataclass

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.ground.errors import OptionError
from scratchgen.nn import Activation, Dense, Network, Tape, build, describe


@dataclass(frozen=True, eq=False)
class Cube(Activation):
    """y = x^3."""

    def value(self, x):
        return x**3

    def slope(self, x, y):
        return 3 * x**2

    def curvature(self, x, y):
        return 6 * x


class NoCurvature(Cube):
    curvature = Activation.curvature


class Empty(Activation):
    pass


def test_three_functions_are_all_that_an_activation_needs():
    sg.assert_gradients(Cube, strict=True)
    assert sg.check_second_order(Cube(), (2, 3)).verdict == "PASS"


def test_an_activation_can_be_described_only_after_it_is_registered(monkeypatch):
    with pytest.raises(OptionError, match=r"add the class to scratchgen\.nn\.LAYERS"):
        describe(Cube())
    monkeypatch.setitem(sg.nn.LAYERS, "Cube", Cube)
    assert isinstance(build(describe(Cube())), Cube)


def test_settings_that_are_not_fields_are_named_where_no_file_can_hold_them(monkeypatch):
    class Power(Activation):
        def __init__(self, exponent):
            self.exponent = exponent

    monkeypatch.setitem(sg.nn.LAYERS, "Power", Power)
    with pytest.raises(OptionError, match=r"Power has settings, exponent.*make it a dataclass"):
        describe(Power(4))


def test_registries_name_each_class_after_itself_and_hold_no_base_class():
    assert all(kind.__name__ == name for name, kind in sg.nn.LAYERS.items())
    assert set(sg.nn.ACTIVATIONS) <= set(sg.nn.LAYERS)
    assert not {"Layer", "Activation"} & set(sg.nn.LAYERS)
    assert all(issubclass(kind, Activation) for kind in sg.nn.ACTIVATIONS.values())


def test_an_activation_without_curvature_is_refused_under_a_gradient_penalty():
    discriminator = Network((2,), Dense(2, 3), NoCurvature(), Dense(3, 1))
    with pytest.raises(OptionError, match=r"NoCurvature has no curvature\(x, y\): write it"):
        sg.models.GAN(Network((2,), Dense(2, 2)), discriminator, penalty="r1", rng=0)


def test_an_error_names_the_missing_function():
    with pytest.raises(NotImplementedError, match=r"Empty has no value\(x\): write it"):
        Empty().forward(None, np.ones((2, 3)), Tape().begin())
