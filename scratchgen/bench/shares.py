"""Where the time of a training step goes: each kernel of it, and each call of Python.

A recorded step (kernels/recording.py) is a list of kernels and calls. Each is timed by itself, and
kernels ROWS times in a row: they find what they read in the caches of their own core, as far as
these hold it. In the step itself another core may have written it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..kernels.formulas import numba_works, want_loops
from ..kernels.plans import Table
from ..kernels.recording import Action, Call
from ..train.replay import StepEngine
from ..train.trainer import Trainer
from . import tasks
from .machine import peaks, threads_text
from .result import Result, Row, time_text
from .settings import Settings
from .timing import in_turns

ROWS = 20
WARM = 3  # steps: the first, the one that is recorded, and the one that is compared with the plan
TRIALS = 140  # steps, with four trials among them (kernels/sharing.py)
BATCH, SMALL = 512, 20


@dataclass(frozen=True)
class Part:
    """Something that a step does: `call` does it `often` times."""

    name: str
    call: Callable[[], Any]
    often: int = 1
    operations: float = 0.0  # each time, if it is a product


def measure(settings: Settings) -> Result:
    """A row for each kernel, in the order of the step, and for what Python does."""
    task = tasks.task(f"vae 784-128-20, batch {settings.some(BATCH, SMALL)}")
    title = f"Where a step's time goes: {task.name}"
    if not numba_works():
        return Result(title, lines=["numba is not at work here, so there are no loops to time"])
    want_loops()
    parts = parts_of(task, settings.threads)
    seconds: list[float] = []
    for part in reversed(parts):  # the whole first: parts by themselves take the weights anywhere
        times = in_turns({part.name: part.call}, settings.rounds)[part.name]
        seconds.insert(0, times.median / part.often)
    whole, of_parts = seconds[-1], sum(seconds[:-1])
    peak = peaks(settings).get(str(settings.threads), {}).get("float32")
    rows: list[Row] = []
    for part, time in zip(parts[:-1], seconds, strict=False):
        speed = part.operations / time
        rate = f"{speed / 1e9:.0f} GFLOP/s" if speed else ""
        of_peak = f"{speed / peak:.0%}" if speed and peak else ""
        rows.append((part.name, time_text(time), f"{time / of_parts:.1%}", rate, of_peak))
    rows.append(("the whole step", time_text(whole), "", "", ""))
    head = ("", "time", "of all parts", "", "of peak")
    lines = [
        f"on {threads_text(settings.threads)}; parts {time_text(of_parts)}, each by itself; "
        "fit adds its loop to the whole step"
    ]
    measured = [[part.name, time] for part, time in zip(parts, seconds, strict=True)]
    return Result(title, head, rows, lines, {"task": task.name, "measured": measured})


def parts_of(task: tasks.Task, threads: int) -> list[Part]:
    """All of a recorded step, in its order; the last is the step as a whole."""
    model, x = tasks.model(task), tasks.examples(task, 4 * task.batch)
    trainer = Trainer(model, tasks.optimizers(task))
    rng = np.random.default_rng(0)
    steps = StepEngine(trainer, model.check(x), None, rng, replay=True)
    for _ in range(WARM):
        steps.step(rng.permutation(len(x))[: task.batch])
    (plan,) = steps.plans()
    parts: list[Part] = []
    for one in plan.events:
        if isinstance(one, Call):
            name, operations = described(one)
            parts.append(Part(name, Table([one] * ROWS, threads).run_together, ROWS, operations))
        elif isinstance(one, Action):
            name = f"Python: {described_action(one)}"
            parts.append(Part(name, partial(undisturbed, one.f, *one.args)))
    whole = partial(undisturbed, plan.run)
    for _ in range(TRIALS):  # then the next trial of one thread is far
        whole()
    return [*parts, Part("whole", whole)]


def undisturbed(f: Callable[..., Any], *args: Any) -> None:
    """f(*args): Adam many times in a row takes weights to where numbers overflow."""
    with np.errstate(all="ignore"):
        f(*args)


def described_action(action: Action) -> str:
    """The name of what Python does: of the formula, where it is one."""
    f = action.args[0] if action.f.__name__.startswith("_again") else action.f
    return str(f.__qualname__)


def described(call: Call) -> tuple[str, float]:
    """A kernel's name with its shapes, and its operations, if it is a product."""
    name = call.loop.__name__.removesuffix("_loop")
    shapes = [one.shape for one in call.args if isinstance(one, np.ndarray)]
    if not name.startswith("multiply"):
        return f"{name} {' x '.join(map(str, max(shapes, key=math.prod)))}", 0.0
    (rows, depth), (_, columns) = shapes[:2]
    return f"product {rows} x {depth} x {columns}", 2.0 * rows * depth * columns
