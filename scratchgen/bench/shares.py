"""Where the time of a training step goes: each kernel of it, and each call of Python.

A recorded step (kernels/recording.py) is a list of kernels and calls. Each is timed by itself, and
kernels ROWS times in a row: they find what they read in the caches of their own core, as far as
these hold it. In the step itself another core may have written it.
"""

import math
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from ..errors import DivergedError
from ..kernels.plans import Plan, Table
from ..kernels.recording import Action, Call, recording
from ..kernels.twins import numba_works, want_twins
from ..train.routine import Routine
from ..train.step import Trainer
from . import tasks
from .machine import peaks, threads_text
from .result import Result, Row, time_text
from .settings import Settings
from .timing import Times, in_turns

ROWS = 20
WARM = 2  # steps before the one that is recorded
TRIALS = 140  # steps, with four trials among them (kernels/sharing.py)
BATCH, SMALL = 512, 20


def measure(settings: Settings) -> Result:
    """A row for each kernel, in the order of the step, and for what Python does."""
    task = tasks.task(f"vae 784-128-20, batch {settings.some(BATCH, SMALL)}")
    title = f"Where a step's time goes: {task.name}"
    if not numba_works():
        return Result(title, lines=["numba is not at work here, so no step is replayed"])
    want_twins()
    parts = parts_of(task, settings.threads)
    calls = {str(i): call for i, (_, _, call, _) in enumerate(parts)}
    # the whole comes first: parts that run by themselves take the weights to where nothing is usual
    times: dict[str, Times] = {}
    for name in reversed(calls):
        times |= in_turns({name: calls[name]}, settings.rounds)
    seconds = [times[str(i)].median / often for i, (*_, often) in enumerate(parts)]
    whole, of_parts = seconds[-1], sum(seconds[:-1])
    peak = peaks(settings).get(str(settings.threads), {}).get("float32")
    rows: list[Row] = []
    for (name, operations, _, _), time in zip(parts, seconds, strict=True):
        rate = f"{operations / time / 1e9:.0f} GFLOP/s" if operations else ""
        of_peak = f"{operations / time / peak:.0%}" if operations and peak else ""
        rows.append((name, time_text(time), f"{time / of_parts:.1%}", rate, of_peak))
    rows[-1] = ("the whole step", time_text(whole), "", "", "")
    head = ("", "time", "of all parts", "", "of peak")
    lines = [
        f"on {threads_text(settings.threads)}; parts {time_text(of_parts)}, each by itself; "
        "fit adds its loop to the whole step"
    ]
    measured = [[name, time] for (name, *_), time in zip(parts, seconds, strict=True)]
    return Result(title, head, rows, lines, {"task": task.name, "measured": measured})


def parts_of(task: tasks.Task, threads: int) -> list[tuple[str, float, Callable[[], Any], int]]:
    """By name: operations, if it is a product, what to call, and how often that does it.

    The last is the step as a whole.
    """
    model, x = tasks.model(task), tasks.examples(task, 4 * task.batch)
    trainer = Trainer(model, tasks.optimizers(task))
    rng = np.random.default_rng(0)
    routine = Routine(trainer, model.check(x), None, rng)
    for _ in range(WARM):
        routine.step(rng.permutation(len(x))[: task.batch])
    with recording() as notes:
        routine.step(rng.permutation(len(x))[: task.batch])
    parts: list[tuple[str, float, Callable[[], Any], int]] = []
    for one in [*notes.ahead, *notes.middle, *notes.last]:
        if isinstance(one, Action):
            name = f"Python: {one.f.__qualname__}"
            parts.append((name, 0.0, partial(undisturbed, one.f, *one.args), 1))
        else:
            name, operations = described(one)
            parts.append((name, operations, Table([one] * ROWS, threads).run_together, ROWS))
    whole = partial(undisturbed, Plan(notes, threads).run)
    for _ in range(TRIALS):  # then the next trial of one thread is far
        whole()
    return [*parts, ("whole", 0.0, whole, 1)]


def undisturbed(f: Callable[..., Any], *args: Any) -> None:
    """f(*args): Adam many times in a row takes the loss to where training ends with an error."""
    with suppress(DivergedError):
        f(*args)


def described(call: Call) -> tuple[str, float]:
    """A kernel's name with its shapes, and its operations, if it is a product."""
    name = call.loop.__name__
    shapes = [one.shape for one in call.args if isinstance(one, np.ndarray)]
    if not name.startswith("multiply"):
        return f"{name} {' x '.join(map(str, max(shapes, key=math.prod)))}", 0.0
    (rows, depth), (_, columns) = shapes[:2]
    return f"product {rows} x {depth} x {columns}", 2.0 * rows * depth * columns
