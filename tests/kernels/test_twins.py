"""Every Numba twin against the NumPy reference above it."""

import functools
import inspect
import os
import subprocess
import sys
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchgen import kernels
from scratchgen.kernels import compiling
from scratchgen.kernels.compiling import compiles, in_parts
from scratchgen.versions import is_installed

ROOM = [module for name, module in sys.modules.items() if name.startswith("scratchgen.kernels.")]
TWINS = {
    kernel.loop.__name__: kernel
    for module in ROOM
    for kernel in vars(module).values()
    if isinstance(kernel, types.FunctionType) and hasattr(kernel, "loop")
}

needs_numba = pytest.mark.skipif(
    not is_installed("numba"), reason="numba is not installed: there are no twins to compare"
)


def adam_case(size: int, dtype: str, seed: int) -> list:
    rng, number = np.random.default_rng(seed), np.dtype(dtype).type
    theta, g, m = (rng.standard_normal(size).astype(dtype) for _ in range(3))
    v = rng.random(size).astype(dtype)
    numbers = (1e-2, 0.9, 0.999, 1e-8, 10.0, 1000.0, np.finfo(dtype).tiny)
    return [theta, g, m, v, *map(number, numbers)]


def add_rows_case(size: int, dtype: str, seed: int) -> list:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in ((size % 7, size), size)]


def logits_case(size: int, dtype: str, seed: int) -> list:
    rng = np.random.default_rng(seed)
    return [4 * rng.standard_normal(size).astype(dtype), np.zeros(size, dtype)]


def normal(seed: int, dtype: str, *shapes: tuple[int, ...]) -> list:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def draw_and_kl_case(size: int, dtype: str, seed: int) -> list:
    heads, noise, z = normal(seed, dtype, (size, 40), (size, 20), (size, 20))
    return [heads, noise, z, np.zeros(20)]


def draw_and_kl_back_case(size: int, dtype: str, seed: int) -> list:
    return normal(seed, dtype, (size, 40), (size, 20), (size, 20), (20,), (size, 40))


def bernoulli_pass_case(size: int, dtype: str, seed: int) -> list:
    x = np.random.default_rng(seed).random((size % 5, size)).astype(dtype)
    arrays = normal(seed, dtype, x.shape, x.shape[:1], x.shape[:1], x.shape)
    return [x, *arrays, np.empty((5, size), dtype)]


def take_rows_case(size: int, dtype: str, seed: int) -> list:
    x, out = normal(seed, dtype, (9, size), (size % 7, size))
    return [x, np.random.default_rng(seed).integers(0, 9, len(out)), out]


def rows_case(size: int, dtype: str, seed: int, names: tuple[str, ...]) -> list:
    n = seed % 6
    shapes = {"x": (n, size), "number": (n,), "terms": (5, size)}
    return normal(seed, dtype, *(shapes[name] for name in names))


CASES = {
    "between": functools.partial(rows_case, names=("x", "x", "number", "x")),
    "row_norms": functools.partial(rows_case, names=("x", "number", "terms")),
    "scale_rows": functools.partial(rows_case, names=("x", "number", "x")),
    "adam_step": adam_case,
    "add_rows": add_rows_case,
    "bernoulli_pass": bernoulli_pass_case,
    "draw_and_kl": draw_and_kl_case,
    "draw_and_kl_back": draw_and_kl_back_case,
    "take_rows": take_rows_case,
    "write_sigmoid": logits_case,
    "write_softplus": logits_case,
}


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
@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(TWINS))
def test_the_number_of_parts_does_not_show(name, dtype, size):
    outcomes = []
    for parts in (1, 2, 3):
        case = CASES[name](size, dtype, 0)
        in_parts(TWINS[name].loop, TWINS[name].flags)(parts, *case)
        written = (a for role, a in zip(roles(name), case, strict=True) if role != "_terms")
        outcomes.append(b"".join(array.tobytes() for array in written))
    assert outcomes[0] == outcomes[1] == outcomes[2]


@needs_numba
@given(st.sampled_from(sorted(CASES)), st.integers(1, 300), st.integers(0, 2**32))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_twin_gives_what_its_reference_gives(dtype, name, size, seed):
    case, twin = CASES[name], in_parts(TWINS[name].loop, TWINS[name].flags)
    ours, reference = case(size, dtype, seed), case(size, dtype, seed)
    twin(2, *ours)
    TWINS[name].reference(*reference)
    # a few roundings apart: relative to what the numbers were made of, which is of order 1
    tolerance = 8 * np.finfo(dtype).eps
    for role, a, b in zip(roles(name), ours, reference, strict=True):
        if role != "_terms":  # room for the twin alone
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@needs_numba
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adam_and_its_twin_flush_moments_that_would_become_denormal(dtype):
    least = np.finfo(dtype).tiny
    adam = TWINS["adam_step"]
    for step in (functools.partial(in_parts(adam.loop), 1), adam.reference):
        theta, g, m, v, *numbers = adam_case(3, dtype, 0)
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
def test_compiling_works_where_no_cache_can_be_written(tmp_path):
    (tmp_path / "file").touch()
    no_folder = str(tmp_path / "file" / "below")
    assert run(TRAIN, SCRATCHGEN_JIT="1", NUMBA_CACHE_DIR=no_folder) == "True"


@needs_numba
def test_a_numba_that_cannot_be_imported_is_named_and_the_references_run(monkeypatch):
    monkeypatch.setattr("scratchgen.kernels.compiling.compiles", lambda: True)
    monkeypatch.setitem(sys.modules, "numba", None)  # as where it refuses a newer NumPy
    with pytest.warns(RuntimeWarning, match="numba is installed and cannot be imported"):
        assert not compiling.numba_works.__wrapped__()


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
    monkeypatch.setattr(compiling, "twins_run", lambda: True)
    kernel, whole = getattr(kernels, name), np.linspace(-9, 9, 120).reshape(6, 5, 4)
    whole.flags.writeable = False
    for x in (whole, whole[::2, :, 1:], whole.T, whole[0, 0, 0:1], whole[:0], np.array(1.5)):
        with compiling.references():
            wanted = kernel(np.array(x, order="C").astype(np.float32).astype(np.longdouble))
        y = kernel(x.astype(np.float32, copy=False))
        assert (y.shape, y.dtype) == (x.shape, np.float32)
        np.testing.assert_allclose(y, wanted.astype(np.float32), rtol=4e-7)
        with compiling.references():
            wanted = kernel(x)
        out = np.full(x.shape, np.nan)
        assert kernel(x, out=out) is out
        np.testing.assert_allclose(out, wanted, rtol=1e-15)
        backwards = np.full((*x.shape, 2), np.nan)[..., 0]  # not in order: NumPy writes it
        np.testing.assert_allclose(kernel(x, out=backwards), wanted, rtol=1e-15)
        assert kernel(x, out=backwards) is backwards
