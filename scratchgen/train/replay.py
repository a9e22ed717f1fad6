"""Steps of `fit` are recorded and replayed, without the Python between their kernels.

    step 1            runs, while kernels are compiled
    step 2            runs and is recorded: what the kernels did makes a plan (kernels/plans.py)
    step 3            runs, and the plan runs from the same start: are the results equal to the bit?
    from step 4       the plan runs instead of the step

Each kind of step is counted for itself (step_kinds.py).

Whether a loop or NumPy computes the products is chosen at the first step that runs by loops, and
kept (kernels/choice.py).

A step cannot be replayed

    if it writes into an array that a kernel returned: these are read-only to it      (1)
    if a kernel is given an array that the plan does not know                         (2)
    if the plan gives other results than the step                                     (3)

Then steps run as they are written, and one line says why (permission.py). Where a step has broken
off, everything is put back to where the step began.

Steps are recorded on a double of the trainer (doubles.py), in which a stand-in calls each part of
the user's own, such as a layer (stand_ins.py). Steps of a model whose class is the user's own are
never replayed.
"""

import os
import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from .. import kernels
from ..ground.arguments import Array
from ..ground.errors import DivergedError
from ..kernels import choice, thread_count
from ..kernels.formulas import loops_run
from ..kernels.plans import Plan
from ..kernels.recording import Action, Recording, recording, run_action
from .part_calls import PartCall, Refused, noting_calls
from .permission import Permission
from .state import State
from .step_kinds import StepKind, StepKinds
from .trainer import Trainer

# what a wrong plan may raise; any other exception comes from a signal
OF_PLANS = (Refused, DivergedError, ArithmeticError, LookupError, TypeError, ValueError)


class StepEngine:
    """Takes training steps, by Python or by a plan, to the same bits.

    x (N, *shape) and labels (N,) are the examples. x may be of any dtype: its rows are converted to
    the model's when they are gathered. `replay` is as for `fit`.

    Attributes:
        products: who computes the products, as kernels/choice.py records it; None until the first
            step that runs by loops.
    """

    def __init__(
        self,
        trainer: Trainer,
        x: Array,
        labels: Array | None,
        rng: np.random.Generator,
        replay: bool | None = None,
    ) -> None:
        self.trainer, self._rng = trainer, rng
        self._x, self._labels = np.asarray(x).reshape(len(x), -1), labels
        self._permission = Permission(replay)
        self._kinds = StepKinds(trainer)
        self._choose(None)
        self.before_epoch()

    def step(self, rows: Array) -> dict[str, float]:
        """`Trainer.step` on the examples of those rows (n,)."""
        if self.products is None and loops_run():
            self._choose(choice.now(self.trainer.model.dtype.char))
        before = choice.begin(self._by_numpy)
        try:
            return self._step(rows)
        finally:
            choice.end(before)

    def _choose(self, products: choice.Record | None) -> None:
        self.products = products
        self._by_numpy = None if products is None else choice.from_record(products)

    def chosen_products(self) -> AbstractContextManager[None]:
        """Within its `with`, products are computed as in the steps."""
        return nullcontext() if self.products is None else choice.products_by(self.products)

    def take_over(self, products: choice.Record | None) -> None:
        """Compute products as another run has recorded it; warn where that cannot be done here."""
        self._choose(products)
        if products in (None, choice.NUMPY):
            return
        if reason := choice.no_loop_because():
            warnings.warn(
                f"this run's products were computed by loops: {reason}, so NumPy computes them "
                f"from here on, and may round differently",
                RuntimeWarning,
                stacklevel=4,
            )
        else:
            thread_count.settle(self.trainer.model.dtype.char)

    def _step(self, rows: Array) -> dict[str, float]:
        if not self._permission.is_given():
            return self._by_python(rows)
        kind = self._kinds.next(len(rows))
        if kind.double.trainer is None:
            return self._by_python(rows)
        if not kind.was_met:  # many kinds have only one step: those are not recorded
            kind.was_met = True
            return self._by_python(rows)
        if not self._permission.has_looked():
            if self._permission.look():
                self._kinds.forget()
            if self._permission.reason:
                return self._by_python(rows)
        kind.rows[:] = rows
        try:
            if kind.plan is None or not kind.is_trusted:
                return self._recorded_or_compared(kind)
            if not kind.may_refuse:
                return self._by_plan(kind, kind.plan)
            return self._by_plan_or_restored(kind, kind.plan)
        except Refused as reason:
            self._permission.refuse(str(reason))
            self._kinds.forget()
            return self.trainer.parts() if kind.is_step_done else self._by_python(rows)

    def before_epoch(self) -> None:
        """Forget plans where settings or the source have changed."""
        self._kinds.compare_settings()
        if self._permission.before_epoch():
            self._kinds.forget()

    def after_callbacks(self) -> None:
        """Forget plans where a callback has changed settings, or has replaced a function."""
        self._kinds.compare_settings()
        if self._permission.after_callbacks():
            self._kinds.forget()

    def plans(self) -> list[Plan]:
        """The plans that run instead of steps by now."""
        return self._kinds.plans()

    def _by_python(self, rows: Array) -> dict[str, float]:
        """The step as it is written, on the model itself, in memory of its own."""
        model = self.trainer.model
        x = np.asarray(self._x[rows], model.dtype).reshape(len(rows), *model.shape)
        labels = None if self._labels is None else self._labels[rows]
        return self.trainer.step(x, self._rng, labels)

    def _recorded_or_compared(self, kind: StepKind) -> dict[str, float]:
        """A step by Python on the double, which is recorded, or compared with the plan."""
        start, kind.is_step_done = State(self.trainer, self._rng), False
        try:
            if kind.plan is None:
                with recording() as notes:
                    parts = self._on_double(kind)
                kind.is_step_done = True
                self._expect_known_arrays(notes, start.arrays)
                kind.plan = Plan(notes, kernels.threads_now())
                kind.reports = self.trainer.reports
                kind.may_refuse = any(_may_refuse(event) for event in notes.events)
                kind.given = {p: self.trainer.tapes[p].given_values() for p in self.trainer.reports}
            else:
                parts = self._compared(kind, kind.plan, start)
        except Refused:
            if not kind.is_step_done:
                start.put_back()
            raise
        except BaseException as problem:
            if kind.is_step_done:  # a signal has raised it: for the trainer the step has not ended
                self.trainer.is_moving = True
            if kind.is_step_done or not _is_refused_write(problem):
                raise
            start.put_back()
            raise Refused(
                f"{_place_of(problem)} writes into an array that a kernel returned"
            ) from None  # (1)
        return parts

    def _on_double(self, kind: StepKind) -> dict[str, float]:
        """`Trainer.step` of the double, in the workspace."""
        double: Any = kind.double.trainer
        double.model_steps = self.trainer.model_steps
        self.trainer.is_moving = True  # until the double tells, at the end, whether it is
        with self._kinds.workspace.step(kind.key):
            try:
                return double.step(*self._examples(kind))
            finally:
                self.trainer.model_steps = double.model_steps
                self.trainer.is_moving = double.is_moving
                self.trainer.reports = double.reports

    def _examples(self, kind: StepKind) -> tuple[Array, np.random.Generator, Array | None]:
        """The batch and its labels, gathered by kernels, and the random numbers."""
        model, labels = self.trainer.model, None
        if self._x.dtype == model.dtype and self._x.flags.writeable:
            x = kernels.take_rows(self._x, kind.rows)
        else:
            x = kernels.look_up(self._x, kind.rows, model.dtype)
        if self._labels is not None:
            labels = kernels.look_up(self._labels, kind.rows, np.int64)
            # a callback may have written bad labels, and loops do not check them
            run_action(model.check_labels, (labels, len(labels)), read=(labels,))
        return x.reshape(len(kind.rows), *model.shape), self._rng, labels

    def _compared(self, kind: StepKind, plan: Plan, state: State) -> dict[str, float]:
        """A step by Python, and the plan from the same start, which `state` is."""
        with noting_calls() as playback:
            parts = self._on_double(kind)
            kind.is_step_done = True
            reports = _copied(self.trainer.reports)
            playback.plays = True
            state.exchange()  # from here on `state` is the state after the step
            self._kinds.workspace.poison()  # the plan must not use what the step has left there
            try:
                by_plan = self._by_plan(kind, plan)
                same = state.is_now() and _are_equal(parts, by_plan)
            except OF_PLANS:  # the plan is wrong, the step was right
                same = False
            state.restore()
            self.trainer.reports = reports
        if not same:
            raise Refused("the recording of a step gave other numbers than the step")  # (3)
        kind.is_trusted = True
        return parts

    def _by_plan(self, kind: StepKind, plan: Plan) -> dict[str, float]:
        """The step, by the plan.

        Raises DivergedError after all players have moved, or, with a user's own parts, where the
        step does.
        """
        trainer = self.trainer
        for player, given in kind.given.items():
            if plan.is_fenced:  # a user's own part must find no notes of an earlier pass
                trainer.tapes[player].begin(**{**given, "step": trainer.model_steps})
            else:
                trainer.tapes[player].set_step(trainer.model_steps)
        double: Any = kind.double.trainer
        double.is_moving, trainer.is_moving = False, True  # as in _on_double
        try:
            plan.run()
        finally:
            trainer.is_moving = double.is_moving
        trainer.reports = kind.reports
        trainer.end_step()
        return trainer.parts()

    def _by_plan_or_restored(self, kind: StepKind, plan: Plan) -> dict[str, float]:
        """The step, by the plan; or everything is put back where a part's results do not fit it."""
        start, kind.is_step_done = State(self.trainer, self._rng), False
        try:
            return self._by_plan(kind, plan)
        except Refused:
            start.put_back()
            raise

    def _expect_known_arrays(self, notes: Recording, changed: list[Array]) -> None:
        """(2): kernels know what the step made, the examples, gradients, and the changed arrays."""
        own = [*changed, self._x, *self._kinds.rows()]
        own += [gradient.vector for gradient in self.trainer.gradients.values()]
        own += [] if self._labels is None else [self._labels]
        for x in notes.foreign_arrays(own, self._kinds.workspace):
            raise Refused(
                f"a kernel was given an array {x.shape} that no kernel made: compute it by a "
                f"function of kernels or by a formula with @formula"
            )


def _copied(reports: dict[str, dict[str, Array]]) -> dict[str, dict[str, Array]]:
    """Copies of reports, which no plan overwrites."""
    return {
        player: {name: x.copy() for name, x in report.items()} for player, report in reports.items()
    }


def _may_refuse(event: Any) -> bool:
    """Whether an event calls a user's own part that may return another number of examples."""
    return isinstance(event, Action) and isinstance(event.f, PartCall) and event.f.verb == "points"


def _are_equal(a: dict[str, float], b: dict[str, float]) -> bool:
    return a.keys() == b.keys() and all(x == b[name] or x != x for name, x in a.items())


def _is_refused_write(problem: BaseException) -> bool:
    """Whether NumPy refused to write into a read-only array."""
    return isinstance(problem, ValueError) and str(problem).endswith(" is read-only")


def _place_of(problem: BaseException) -> str:
    """`draw (gaussian.py, line 12)`: where an exception was raised."""
    trace = problem.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "a step"
    code = trace.tb_frame.f_code
    return f"{code.co_qualname} ({os.path.basename(code.co_filename)}, line {trace.tb_lineno})"
