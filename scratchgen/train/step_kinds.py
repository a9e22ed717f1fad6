"""Each kind of step has a plan of its own.

Steps are of one kind if they have the same number of examples, the same players, threads, and loops
or formulas, and if the attributes of the model and the optimizers of the trainer are the same,
because a callback may change them.
"""

from typing import Any

import numpy as np

from .. import kernels
from ..ground.arguments import Array
from ..kernels.formulas import loops_run
from ..kernels.plans import Plan
from ..kernels.workspaces import Workspace
from .doubles import Double, are_same
from .trainer import Trainer

PLAIN = (int, float, str, bool, type(None))  # types whose equal values are the same setting
CHUNK = 2**25  # bytes; in chunks of 4 MB or more, arrays lie on pages of 2 MB if the system has any
MOST_KINDS = 100  # if there are more, settings change in every step, and all kinds are forgotten


class StepKind:
    """What is known of one kind of step.

    Attributes:
        key: what the steps of this kind have in common.
        double: the double of the trainer on which they are recorded.
        rows: the examples of the present step (n,).
        plan: what their kernels do, once that is recorded.
        was_met: whether a step of this kind has run.
        is_trusted: whether the plan gave the same as a step.
        is_step_done: whether the present step was done by Python.
        may_refuse: whether a part may return arrays that do not fit the plan.
        reports: those of the plan, by player.
        given: what each player's tape was given when the plan was recorded.
    """

    def __init__(self, key: Any, double: Double, size: int) -> None:
        self.key, self.double = key, double
        self.rows = np.zeros(size, np.int64)
        self.plan: Plan | None = None
        self.was_met = self.is_trusted = self.is_step_done = self.may_refuse = False
        self.reports: dict[str, dict[str, Array]] = {}
        self.given: dict[str, dict[str, Any]] = {}


class StepKinds:
    """All kinds of steps that a training has met, and the workspace that they share."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._settings: list[Any] = []
        self._settings_key: tuple[Any, ...] = ()
        self._kinds: dict[Any, StepKind] = {}
        self._doubles: dict[Any, Double] = {}  # by the settings that they were made for
        self.forget()

    def forget(self) -> None:
        """Forget all kinds of steps, and their memory."""
        self._kinds.clear()
        self._doubles.clear()
        self.workspace = Workspace(guards=True, chunk=CHUNK)

    def compare_settings(self) -> None:
        """Forget all kinds if a part has other settings than when it was recorded."""
        double = self._doubles.get(self._settings_key)
        if double and not double.settings.are_as_before():
            self.forget()

    def next(self, size: int) -> StepKind:
        """The kind of the next step, on so many examples."""
        double, turns = self._double(), self._trainer.turns()
        key = (size, turns, kernels.threads_now(), loops_run(), self._settings_key)
        if key not in self._kinds:
            if len(self._kinds) > MOST_KINDS:
                self.forget()
            self._kinds[key] = StepKind(key, double, size)
        return self._kinds[key]

    def rows(self) -> list[Array]:
        """The arrays of rows of all kinds."""
        return [kind.rows for kind in self._kinds.values()]

    def plans(self) -> list[Plan]:
        """The plans that are trusted."""
        return [kind.plan for kind in self._kinds.values() if kind.plan and kind.is_trusted]

    def _double(self) -> Double:
        """The double of the trainer for its present settings."""
        model, trainer = self._trainer.model, self._trainer
        settings = [type(model), *vars(model).values(), model.vector, model.state]
        settings += [trainer.average, *trainer.optimizers.values(), *trainer.memories.values()]
        if not are_same(settings, self._settings):
            self._settings = settings
            self._settings_key = tuple([x if type(x) in PLAIN else id(x) for x in settings])
            self.compare_settings()
        if self._settings_key not in self._doubles:
            self._doubles[self._settings_key] = Double(trainer, settings)
        return self._doubles[self._settings_key]
