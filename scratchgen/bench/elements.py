"""Each kernel that has a twin, beside its NumPy reference."""

from functools import partial
from typing import Any

import numpy as np

from .. import nn
from ..kernels import fill_standard_normal
from ..kernels.sharing import threads
from ..kernels.twins import numba_works, references, want_twins
from .cases import CASES, normal, twins
from .machine import thread_counts, threads_text
from .result import Result, Row, time_text
from .settings import Settings
from .timing import Call, in_turns

ROWS, COLUMNS = 128, 784
ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.Tanh, nn.Sigmoid, nn.Softplus, nn.SiLU, nn.GELU)


def measure(settings: Settings) -> Result:
    """A row for each kernel: the times, and how many times as fast the twin is."""
    if not numba_works():
        return Result("Kernels", lines=["numba is not at work here, so no kernel has a twin"])
    want_twins()
    counts = thread_counts(settings.threads)
    many = settings.some(ROWS, 8)
    size = many * COLUMNS
    data: dict[str, Any] = {"size": size, "measured": {}}
    rows: list[Row] = []
    for name, (reference, twin) in {**kernels(many), **activations(many), **noise(many)}.items():
        times = one_kernel(reference, twin, counts, settings.rounds)
        data["measured"][name] = times
        before, best = times["reference"], times[str(counts[-1])]
        each = [time_text(times[str(n)]) for n in counts]
        ratio = f"{before / best:.1f}"
        rows.append((name, time_text(before), *each, ratio, f"{best / size * 1e9:.3f} ns"))
    head = ("", "NumPy", *map(threads_text, counts), "ratio", "a number")
    lines = [
        f"{size:,} numbers of float32; ratio: NumPy's time over that on {threads_text(counts[-1])}"
    ]
    if without := [name for name in twins() if name not in CASES]:
        lines.append(f"not timed, for want of a case in bench/cases.py: {', '.join(without)}")
    return Result("Kernels", head, rows, lines, data)


def kernels(rows: int) -> dict[str, tuple[Call, Call]]:
    """By name, the reference and the kernel, on arguments of their own."""

    def case(name: str) -> list[Any]:
        return CASES[name](rows, COLUMNS, "float32", 0)

    return {
        name: (partial(kernel.reference, *case(name)), partial(kernel, *case(name)))
        for name, kernel in twins().items()
        if name in CASES
    }


def activations(rows: int) -> dict[str, tuple[Call, Call]]:
    """The same for activations, forward and back, whose references are in their layers."""
    found: dict[str, tuple[Call, Call]] = {}
    x, dy = normal(0, "float32", (rows, COLUMNS), (rows, COLUMNS))
    for kind in ACTIVATIONS:
        layer, tape = kind(), nn.Tape()
        layer.forward(None, x, tape.begin(training=True))
        calls: dict[str, Call] = {
            "": partial(layer.forward, None, x, tape),
            " back": partial(layer.backward, None, dy, tape),
        }
        for way, call in calls.items():
            found[kind.__name__ + way] = (partial(by_reference, call), call)
    return found


def noise(rows: int) -> dict[str, tuple[Call, Call]]:
    """The same for draws of N(0, 1)."""
    call = partial(
        fill_standard_normal, np.random.default_rng(0), normal(0, "float32", (rows, COLUMNS))[0]
    )
    return {"fill_standard_normal": (partial(by_reference, call), call)}


def by_reference(call: Call) -> None:
    """The call with NumPy alone."""
    with references():
        call()


def one_kernel(reference: Call, twin: Call, counts: list[int], rounds: int) -> dict[str, float]:
    """Median seconds of its reference, and of the twin by number of threads."""

    def on(count: int) -> None:
        with threads(count):
            twin()

    calls: dict[str, Call] = {"reference": reference}
    calls |= {str(count): partial(on, count) for count in counts}
    return {key: one.median for key, one in in_turns(calls, rounds).items()}
