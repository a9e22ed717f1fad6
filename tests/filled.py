"""Memory that holds NaN until it is written: what reads a number that nobody wrote, finds none.

In new memory, and where the last step lay, there are often numbers that look right.
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

ONES = 255  # in all bytes: NaN as float32 and float64, -1 as int64


@contextmanager
def filled(which: Callable[[], Any] = by_loops) -> Iterator[None]:
    """Within it kernels return what lies in such memory, each step's where the last one's lay.

    A step is one of training, replayed or not, or an objective; what is called outside of these is
    one step together. Kernels run as loops, where there are any: of what NumPy's formulas return,
    only a step that is recorded lies in a workspace.
    """
    with pytest.MonkeyPatch.context() as patch:
        fill_workspaces(patch)
        with which(), Workspace().step():
            patch.setattr(Trainer, "step", as_steps(Trainer.step))
            patch.setattr(Model, "objective", as_steps(Model.objective))
            yield


def fill_workspaces(patch: pytest.MonkeyPatch) -> None:
    """From now on workspaces fill what they hand out, and all where a step or plan begins."""
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
    """Nothing of the last step is left."""
    for chunk in workspace._chunks:
        chunk.fill(ONES)


def as_steps(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method, each call of which is a step of a workspace, where it is not within one."""
    workspace, here = Workspace(guards=True), memory._step.get()

    @functools.wraps(method)
    def in_a_step(*args: Any, **kwargs: Any) -> Any:
        if memory._step.get() is not here:
            return method(*args, **kwargs)
        with workspace.step():
            return method(*args, **kwargs)

    return in_a_step
