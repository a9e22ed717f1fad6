"""Memory holds NaN until a step writes it, so numbers that nobody wrote spoil the results.

Otherwise new memory, and that of the last step, often hold numbers that look right.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from scratchgen.kernels import workspaces as memory
from scratchgen.kernels.formulas import by_loops
from scratchgen.kernels.plans import Plan
from scratchgen.kernels.workspaces import Workspace
from scratchgen.models import Model
from scratchgen.train import Trainer

ONES = 255  # in all bytes: NaN in float32 and float64, -1 in int64


@contextmanager
def filled(way: Callable[[], Any] = by_loops) -> Iterator[None]:
    """Within it, kernels return arrays in such memory, and each step uses that of the last step.

    A step is a step of training, replayed or not, or one call of an objective. All calls outside
    of these are one step together. Loops run if there are any, because arrays of NumPy formulas
    lie in a workspace only while a step is recorded.
    """
    with pytest.MonkeyPatch.context() as patch:
        fill_workspaces(patch)
        with way(), Workspace().step():
            patch.setattr(Trainer, "step", as_steps(Trainer.step))
            patch.setattr(Model, "objective", as_steps(Model.objective))
            yield


def fill_workspaces(patch: pytest.MonkeyPatch) -> None:
    """Make workspaces fill all their memory when a step or a plan begins, and each new array."""
    init, step, run = Workspace.__init__, Workspace.step, Plan.run
    workspaces: list[Workspace] = []

    def init_filling(self: Workspace, guards: bool = False, **_sizes: int) -> None:
        init(self, True, guards)
        workspaces.append(self)

    @contextmanager
    def step_on_nan(self: Workspace, kind: Any = None) -> Iterator[None]:
        if not self._is_in_use:
            fill(self)
        with step(self, kind):
            yield

    def run_on_nan(plan: Plan) -> None:
        written = [x for event in plan.events for x in event.writes()]
        for workspace in workspaces:
            if any(map(workspace.holds, written)):
                fill(workspace)
        run(plan)

    patch.setattr(Workspace, "__init__", init_filling)
    patch.setattr(Workspace, "step", step_on_nan)
    patch.setattr(Plan, "run", run_on_nan)


def fill(workspace: Workspace) -> None:
    """Overwrite what the last step left."""
    for chunk in workspace._chunks:
        chunk.fill(ONES)


def as_steps(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, so that each call is a step of a workspace, unless it is within another step."""
    workspace, here = Workspace(guards=True), memory._step.get()

    @functools.wraps(method)
    def in_a_step(*args: Any, **kwargs: Any) -> Any:
        if memory._step.get() is not here:
            return method(*args, **kwargs)
        with workspace.step():
            return method(*args, **kwargs)

    return in_a_step
