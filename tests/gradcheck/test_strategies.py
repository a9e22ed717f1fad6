"""The strategies draw every shape, layout, type and scale that they promise, and no other."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from layer_cases import passes

from scratchgen.gradcheck import assert_gradients, check, strategies
from scratchgen.gradcheck.strategies import arrays, laid_out, layer_cases, own_layers
from scratchgen.ground.errors import KindError, OptionError
from scratchgen.nn import LAYERS, Dense, LayerNorm, Tanh

# without shrinking, because any case will do
without_shrinking = settings(max_examples=2_000, phases=[Phase.generate])


class WrongTanh(Tanh):
    """A layer whose gradient is wrong if an example has more than two numbers."""

    def backward(self, p, dy, tape, g=None, need_dx=True):
        dx = super().backward(p, dy, tape, g, need_dx)
        return dx if dx is None or dx[0].size <= 2 else dx + dy[..., ::-1]


@given(case=layer_cases(own_layers()))
def test_the_librarys_layers_pass_in_every_drawn_case(case):
    passes(check(case))


@given(layer_and_shape=own_layers())
def test_a_drawn_shape_fits_its_layer(layer_and_shape):
    layer, shape = layer_and_shape
    layer.out_shape(shape)


@pytest.mark.parametrize("kind", sorted(LAYERS))
def test_every_kind_of_layer_can_be_drawn(kind):
    layer, _ = find(own_layers([kind]), lambda drawn: True, settings=without_shrinking)
    assert type(layer) is LAYERS[kind]


@pytest.mark.parametrize(
    "is_wanted",
    [
        lambda case: len(case.x) == 5,
        lambda case: case.x.dtype == np.float32,
        lambda case: abs(case.x).max() > 100,
        lambda case: abs(case.x).max() < 1e-2,
        lambda case: case.x.flags.f_contiguous and not case.x.flags.c_contiguous,
        lambda case: not case.x.flags.forc and min(case.x.strides) > 0,
        lambda case: min(case.x.strides) < 0,
        lambda case: case.training,
        lambda case: not case.training,
    ],
)
def test_each_kind_of_input_is_drawn(is_wanted):
    cases = layer_cases(Dense(4, 2), shape=(4,))
    find(cases, lambda case: len(case.x) > 1 and is_wanted(case), settings=without_shrinking)


@given(case=layer_cases(lambda shape: LayerNorm(shape[-1]), shape=st.just((2, 3)), batches=[7]))
def test_a_function_may_make_the_layer_and_options_restrict_the_cases(case):
    assert case.layer.features == 3
    assert case.x.shape == (7, 2, 3)


@given(x=arrays((3, 4), dtypes=["float32"], scales=(10.0,), layouts=("F",)))
def test_arrays_have_the_dtype_scale_and_layout_of_the_options(x):
    assert (x.shape, x.dtype) == ((3, 4), np.float32)
    assert x.flags.f_contiguous
    assert 1 <= abs(x).min() <= abs(x).max() <= 16


@pytest.mark.parametrize("layout", strategies.LAYOUTS)
@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (2, 3, 4)])
def test_a_layout_changes_the_memory_but_no_number(layout, shape):
    x = np.random.default_rng(0).standard_normal(shape)
    assert np.array_equal(laid_out(x, layout), x)
    assert laid_out(x, layout).shape == shape


def test_a_failing_case_shrinks_to_a_simple_case():
    def fails(case):
        return check(case).verdict == "FAIL"

    shapes = st.lists(st.integers(1, 4), min_size=1, max_size=2).map(tuple)
    case = find(layer_cases(WrongTanh(), shape=shapes), fails)
    assert (case.x.size, len(case.x), case.layout, case.scale) == (3, 1, "C", 1.0)
    assert case.x.dtype == np.float64
    with pytest.raises(AssertionError, match="FAIL"):
        assert_gradients(case)
    assert "float64 C, scale 1, " in repr(case)


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        ((Tanh(),), {}, OptionError),
        ((Tanh(), (0,)), {}, OptionError),
        ((Tanh(), (3,)), {"layouts": ["D"]}, OptionError),
        ((Tanh(), (3,)), {"dtypes": ["int8"]}, OptionError),
        ((Tanh(), (3,)), {"batches": [0]}, OptionError),
        ((lambda shape: None, (3,)), {}, KindError),
        ((3, (3,)), {}, KindError),
    ],
)
def test_bad_arguments_of_the_strategies_are_refused(arguments, options, error):
    with pytest.raises(error, match=r"wants|needs"):
        find(layer_cases(*arguments, **options), lambda case: True)


def test_only_the_strategies_need_hypothesis():
    code = """
import importlib.util, sys
sys.modules["hypothesis"] = None
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "hypothesis" else real(name, *rest)
import scratchgen.gradcheck
try:
    from scratchgen.gradcheck import strategies
except ImportError as problem:
    print(type(problem).__name__, problem)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith("MissingExtraError"), done.stderr
    assert "pip install hypothesis" in done.stdout
