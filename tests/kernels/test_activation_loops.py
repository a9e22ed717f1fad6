"""The loops of activations compute what their formulas compute in NumPy."""

import tracemalloc
from dataclasses import dataclass

import numpy as np
import pytest

from scratchgen import nn
from scratchgen.ground.versions import is_installed
from scratchgen.kernels import formulas as which
from scratchgen.kernels.activation_loops import LOOPS
from scratchgen.kernels.formulas import by_formulas
from scratchgen.kernels.plans import Plan, in_parts
from scratchgen.kernels.recording import Call, recording
from scratchgen.kernels.workspaces import Workspace
from scratchgen.nn import Activation, Tape

needs_numba = pytest.mark.skipif(
    not is_installed("numba"), reason="numba is not installed: there are no loops to compare"
)
LAYERS = [nn.LeakyReLU(0.3), nn.ELU(0.7)]
LAYERS += [kind() for kind in nn.ACTIVATIONS.values() if kind not in (nn.LeakyReLU, nn.ELU)]
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e30, -1e30, 1e-40, -1e-40]


@pytest.fixture
def by_loops(monkeypatch):
    """Loops run except within by_formulas(); with NUMBA_DISABLE_JIT they run as plain Python."""
    monkeypatch.setattr(which, "loops_run", lambda: which._loops_in_block.get() is not False)


def passes(layer, x, u, dy, dv):
    """All arrays that an activation computes, by name."""
    tape = Tape().begin()
    with np.errstate(all="ignore"):
        y = layer.forward(None, x, tape)
        dx = layer.backward(None, dy, tape)
        v = layer.tangent(None, u, tape)
        d = layer.tangent_backward(None, dy, dv, tape)
    return {"y": y, "dx": dx, "v": v, "d.x": d.x, "d.u": d.u}


def assert_same(layer, x, u, dy, dv):
    ours = passes(layer, x, u, dy, dv)
    with by_formulas():
        expected = passes(layer, x, u, dy, dv)
    tolerance = 64 * np.finfo(x.dtype).eps
    for name, array in ours.items():
        assert array.shape == x.shape
        assert array.dtype == x.dtype
        about = f"{layer} {name}"
        np.testing.assert_allclose(array, expected[name], tolerance, tolerance, err_msg=about)


def test_exactly_the_activations_have_loops():
    assert set(nn.ACTIVATIONS.values()) == set(LOOPS)


@needs_numba
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_a_loop_computes_what_the_formulas_compute(layer, dtype, by_loops):
    rng = np.random.default_rng(0)
    for size in (0, 1, 15, 16, 17, 1000):
        x, u, dy, dv = rng.standard_normal((4, size)).astype(dtype)
        assert_same(layer, 3 * x, u, dy, dv)
    special = np.array(SPECIAL, dtype)
    assert_same(layer, special, *np.ones((3, special.size), dtype))


@needs_numba
@pytest.mark.parametrize("layer", LAYERS[:3], ids=lambda layer: type(layer).__name__)
def test_a_loop_takes_arrays_with_any_axes_and_strides_and_read_only_arrays(layer, by_loops):
    rng = np.random.default_rng(0)
    x, u, dy, dv = rng.standard_normal((4, 6, 5, 4))
    assert_same(layer, x, u, dy, dv)
    assert_same(layer, x[::2, :, 1:], u[::2, :, 1:], dy[::2, :, 1:], dv[::2, :, 1:])
    assert_same(layer, x.T, u.T, dy.T, np.ascontiguousarray(dv.T))
    if layer is LAYERS[0]:
        x.flags.writeable = dy.flags.writeable = False
        assert_same(layer, x, u, dy, dv)


@needs_numba
@pytest.mark.parametrize("layer", [nn.GELU()], ids=lambda layer: type(layer).__name__)
def test_the_result_does_not_depend_on_the_number_of_parts(layer):
    if not which.numba_works():
        pytest.skip("NUMBA_DISABLE_JIT: no parts run at the same time")
    rng = np.random.default_rng(0)
    loops, settings = LOOPS[type(layer)], tuple(map(np.float64, layer.settings()))
    for size in (1, 17, 1000):
        x, y, u, dy, dv = rng.standard_normal((5, size))
        for loop, operands, n_results in (
            (loops["activate"], [x], 1),
            (loops["times_slope"], [x, y, dy], 1),
            (loops["times_slope_and_curvature"], [x, y, u, dy, dv], 2),
        ):
            results = []
            for parts in (1, 2, 3):
                out = np.zeros((n_results, size))
                in_parts(Call(loop, (*operands, *out, settings), 1), parts)
                results.append(out.tobytes())
            assert results[0] == results[1] == results[2]


@needs_numba
def test_a_warm_pass_in_a_workspace_allocates_nothing(by_loops):
    if not which.numba_works():
        pytest.skip("NUMBA_DISABLE_JIT: plain Python makes an object of each number")
    layer, tape = nn.Tanh(), Tape().begin()
    x, u, dy, dv = np.ones((4, 100, 200))

    workspace = Workspace()

    def run_passes():
        with workspace.step():
            layer.forward(None, x, tape)
            layer.backward(None, dy, tape)
            layer.tangent(None, u, tape)
            layer.tangent_backward(None, dy, dv, tape)

    run_passes()
    tracemalloc.start()
    try:
        run_passes()
        assert tracemalloc.get_traced_memory()[1] < x.nbytes / 10
    finally:
        tracemalloc.stop()


class Square(Activation):
    def value(self, x):
        return np.float64(1) * x * x  # float64 for x of any dtype

    def slope(self, x, y):
        return np.float64(2) * x

    def curvature(self, x, y):
        return 2.0


@pytest.mark.parametrize("layer", [*LAYERS, Square()], ids=lambda layer: type(layer).__name__)
def test_a_replay_computes_new_results_from_new_numbers(layer):
    for way in (by_formulas, which.by_loops):
        if way is which.by_loops and not which.numba_works():
            continue
        x, u, dy, dv = np.random.default_rng(0).standard_normal((4, 3, 5))
        with way():
            with Workspace().step(), recording() as notes:
                results = passes(layer, x, u, dy, dv)
            x *= -2
            dy += u
            Plan(notes, 1).run()
            expected = passes(layer, x, u, dy, dv)
        for name, array in results.items():
            np.testing.assert_array_equal(array, expected[name])


@dataclass(frozen=True, eq=False)
class Shifted(nn.ReLU):
    def value(self, x):
        return np.maximum(x, 1)


@dataclass(frozen=True, eq=False)
class Steep(nn.Tanh):
    def slope(self, x, y):
        return np.full_like(x, 3)


def test_a_users_formulas_run_as_they_are_written(by_loops):
    x, u, dy, dv = np.random.default_rng(0).standard_normal((4, 3, 2))
    results = passes(Square(), x, u, dy, dv)
    np.testing.assert_allclose(results["d.x"], 2 * x * dy + 2 * u * dv)
    assert passes(Shifted(), np.zeros(2), *np.ones((3, 2)))["y"].tolist() == [1, 1]
    np.testing.assert_array_equal(passes(Steep(), x, u, dy, dv)["dx"], 3 * dy)


def test_a_users_formulas_return_the_dtype_of_their_arrays(by_loops):
    arrays = np.random.default_rng(0).standard_normal((4, 3, 2), dtype=np.float32)
    assert {array.dtype for array in passes(Square(), *arrays).values()} == {arrays.dtype}
