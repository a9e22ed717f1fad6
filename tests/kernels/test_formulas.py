"""Every loop computes what the formula above it computes."""

import ast
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scratchgen as sg
from scratchgen import kernels
from scratchgen.ground.versions import is_installed
from scratchgen.kernels import formulas as which
from scratchgen.kernels import loops_of, plans
from scratchgen.kernels.cases import case, sizes_for, with_loops
from scratchgen.kernels.cases import kernels as all_kernels
from scratchgen.kernels.compiling import for_python
from scratchgen.kernels.formulas import (
    FORMULAS,
    by_formulas,
    by_loops,
    compiles,
    formula,
    loop_of,
    names_of_arguments,
    numba_works,
)
from scratchgen.kernels.operands import Operands
from scratchgen.kernels.recording import Call

# mypy: disable-error-code="no-untyped-def"

KERNELS, LOOPS = all_kernels(), with_loops()
OURS = Path(sg.__file__).parent
is_thorough = settings().max_examples > 100
# loops to test in several parts, each of which takes a second to compile; thorough: all loops
SHARED = [
    "adam_step",
    "log_prob_bernoulli",
    "draw_and_kl_backward",
    "layer_norm_backward",
    "take_rows",
]
SHARED += [
    "GELU.times_slope_and_curvature",
    "add_sum",
    "affine",
    "draws_and_log_ratio",
    "draws_path_backward",
]

needs_numba = pytest.mark.skipif(
    not is_installed("numba"), reason="numba is not installed: there are no loops to compare"
)


@contextmanager
def on_threads(parts: int) -> Iterator[list[Call]]:
    """Within it, loops run in that many parts, even on few numbers; their calls are listed.

    With NUMBA_DISABLE_JIT the parts run one after the other.
    """
    ran: list[Call] = []
    in_one_part = plans.in_one_part

    def run(call: Call, parts: int = 1) -> None:
        ran.append(call)
        if numba_works():
            plans.in_parts(call, parts) if parts > 1 else in_one_part(call)
        else:
            for part in range(parts):
                for_python(call.loop)(part, parts, *call.args)

    with pytest.MonkeyPatch.context() as patch, by_loops(), sg.threads(parts):
        patch.setattr(which, "GRAIN", -1)
        patch.setattr(plans, "in_parts_if_faster", run)
        patch.setattr(plans, "in_one_part", run)
        patch.setattr(which, "loops_run", lambda: True)
        patch.setattr(which.Definition, "is_published", True)  # an edited formula has a loop too
        yield ran


def outcome(name: str, args: list) -> list[np.ndarray]:
    """The results of a kernel, and then its arguments, some of which it changes."""
    results = KERNELS[name].call(*args)
    results = () if results is None else results if isinstance(results, tuple) else (results,)
    return [*map(np.asarray, [*results, *args])]


def tolerance(name: str, dtype: str, rows: int, columns: int, seed: int) -> dict[str, float]:
    """A few roundings of numbers of order 1, and of the longest sums that the kernel can have."""
    operands, eps = KERNELS[name].operands, np.finfo(dtype).eps
    sizes = sizes_for(operands, rows, columns, seed)
    read = set().union(*(x.letters for x in operands.arguments if not x.in_place))
    indexed = {x.bound for x in operands.arguments}
    floats = [x for x in operands.declared if x.written and x.dtype != "float64"]
    terms = (
        max(sum(sizes[letter] for letter in read - x.letters - indexed) for x in floats)
        if floats
        else 0
    )
    terms += columns * operands.has_scratch
    terms += 64 * any(" by " in axis for x in operands.allocated for axis in x.axes)
    return {"rtol": 8 * eps, "atol": (8 + 4 * terms) * eps}


def functions_of_this_package() -> Iterator[ast.FunctionDef]:
    """All functions of the package that are not in a class."""
    for file in OURS.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        yield from (node for node in tree.body if isinstance(node, ast.FunctionDef))


def is_formula(function: ast.FunctionDef) -> bool:
    called = [call.func for call in function.decorator_list if isinstance(call, ast.Call)]
    return any(isinstance(name, ast.Name) and name.id == "formula" for name in called)


def is_loop(function: ast.FunctionDef) -> bool:
    return [x.arg for x in function.args.args[:2]] == ["part", "parts"]


def test_every_formula_is_registered_and_no_two_formulas_or_loops_share_a_name():
    """Formulas and the compiled loops on disk are found by their names."""
    functions = list(functions_of_this_package())
    assert {node.name for node in functions if is_formula(node)} <= set(KERNELS)
    names = Counter(node.name for node in functions if is_formula(node) or is_loop(node))
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("name", [name for name in LOOPS if name in FORMULAS])
def test_a_loop_has_the_arguments_of_its_formula_followed_by_the_results(name):
    definition = FORMULAS[name].definition
    operands, code = definition.operands, definition.loop.__code__
    allocated = [operand.name for operand in operands.allocated]
    names = code.co_varnames[: code.co_argcount]
    assert names == ("part", "parts", *operands.names, *allocated)


@pytest.mark.parametrize("way", [by_formulas, by_loops])
@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_returns_what_it_declares_and_changes_only_operands_in_place(name, way):
    operands = KERNELS[name].operands
    for dtype in ("float32", "float64"):
        args = case(name, 3, 6, dtype, 1)
        before = [np.array(x) for x in args]
        with way():
            results = KERNELS[name].call(*args)
        for operand, x, old in zip(operands.arguments, args, before, strict=True):
            assert operand.in_place or np.array_equal(x, old)
        results = () if results is None else results if isinstance(results, tuple) else (results,)
        declared = [operand for operand in operands.allocated if operand.is_result]
        assert len(results) == len(declared)
        pairs = zip([*operands.arguments, *declared], [*args, *results], strict=True)
        shapes = {operand: x.shape for operand, x in pairs if not operand.is_number}
        assert sizes_agree(shapes)
        for operand, x in zip(declared, results, strict=True):
            assert (x.dtype, type(x)) == (np.dtype(operand.dtype or dtype), np.ndarray)


def sizes_agree(shapes) -> bool:
    from scratchgen.kernels.operand_errors import _sizes

    return _sizes(shapes) is not None


@needs_numba
@pytest.mark.parametrize(("rows", "columns"), [(0, 1), (5, 1), (3, 15), (7, 17), (4, 1000)])
@pytest.mark.parametrize("name", sorted(LOOPS) if is_thorough else SHARED)
def test_the_result_does_not_depend_on_the_number_of_parts(name, rows, columns):
    outcomes = []
    for parts in (1, 2, 3):
        with on_threads(parts) as ran:
            arrays = outcome(name, case(name, rows, columns, "float32", 0))
        assert ran or not numba_works()
        outcomes.append(b"".join(x.tobytes() for x in arrays))
    assert outcomes[0] == outcomes[1] == outcomes[2]


@needs_numba
@given(
    st.sampled_from(sorted(LOOPS)),
    st.integers(0, 7),
    st.integers(1, 300),
    st.integers(0, 2**32),
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_loop_computes_what_its_formula_computes(dtype, name, rows, columns, seed):
    with on_threads(1) as ran:
        ours = outcome(name, case(name, rows, columns, dtype, seed))
    assert ran or rows == 0 or not numba_works()  # empty products are left to NumPy
    with by_formulas(), np.errstate(all="ignore"):
        expected = outcome(name, case(name, rows, columns, dtype, seed))
    for a, b in zip(ours, expected, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, **tolerance(name, dtype, rows, columns, seed))


@needs_numba
@pytest.mark.parametrize("name", sorted(LOOPS))
def test_every_loop_computes_what_its_formula_computes_on_a_few_numbers(name):
    for dtype in ("float32", "float64"):
        for rows, columns in ((1, 1), (3, 6)):
            with on_threads(1) as ran:
                ours = outcome(name, case(name, rows, columns, dtype, 1))
            assert ran or not numba_works()
            with by_formulas():
                expected = outcome(name, case(name, rows, columns, dtype, 1))
            for a, b in zip(ours, expected, strict=True):
                np.testing.assert_allclose(a, b, **tolerance(name, dtype, rows, columns, seed=1))


def test_every_loop_takes_part_and_parts_and_what_the_formula_takes_returns_and_works_in():
    for name, kernel in FORMULAS.items():
        if kernel.definition.loop is not None:
            operands = kernel.definition.operands
            ours = [operand.name for operand in (*operands.arguments, *operands.allocated)]
            assert [*names_of_arguments(kernel.definition.loop)] == ["part", "parts", *ours], name


def test_a_loop_with_other_arguments_than_its_formula_is_refused():
    with pytest.raises(TypeError, match=r"takes \(.*, y, theta\), wants \(.*, x, theta, y\)"):

        @loop_of(shift)
        def shift_loop(part, parts, x, y, theta):
            raise NotImplementedError


def test_loops_of_an_activation_take_its_settings():
    class WithoutAlpha:
        def value(x):
            raise NotImplementedError

        slope = curvature = value

    with pytest.raises(TypeError, match=r"value takes 1 arguments, wants \(x, alpha\)"):
        loops_of(sg.nn.ELU)(WithoutAlpha)


# Formulas that only these tests use.


@formula("x (N, D), w (D,), scale () -> y (N, D), sums (N,)", row_by_row=True)
def weighted(x, w, scale):
    assert x.shape[1:] == w.shape
    return scale * x * w, (x * w).sum(axis=1)


@formula("x (N, D), theta (D,) -> y (N, D) in place", row_by_row=True)
def shift(x, theta, y):
    assert len(x) == len(y)
    y += x + theta


@pytest.mark.parametrize("shape", [(0, 3), (200, 200), (3, 30_000), (20_000, 1)])
def test_a_formula_called_on_a_few_rows_at_a_time_gives_the_same_result(shape):
    """In (200, 200), w is as long as x, although w has no rows."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal(shape), rng.standard_normal(shape[1])
    y, sums = weighted(x, w, 0.5)
    np.testing.assert_allclose(y, 0.5 * x * w)
    np.testing.assert_allclose(sums, (x * w).sum(axis=1))
    into = np.ones(shape)
    assert shift(x, w, into) is None
    np.testing.assert_allclose(into, 1 + x + w)


@formula("x (...) -> y (...)", row_by_row=True)
def doubled(x):
    return 2 * x


@loop_of(doubled)
def doubled_loop(part, parts, x, y):
    for i in range(part, x.size, parts):
        y[i] = x[i] + x[i]


@pytest.mark.parametrize("way", [by_formulas, by_loops])
def test_arrays_without_axes_stay_arrays_and_numbers_take_the_dtype_of_arrays(way):
    x = np.array(1.5, np.float32)
    with way():
        y = doubled(x)
        assert (type(y), y.shape, y.dtype, float(y)) == (np.ndarray, (), np.dtype("f4"), 3.0)
        assert type(kernels.sigmoid(1)) is np.ndarray
        for scale in (0.3, np.float64(0.3), np.float32(0.3), 1, np.int64(1)):
            y = kernels.add_scaled(np.ones(3, np.float32), np.ones(3, np.float32), scale)
            assert y.dtype == np.float32
            np.testing.assert_allclose(y, 1 + float(scale), rtol=1e-6)


@needs_numba
def test_a_users_loop_runs_instead_of_its_formula():
    with on_threads(1) as ran:
        assert doubled(np.ones(3)).tolist() == [2, 2, 2]
    assert [call.loop for call in ran] == [doubled_loop]
    assert doubled.definition.is_published


def test_a_kernel_may_take_numbers_alone():
    passed, results = Operands("ramp", "low, high () -> ends (2,)").prepare(0.0, 1)
    assert passed[:2] == (0.0, 1.0)
    assert (results[0].shape, results[0].dtype) == ((2,), np.dtype(float))


def run(code: str, **environment: str) -> str:
    """The output of code in a fresh interpreter."""
    env = {**os.environ, **environment}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


TRAIN = """
import sys, numpy as np, scratchgen as sg
model = sg.models.vae((2,), hidden=(4,), latent=1, rng=0)
sg.fit(model, np.zeros((8, 2)), epochs=1, seed=0)
print("numba" in sys.modules)
"""


@needs_numba
def test_training_imports_numba_only_if_a_kernel_has_to_be_compiled(tmp_path):
    cache = {"NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_DISABLE_JIT": ""}
    assert run(TRAIN, SCRATCHGEN_JIT="0", **cache) == "False"
    assert run(TRAIN, SCRATCHGEN_JIT="1", **cache) == "True"
    assert run(TRAIN, SCRATCHGEN_JIT="1", **cache) == "False"


class Refusing:
    """An import hook that refuses to import numba."""

    def __init__(self, problem: Exception) -> None:
        self.problem = problem

    def find_spec(self, name, *_):
        if name == "numba":
            raise self.problem


@needs_numba
@pytest.mark.parametrize(
    "problem",
    [
        ImportError("Numba needs NumPy 2.4 or less."),
        ValueError("Number of threads specified must be > 0."),  # NUMBA_NUM_THREADS=0
    ],
)
def test_a_numba_that_cannot_be_imported_gives_a_warning_and_formulas_run(problem, monkeypatch):
    monkeypatch.setattr("scratchgen.kernels.formulas.compiles", lambda: True)
    monkeypatch.setattr("scratchgen.kernels.native.caching.numba_has_compiled", lambda: False)
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Refusing(problem)])
    text = rf"numba is installed and cannot be imported \({problem}\)"
    with pytest.warns(RuntimeWarning, match=text):
        assert not which.numba_works.__wrapped__()


def test_jit_0_switches_loops_off(monkeypatch):
    monkeypatch.setenv("SCRATCHGEN_JIT", "0")
    assert not compiles()


def test_sigmoid_and_softplus_are_right_for_logits_of_any_size():
    logits = np.array([-1000.0, -30.0, -1e-9, 0.0, 1e-9, 30.0, 1000.0])
    with np.errstate(over="raise", invalid="raise"):
        sigmoid, softplus = kernels.sigmoid(logits), kernels.softplus(logits)
    e = np.exp(-30.0)
    expected = [0, e / (1 + e), 0.5 - 2.5e-10, 0.5, 0.5 + 2.5e-10, 1 / (1 + e), 1]
    np.testing.assert_allclose(sigmoid, expected, rtol=1e-14)
    log2 = np.log(2)
    expected = [0, np.log1p(e), log2 - 5e-10, log2, log2 + 5e-10, 30 + np.log1p(e), 1000]
    np.testing.assert_allclose(softplus, expected, rtol=1e-14)


@needs_numba
@pytest.mark.parametrize("name", ["sigmoid", "softplus"])
def test_sigmoid_and_softplus_take_arrays_with_any_shape_and_strides(name):
    kernel, whole = getattr(kernels, name), np.linspace(-9, 9, 120).reshape(6, 5, 4)
    whole.flags.writeable = False
    for x in (whole, whole[::2, :, 1:], whole.T, whole[0, 0, 0:1], whole[:0], np.array(1.5)):
        with by_formulas():
            expected = kernel(np.array(x, order="C").astype(np.float32).astype(np.longdouble))
        with on_threads(1):
            y = kernel(x.astype(np.float32, copy=False))
        assert (y.shape, y.dtype) == (x.shape, np.float32)
        np.testing.assert_allclose(y, expected.astype(np.float32), rtol=4e-7)
        with by_formulas():
            expected = kernel(x)
        with on_threads(1):
            np.testing.assert_allclose(kernel(x), expected, rtol=1e-15)


@pytest.mark.parametrize("kind", ["bool", "int8", "uint8", "uint64", "int64"])
def test_whole_numbers_of_any_dtype_may_be_logits(kind):
    """Unsigned numbers and True cannot be negated."""
    for number in (0, 1):
        x = np.array([number], kind)
        assert kernels.sigmoid(x)[0] == pytest.approx(1 / (1 + np.exp(-number)), rel=1e-15)
        assert kernels.softplus(x)[0] == pytest.approx(np.log(1 + np.exp(number)), rel=1e-15)
    least = np.array([-128], "int8")
    assert kernels.softplus(least)[0] == pytest.approx(np.exp(-128), rel=1e-14)
