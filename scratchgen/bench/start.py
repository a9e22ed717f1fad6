"""The time from the start of a process to its first training step, and the time of an import.

    cold      nothing is compiled yet: XDG_CACHE_HOME is an empty folder
    warm      the same again, with the compiled kernels in that folder

Python itself is twice as slow on some CPUs as on others. So each time is also given in units: the
seconds of UNIT, a plain loop, on this machine. Python's bytecode is there from the beginning, as
in an installed package.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from .result import Result, Row, spread_text, time_text
from .settings import Settings
from .timing import Times

FIRST = """
import time, numpy as np, scratchgen as sg
x = np.random.default_rng(0).random((128, 784), dtype=np.float32)
model = sg.models.vae((784,), latent=20, hidden=(128,), likelihood="bernoulli", rng=0)
sg.fit(model, x, epochs=1, batch_size=128, seed=0)
print(time.time())
"""
UNIT = """
import time
began = time.perf_counter()
s = 0
for i in range(10**7): s += i * i
print(time.perf_counter() - began)
"""
IMPORT = """
import time, numpy
began = time.perf_counter()
import scratchgen
print(time.perf_counter() - began)
"""

AIMS = {"first step, cold cache": 4.0, "first step, warm cache": 0.4}  # units
COLD = 3  # rounds with a cold cache, which take seconds


def measure(settings: Settings) -> Result:
    """A row for each kind of start."""
    rounds, name = settings.some(settings.rounds, 1), "first step, {} cache".format
    unit = Times(tuple(float(printed(UNIT, os.environ)) for _ in range(settings.some(COLD, 1))))
    times: dict[str, Times] = {}
    with tempfile.TemporaryDirectory() as folder:
        env = settings.environment(PYTHONPYCACHEPREFIX=folder)
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        printed(FIRST, {**env, "SCRATCHGEN_JIT": "0"})  # which writes the bytecode
        caches = [Path(folder, f"cache {i}") for i in range(COLD)]
        if not settings.quick:
            env.pop("NUMBA_CACHE_DIR", None)
            printed("import numba", env)
            cold = tuple(run(FIRST, {**env, "XDG_CACHE_HOME": str(cache)}) for cache in caches)
            times[name("cold")] = Times(cold)
            env["XDG_CACHE_HOME"] = str(caches[0])
        times[name("warm")] = Times(tuple(run(FIRST, env) for _ in range(rounds)))
        without = {**env, "SCRATCHGEN_JIT": "0"}
        times["first step, no numba"] = Times(tuple(run(FIRST, without) for _ in range(rounds)))
        imports = [float(printed(IMPORT, env)) for _ in range(rounds)]
        times["import scratchgen, after numpy"] = Times(tuple(imports))
    if not settings.quick and has_warmup():
        times["scratchgen warmup, cold cache"] = Times((warmup(settings),))
    return report(times, unit)


def report(times: dict[str, Times], unit: Times) -> Result:
    """The times as a table, in seconds and in units."""
    rows: list[Row] = [
        (
            name,
            time_text(entry.median),
            spread_text(entry.least, entry.most),
            f"{entry.median / unit.median:.3g}",
            f"{AIMS[name]:.3g}" if name in AIMS else "",
        )
        for name, entry in times.items()
    ]
    lines = [
        "first step: from the start of the process, with imports and building the model",
        f"unit: {time_text(unit.median)}, the time of 10 million iterations of a loop in Python",
    ]
    data = {name: entry.record() for name, entry in {**times, "unit": unit}.items()}
    return Result("From the start", ("", "time", "range", "units", "aim"), rows, lines, data)


def run(code: str, env: dict[str, str]) -> float:
    """Seconds from the start of a new interpreter to the time that the code prints."""
    began = time.time()
    return float(printed(code, env)) - began


def printed(code: str, env: "os._Environ[str] | dict[str, str]") -> str:
    """The output of a new interpreter that runs the code."""
    done = subprocess.run(
        [sys.executable, "-c", code], env=dict(env), capture_output=True, text=True, check=True
    )
    return done.stdout


def command(*words: str) -> Sequence[str]:
    """The command line `scratchgen` with these words."""
    return [sys.executable, "-m", "scratchgen", *words]


def has_warmup() -> bool:
    """Whether `scratchgen warmup` exists in the installed version."""
    return not subprocess.run(command("warmup", "--help"), capture_output=True).returncode


def warmup(settings: Settings) -> float:
    """Seconds that `scratchgen warmup` takes with an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        env = settings.environment(XDG_CACHE_HOME=folder)
        env.pop("NUMBA_CACHE_DIR", None)
        began = time.perf_counter()
        subprocess.run(command("warmup"), env=env, capture_output=True, check=True)
        return time.perf_counter() - began
