"""Arguments and gradients of any structure, and results that are no gradients."""

import functools
from types import SimpleNamespace

import numpy as np
import pytest

from scratchgen.gradcheck.measuring.passes import NoGradient, Stopped
from scratchgen.gradcheck.pairs.frozen import Frozen, generators_in
from scratchgen.gradcheck.pairs.function_pairs import CachedPair, VJPPair
from scratchgen.gradcheck.pairs.named_blocks import as_block, leaves, rebuilt
from scratchgen.ground import errors

X, W = np.arange(6.0).reshape(2, 3) + 0.5, np.array([0.3, -0.2, 0.7])


def gradients(f, vjp, *args, kind=VJPPair):
    """The gradients by block, for cotangents of 1."""
    pair = kind(f, vjp, args)
    run = pair.forward(pair.blocks)
    return pair.backward(run, [np.ones_like(y) for y in run.outputs])


def test_containers_become_leaves_and_are_rebuilt_from_them():
    nested = {"w": [X, (W, 2)], "n": SimpleNamespace(b=1.5), "t": "text"}
    names = [name for name, _ in leaves(nested, "p")]
    assert names == ["p['w'][0]", "p['w'][1][0]", "p['w'][1][1]", "p['n'].b", "p['t']"]
    same = rebuilt(nested, "p", {"p['w'][0]": W, "p['n'].b": 7})
    assert same["w"][0] is W
    assert same["w"][1] == (W, 2)
    assert same["n"].b == 7
    assert nested["w"][0] is X


def test_floats_are_differentiated_and_everything_else_is_a_constant():
    assert as_block([[1.0, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]
    assert as_block(2.5).shape == ()
    assert as_block(np.float32([1, 2])).dtype == np.float64
    for constant in (3, True, "text", None, np.arange(3), [1, 2], np.array([True]), object()):
        assert as_block(constant) is None


@pytest.mark.parametrize(
    "vjp",
    [
        lambda dy, x, w, n: (dy * w, (dy * x).sum(axis=0), None),
        lambda dy, x, w, n: [dy * w, (dy * x).sum(axis=0)],
        lambda dy, x, w, n: {"x": dy * w, "w": (dy * x).sum(axis=0)},
        lambda dy, x, w, n: {"dx": dy * w, "dw": (dy * x).sum(axis=0)},
        lambda dy, x, w, n: SimpleNamespace(x=dy * w, w=(dy * x).sum(axis=0).tolist()),
    ],
)
def test_gradients_may_be_a_tuple_a_list_or_a_dict(vjp):
    found = gradients(lambda x, w, n: x * w, vjp, X, W, 3)
    assert np.array_equal(found["x"], np.tile(W, (2, 1)))
    assert np.array_equal(found["w"], X.sum(axis=0))


def test_a_single_argument_may_be_a_dict_or_a_list():
    def f(p):
        return p["w"][0] * p["w"][1] + p["b"]

    def vjp(dy, p):
        return {"w": [dy * p["w"][1], dy * p["w"][0]], "b": dy.sum()}

    p = {"w": [W, W + 1], "b": 0.5}
    for wrapped in (vjp, lambda dy, p: (vjp(dy, p),)):
        found = gradients(f, wrapped, p)
        assert np.array_equal(found["p['w'][0]"], W + 1)
        assert np.array_equal(found["p['w'][1]"], W)
        assert found["p['b']"] == 3
    halves = gradients(lambda x: x[0] * x[1], lambda dy, x: [dy * x[1], dy * x[0]], [W, W + 1])
    assert np.array_equal(halves["x[1]"], W)


def test_each_of_several_outputs_has_a_cotangent():
    for f in (lambda x: (x, 2 * x), lambda x: {"a": x, "b": 2 * x}):

        def vjp(dy, x):
            first, two = dy.values() if isinstance(dy, dict) else dy
            return first + 2 * two

        assert np.array_equal(gradients(f, vjp, W)["x"], [3, 3, 3])


def test_the_backward_of_a_cached_pair_gets_the_cache_of_its_own_forward():
    found = gradients(lambda x: (x**2, x), lambda dy, x: 2 * dy * x, W, kind=CachedPair)
    assert np.array_equal(found["x"], 2 * W)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((W,), "1 gradient for 2 arguments: x, w"),
        ((W, W, W), "3 gradients for 2 arguments"),
        (W, "1 gradient for 2 arguments"),
        (None, "None for 2 arguments"),
        ({"x": W, "v": W}, "a gradient for 'v', wants 'x', 'w'"),
    ],
)
def test_a_wrong_number_of_gradients_is_reported(given, text):
    with pytest.raises(Stopped, match=text) as stop:
        gradients(lambda x, w: x * w, lambda dy, x, w: given, W, W)
    assert stop.value.contract == "count"


@pytest.mark.parametrize(
    ("given", "contract"),
    [
        (np.ones((1, 3)), "shape"),
        (1.0, "shape"),
        ("text", "kind"),
        (object(), "kind"),
        (W + 1j, "kind"),
        (np.array([None] * 3), "kind"),
    ],
)
def test_a_wrong_shape_or_type_is_no_gradient(given, contract):
    odd = gradients(lambda x: x, lambda dy, x: given, W)["x"]
    assert isinstance(odd, NoGradient)
    assert odd.contract == contract


@pytest.mark.parametrize("given", [None, "text", object(), W + 1j, (), [W, [W, "a"]]])
def test_a_forward_without_numbers_is_reported(given):
    with pytest.raises(Stopped, match="forward returned"):
        gradients(lambda x: given, lambda dy, x: dy, W)


def test_an_exception_is_reported_with_the_line_that_raised_it():
    def backward(dy, x):
        return dy[:, None] @ dy[:, None]  # the guilty line

    told = r"backward raised ValueError in line \d+ of test_pair.py, return dy"
    with pytest.raises(Stopped, match=told):
        gradients(lambda x: x, backward, W)
    with pytest.raises(Stopped, match="forward raised SystemExit"):
        gradients(lambda x: exit(3), backward, W)


def test_objects_that_cannot_be_called_are_refused():
    with pytest.raises(errors.KindError, match="wants something to call"):
        VJPPair(np.tanh, 3, (W,))


class Model:
    def __init__(self, rng):
        self.parts = [{"rng": rng}]

    def f(self, x):
        return x


RNG = np.random.default_rng(3)


def uses_a_global(x):
    return x * RNG.random()


def test_all_generators_in_reach_of_a_function_are_found():
    rng = np.random.default_rng(0)

    def closure(x):
        return x * rng.random()

    def default(x, rng=rng):
        return x * rng.random()

    roots = [closure, default, Model(rng).f, functools.partial(closure, 1.0), [{"a": (rng,)}]]
    for root in roots:
        assert generators_in(root) == [rng], root
    assert generators_in(uses_a_global) == [RNG]
    assert generators_in(np.tanh, lambda x: x) == []


def test_frozen_generators_repeat_their_draws():
    rng = np.random.default_rng(0)
    frozen = Frozen(rng)
    first = rng.random(3)
    assert frozen.moved()
    frozen.restore()
    assert not frozen.moved()
    assert np.array_equal(first, rng.random(3))
