"""A class of layers is checked at its own examples; a class without any says what to write."""

from dataclasses import dataclass

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.gradcheck import FAIL, PASS, check
from scratchgen.gradcheck.library.layer_points import BATCHES, PointDraw, layer_points
from scratchgen.ground.errors import OptionError
from scratchgen.nn import Dense, Layer, LayerNorm, Tied


@dataclass(frozen=True, eq=False)
class Scale(Layer):
    """y = a x."""

    a: float = 2.0
    slope: float = 2.0

    def forward(self, p, x, tape):
        return self.a * x

    def backward(self, p, dy, tape, g=None, need_dx=True):
        return self.slope * dy if need_dx else None


@dataclass(frozen=True, eq=False)
class Column(Scale):
    """It takes examples of one number."""

    def out_shape(self, shape):
        if shape != (1,):
            raise sg.errors.ShapeError(f"got {shape}, wants (1,).")
        return shape


@dataclass(frozen=True, eq=False)
class Drawn(Scale):
    """A layer with settings of its own at each point; the last is wrong."""

    @classmethod
    def example(cls, draw):
        a = draw.number(1, 2)
        return cls(a, draw.choice((a, a, a, a, 3.0))), draw.shape()


def test_a_class_is_checked_at_five_points_and_its_name_is_the_subject():
    report = check(Dense)
    assert report.verdict == PASS
    assert len(report.cases) == 5
    assert report.subject == "Dense"
    assert report.replay == "check(Dense, seed=0)"


def test_a_class_that_needs_no_settings_needs_no_example():
    assert check(Scale).verdict == PASS
    assert [case.verdict for case in check(Drawn).cases] == [PASS] * 4 + [FAIL]


def test_one_mode_may_be_asked_for_at_all_points():
    assert all("training" in case.label for case in check(sg.nn.Dropout, training=True).cases)


@dataclass(frozen=True, eq=False)
class Needing(Scale):
    def __init__(self, a):
        super().__init__(a)


class Alone(Scale):
    @classmethod
    def example(cls, draw):
        return cls()


class Failing(Scale):
    @classmethod
    def example(cls, draw):
        raise ZeroDivisionError


class Flat(Scale):
    @classmethod
    def example(cls, draw):
        return cls(), (2.5,)


class Posing(Scale):
    @classmethod
    def example(cls, draw):
        return sg.nn.ReLU(), (3,)


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        (Failing, {}, r"Failing\.example\(draw\) raised ZeroDivisionError: write a class method"),
        (Flat, {}, r"Flat\.example\(draw\) returned a shape that no example has, shape=\(2.5,\)"),
        (Posing, {}, r"returned ReLU\(\), in which there is no Posing: write a class method"),
        (Needing, {}, r"Needing\.example\(draw\) raised TypeError.*write a class method"),
        (Column, {}, r"does not take its shape.*write a class method"),
        (Alone, {}, r"wants \(layer, shape\).*draw\.shape\(\)"),
        (Scale, {"x": (4, 5)}, r"leave x out, or check an object, Scale\(\.\.\.\)"),
        (Scale, {"labels": [0]}, "leave labels out"),
    ],
)
def test_a_class_without_an_example_that_can_be_used_says_what_to_write(kind, options, words):
    with pytest.raises(OptionError, match=words):
        check(kind, **options)


def test_points_are_the_same_each_time_and_no_size_is_drawn_twice_at_one_point():
    for k, n in enumerate(BATCHES):
        first, second = PointDraw(k), PointDraw(k)
        sizes = [first.size() for _ in range(3)]
        assert sizes == [second.size() for _ in range(3)]
        assert len({n, *sizes}) == 4
        assert first.number(2, 3) == second.number(2, 3)
        assert 2 < second.number(2, 3) < 3


def test_five_points_take_five_options_of_a_first_choice_and_every_pair_of_two():
    draws = [PointDraw(k) for k in range(5)]
    assert [draw.choice("abcde") for draw in draws] == list("abcde")
    draws = [PointDraw(k) for k in range(4)]
    assert len({(draw.choice("ab"), draw.choice("cd")) for draw in draws}) == 4


def test_examples_keep_the_least_sizes_that_they_ask_for():
    assert PointDraw(4).size(least=3) == 3
    assert all(shape[-1] >= 3 for _, shape in layer_points(LayerNorm))


def test_a_tied_layer_is_checked_by_itself_and_beside_the_layer_whose_weights_it_has():
    borrowers = [layer for layer, _ in layer_points(Tied)]
    assert {bool(layer.borrows()) for layer in borrowers} == {True, False}
    biases = {layer.bias is None for layer in borrowers if isinstance(layer, Tied)}
    assert biases == {True, False}


def test_an_example_of_every_layer_of_the_library_can_be_made_again():
    for kind in sg.nn.LAYERS.values():
        for (layer, shape), (again, same_shape) in zip(
            layer_points(kind), layer_points(kind), strict=True
        ):
            assert (str(layer), shape) == (str(again), same_shape)
            assert layer is not again
            assert np.prod(shape) < 100
