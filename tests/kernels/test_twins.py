"""Every Numba twin against the NumPy reference above it."""

import functools
import inspect
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchgen import kernels
from scratchgen.bench.cases import CASES, adam_step, twins
from scratchgen.kernels import BATCH
from scratchgen.kernels import twins as which
from scratchgen.kernels.compiling import for_python
from scratchgen.kernels.plans import at_once
from scratchgen.kernels.recording import Call
from scratchgen.kernels.twins import compiles, numba_works
from scratchgen.versions import is_installed

TWINS = twins()
is_thorough = settings().max_examples > 100
# a twin for several threads takes a second to compile; in the thorough profile it is all of them
SHARED = ["adam_step", "bernoulli_pass", "draw_and_kl_back", "layer_norm_back", "take_rows"]

needs_numba = pytest.mark.skipif(
    not is_installed("numba"), reason="numba is not installed: there are no twins to compare"
)


def run_twin(name: str, parts: int, case: list) -> None:
    """The twin on so many threads."""
    kernel = TWINS[name]
    if parts == 1 or not numba_works():  # NUMBA_DISABLE_JIT: one part after the other
        for part in range(parts):
            for_python(kernel.loop)(part, parts, *case)
    else:
        at_once(Call(kernel.loop, tuple(case), 1), parts)


def test_every_twin_has_a_case():
    assert set(CASES) == set(TWINS)


def roles(name: str) -> list[str]:
    """The names of a kernel's arguments."""
    return list(inspect.signature(TWINS[name].reference).parameters)


@pytest.mark.parametrize("name", sorted(TWINS))
def test_a_twin_takes_what_its_reference_takes(name):
    code = TWINS[name].loop.__code__
    names = code.co_varnames[: code.co_argcount]
    assert names == ("part", "parts", *inspect.signature(TWINS[name].reference).parameters)


@needs_numba
@pytest.mark.parametrize(("rows", "columns"), [(0, 1), (5, 1), (3, 15), (7, 17), (4, 1000)])
@pytest.mark.parametrize("name", sorted(TWINS) if is_thorough else SHARED)
def test_the_number_of_parts_does_not_show(name, rows, columns):
    outcomes = []
    for parts in (1, 2, 3):
        case = CASES[name](rows, columns, "float32", 0)
        run_twin(name, parts, case)
        written = (a for role, a in zip(roles(name), case, strict=True) if role != "_terms")
        outcomes.append(b"".join(np.asarray(one).tobytes() for one in written))
    assert outcomes[0] == outcomes[1] == outcomes[2]


@needs_numba
@given(
    st.sampled_from(sorted(CASES)),
    st.integers(0, 7),
    st.integers(1, 300),
    st.integers(0, 2**32),
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_twin_gives_what_its_reference_gives(dtype, name, rows, columns, seed):
    ours, reference = (CASES[name](rows, columns, dtype, seed) for _ in range(2))
    run_twin(name, 1, ours)
    TWINS[name].reference(*reference)
    # a few roundings apart: relative to what the numbers were made of, which is of order 1, and to
    # how many of them were summed up
    eps = np.finfo(dtype).eps
    summed = columns if "_terms" in roles(name) else BATCH if name == "sum_blocks" else 0
    for role, a, b in zip(roles(name), ours, reference, strict=True):
        if role != "_terms":  # room for the twin alone
            np.testing.assert_allclose(a, b, rtol=8 * eps, atol=(8 + 4 * summed) * eps)


@needs_numba
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adam_and_its_twin_flush_moments_that_would_become_denormal(dtype):
    least = np.finfo(dtype).tiny
    adam = TWINS["adam_step"]
    for step in (functools.partial(for_python(adam.loop), 0, 1), adam.reference):
        theta, g, m, v, *numbers = adam_step(1, 3, dtype, 0)
        g[:], m[:], v[:] = 0, [least, -least, 2 * least], [least, 0, 2 * least]
        step(theta, g, m, v, *numbers)
        assert (m != 0).tolist() == [False, False, True]
        assert (v != 0).tolist() == [False, False, True]


def run(code: str, **environment: str) -> str:
    """What a fresh interpreter prints."""
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
def test_training_compiles_where_numba_is_installed_and_not_where_it_is_switched_off():
    assert run(TRAIN, SCRATCHGEN_JIT="1") == "True"
    assert run(TRAIN, SCRATCHGEN_JIT="0") == "False"


@needs_numba
class Refusing:
    """Finds numba, which is then not imported."""

    def __init__(self, problem: Exception) -> None:
        self.problem = problem

    def find_spec(self, name, *_):
        if name == "numba":
            raise self.problem


@pytest.mark.parametrize(
    "problem",
    [
        ImportError("Numba needs NumPy 2.4 or less."),
        ValueError("Number of threads specified must be > 0."),  # NUMBA_NUM_THREADS=0
    ],
)
def test_a_numba_that_cannot_be_imported_is_named_and_the_references_run(problem, monkeypatch):
    monkeypatch.setattr("scratchgen.kernels.twins.compiles", lambda: True)
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Refusing(problem)])
    text = rf"numba is installed and cannot be imported \({problem}\)"
    with pytest.warns(RuntimeWarning, match=text):
        assert not which.numba_works.__wrapped__()


def test_without_numba_the_reference_runs(monkeypatch):
    monkeypatch.setenv("SCRATCHGEN_JIT", "0")
    assert not compiles()


def test_sigmoid_and_softplus_are_right_at_any_size():
    logits = np.array([-1000.0, -30.0, -1e-9, 0.0, 1e-9, 30.0, 1000.0])
    with np.errstate(over="raise", invalid="raise"):
        sigmoid, softplus = kernels.sigmoid(logits), kernels.softplus(logits)
    e = np.exp(-30.0)
    wanted = [0, e / (1 + e), 0.5 - 2.5e-10, 0.5, 0.5 + 2.5e-10, 1 / (1 + e), 1]
    np.testing.assert_allclose(sigmoid, wanted, rtol=1e-14)
    log2 = np.log(2)
    wanted = [0, np.log1p(e), log2 - 5e-10, log2, log2 + 5e-10, 30 + np.log1p(e), 1000]
    np.testing.assert_allclose(softplus, wanted, rtol=1e-14)


@needs_numba
@pytest.mark.parametrize("name", ["sigmoid", "softplus"])
def test_sigmoid_and_softplus_take_arrays_of_any_kind(name, monkeypatch):
    monkeypatch.setattr(which, "twins_run", lambda: True)
    kernel, whole = getattr(kernels, name), np.linspace(-9, 9, 120).reshape(6, 5, 4)
    whole.flags.writeable = False
    for x in (whole, whole[::2, :, 1:], whole.T, whole[0, 0, 0:1], whole[:0], np.array(1.5)):
        with which.references():
            wanted = kernel(np.array(x, order="C").astype(np.float32).astype(np.longdouble))
        y = kernel(x.astype(np.float32, copy=False))
        assert (y.shape, y.dtype) == (x.shape, np.float32)
        np.testing.assert_allclose(y, wanted.astype(np.float32), rtol=4e-7)
        with which.references():
            wanted = kernel(x)
        out = np.full(x.shape, np.nan)
        assert kernel(x, out=out) is out
        np.testing.assert_allclose(out, wanted, rtol=1e-15)
        backwards = np.full((*x.shape, 2), np.nan)[..., 0]  # not in order: NumPy writes it
        np.testing.assert_allclose(kernel(x, out=backwards), wanted, rtol=1e-15)
        assert kernel(x, out=backwards) is backwards


@pytest.mark.parametrize("kind", ["bool", "int8", "uint8", "uint64", "int64"])
def test_whole_numbers_of_any_kind_are_logits(kind):
    """Those without a sign have no negative, and True has none either."""
    for number in (0, 1):
        x = np.array([number], kind)
        assert kernels.sigmoid(x)[0] == pytest.approx(1 / (1 + np.exp(-number)), rel=1e-15)
        assert kernels.softplus(x)[0] == pytest.approx(np.log(1 + np.exp(number)), rel=1e-15)
    least = np.array([-128], "int8")
    assert kernels.softplus(least)[0] == pytest.approx(np.exp(-128), rel=1e-14)
