"""Where the time of a training step goes: each of its kernels, and each call into Python.

A recorded step (kernels/recording.py) is a list of kernels and calls. Each is measured by itself,
kernels ROWS times in a row, so that their operands are in the caches of their own core if they fit.
In the step itself another core may have written them.
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
from .result import Result, time_text
from .settings import Settings
from .timing import in_turns

ROWS = 20
WARM = 3  # steps: the first, the recorded one, and the one that the plan is compared with
TRIALS = 140  # steps; four of them are trials of one thread (kernels/sharing.py)
TASKS = ("vae 784-128-20", "gaussian 784-128-20")
BATCH, SMALL = 512, 20


@dataclass(frozen=True)
class Part:
    """A part of a step; `call` runs it `often` times."""

    name: str
    call: Callable[[], Any]
    often: int = 1
    operations: float = 0.0  # of a product, each time


def measure(settings: Settings) -> Result:
    """For each task, a row for each kernel and each call into Python, in the order of the step."""
    title = "Where a step's time goes"
    if not numba_works():
        return Result(title, lines=["no numba here, so there are no compiled loops to measure"])
    want_loops()
    peak = peaks(settings).get(str(settings.threads), {}).get("float32")
    head = ("", "time", "of all parts", "", "of peak")
    result = Result(title, head, data={"tasks": {}})
    for name in TASKS:
        one_task(tasks.task(f"{name}, batch {settings.some(BATCH, SMALL)}"), settings, peak, result)
    return result


def one_task(task: tasks.Task, settings: Settings, peak: float | None, result: Result) -> None:
    """Add the parts of the task's step to the result."""
    parts = parts_of(task, settings.threads)
    seconds: list[float] = []
    for part in reversed(parts):  # the whole step first: parts alone ruin the weights
        times = in_turns({part.name: part.call}, settings.rounds)[part.name]
        seconds.insert(0, times.median / part.often)
    whole, of_parts = seconds[-1], sum(seconds[:-1])
    result.rows.append((task.name, "", "", "", ""))
    for part, time in zip(parts[:-1], seconds, strict=False):
        speed = part.operations / time
        rate = f"{speed / 1e9:.0f} GFLOP/s" if speed else ""
        of_peak = f"{speed / peak:.0%}" if speed and peak else ""
        result.rows.append((part.name, time_text(time), f"{time / of_parts:.1%}", rate, of_peak))
    result.rows.append(("the whole step", time_text(whole), "", "", ""))
    result.lines.append(
        f"{task.name}, on {threads_text(settings.threads)}: the parts add up to "
        f"{time_text(of_parts)}, each measured alone; fit adds its own loop to the whole step"
    )
    result.data["tasks"][task.name] = [
        [part.name, time] for part, time in zip(parts, seconds, strict=True)
    ]


def parts_of(task: tasks.Task, threads: int) -> list[Part]:
    """All parts of a recorded step, in its order; the last one is the whole step."""
    model, x = tasks.model(task), tasks.examples(task, 4 * task.batch)
    trainer = Trainer(model, tasks.optimizers(task))
    rng = np.random.default_rng(0)
    steps = StepEngine(trainer, model.check(x), None, rng, replay=True)
    for _ in range(WARM):
        steps.step(rng.permutation(len(x))[: task.batch])
    (plan,) = steps.plans()
    parts: list[Part] = []
    for event in plan.events:
        if isinstance(event, Call):
            name, operations = described(event)
            call = Table([event] * ROWS, threads).run_together
            parts.append(Part(name, call, ROWS, operations))
        elif isinstance(event, Action):
            name = f"Python: {described_action(event)}"
            parts.append(Part(name, partial(without_warnings, event.f, *event.args)))
    whole = partial(without_warnings, plan.run)
    for _ in range(TRIALS):  # after these, the next trial of one thread is far away
        whole()
    return [*parts, Part("whole", whole)]


def without_warnings(f: Callable[..., Any], *args: Any) -> None:
    """f(*args) without warnings: many steps of Adam on one gradient make numbers overflow."""
    with np.errstate(all="ignore"):
        f(*args)


def described_action(action: Action) -> str:
    """The name of the function that Python runs, or of its formula."""
    f = action.args[0] if action.f.__name__.startswith("_again") else action.f
    return str(f.__qualname__)


def described(call: Call) -> tuple[str, float]:
    """A kernel's name with its shapes, and its operations, if it is a product."""
    name = call.loop.__name__.removesuffix("_loop")
    shapes = [array.shape for array in call.args if isinstance(array, np.ndarray)]
    if not name.startswith("multiply"):
        return f"{name} {' x '.join(map(str, max(shapes, key=math.prod)))}", 0.0
    (rows, depth), (_, columns) = shapes[:2]
    return f"product {rows} x {depth} x {columns}", 2.0 * rows * depth * columns
