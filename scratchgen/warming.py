"""`scratchgen warmup`: compile every kernel now, so that no first step waits for it later."""

import argparse
import time

import numpy as np

from . import kernels, nn
from .bench.cases import CASES, normal, twins
from .bench.elements import ACTIVATIONS
from .kernels.plans import at_once
from .kernels.recording import Call
from .kernels.twins import compiles
from .kernels.twins import twins as run_twins
from .printing import say
from .versions import require


def warmup(_options: argparse.Namespace) -> int:
    """Compile, or find compiled, the twins of all kernels, and say where they are kept."""
    require("numba", "warmup")
    if not compiles():
        say("SCRATCHGEN_JIT=0: kernels run as NumPy, and there is nothing to compile")
        return 0
    from .kernels.native.caching import folder

    start = time.perf_counter()
    with run_twins():
        for dtype in ("float32", "float64"):
            call_all(dtype)
        together()
    say(f"every kernel in float32 and float64, {time.perf_counter() - start:.1f} s")
    kept = folder()
    say(f"kept in {kept}" if kept else "kept nowhere, because no cache folder can be written")
    return 0


def together() -> None:
    """A kernel on two threads, which compiles what shares kernels out."""
    out = np.zeros(1000, np.float32)
    at_once(Call(twins()["add_scaled"].loop, (out, out, np.float32(1), out), 1), 2)


def call_all(dtype: str) -> None:
    """Each kernel once, on little."""
    for name, kernel in twins().items():
        kernel(*CASES[name](2, 4, dtype, 0))
    x, w, y, dy, dv = normal(0, dtype, *[(2, 2)] * 5)
    kernels.times(x, w, np.empty_like(y))
    kernels.fill_standard_normal(np.random.default_rng(0), np.empty(1000, dtype))
    for kind in ACTIVATIONS:
        layer, tape = kind(), nn.Tape().begin(training=True)
        layer.forward(None, x, tape)
        layer.backward(None, dy, tape)
        layer.tangent(None, dy, tape)
        layer.tangent_backward(None, dy, dv, tape)
