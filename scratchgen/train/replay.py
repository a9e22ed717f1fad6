"""Steps of `fit` that have become a routine are replayed, without the Python between their kernels.

    step 1            runs, while kernels are compiled
    step 2            runs and is recorded: what the kernels did makes a plan (kernels/plans.py)
    step 3            runs, and the plan runs from the same start: has it done the same, to the bit?
    from step 4       the plan runs instead of the step

Steps are counted apart for each size of batch, set of players that move, number of threads, loops
or formulas, the networks, and whatever else the model has as attributes, such as beta, and the
trainer as optimizers: a callback may change them.

What is read is what runs: a plan is for the text that was read, and so no step is replayed

    if a file of the textbook was edited (fingerprints.py) or a function replaced (replaced.py)
    while a debugger follows the program
    if a step writes into an array that a kernel gave: arrays are read-only to it     (1)
    if a kernel is given an array that the plan knows nothing of                      (2)
    if the plan did something else than the step

Then steps run as they are written, on the model itself and in memory of their own, and one line
says why. Where (1) breaks off a step, everything is put back to where it began.

Steps are recorded on a double of the trainer (doubles.py), in which a stand-in runs any part whose
class is not ours, such as a user's own layer (stand_ins.py). Of a model of another class than ours,
each step runs as it is written.
"""

import os
from typing import Any

import numpy as np

from .. import kernels
from ..ground.arguments import Array
from ..ground.errors import DivergedError
from ..ground.printing import to_stderr
from ..kernels import fingerprints, replaced
from ..kernels.formulas import loops_run
from ..kernels.plans import Plan
from ..kernels.recording import Action, Notes, act, recording
from ..kernels.trust import asked, is_followed, why_not
from ..kernels.workspaces import Workspace
from .doubles import Double, are_same
from .stand_ins import PartCall, Refused, taping
from .state import State
from .trainer import Trainer

SAID: set[str] = set()  # reasons that this process was told, each once
PLAIN = (int, float, str, bool, type(None))  # of which equal ones are the same
# what a plan may raise that does not do what its step did; anything else a signal has raised
OF_PLANS = (Refused, DivergedError, ArithmeticError, LookupError, TypeError, ValueError)
CHUNK = 2**25  # bytes; in chunks of 4 MB or more, arrays lie on pages of 2 MB where there are any
MOST_KNOWN = 100  # kinds of steps; with more, choices change in every step, and all are forgotten


class StepEngine:
    """Training steps on the rows of x (N, *shape), with labels (N,) where the model joins them.

    x may be of any dtype: rows are converted to the model's when they are gathered. `replay` says
    whether to replay steps: None decides by what is said above, True does not ask for edits and
    debuggers.
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
        self._replay = asked(replay)
        self._kinds: dict[Any, Kind] = {}
        self._doubles: dict[Any, Double] = {}
        self._forget()
        self._choices: list[Any] = []
        self._chosen: tuple[Any, ...] = ()
        self._reason = ""
        self._names: replaced.Names | None = None  # looked at before a step is first recorded
        self.look_again()

    def look_again(self) -> None:
        """Look whether the textbook is as it was; at each epoch.

        Plans are forgotten where names stand for something else than when they were made.
        """
        self._look_at_settings()
        if self._names is None:
            if loops_run():
                fingerprints.edited()  # so that no loop of an edited formula runs
        elif not self._names.are_as_before():
            self._look()

    def _look(self) -> None:
        edited = fingerprints.edited()
        if self._replay is False or self._reason:
            return
        names = replaced.Names()
        is_asked = self._replay is None and (edited or not names.are_like(self._names))
        if is_asked and (reason := why_not()):
            self._refuse(reason)
            return
        if self._names is not None and not self._names.are_as_before():
            self._forget()
        self._names = names

    def after_callbacks(self) -> None:
        """A callback of a user's own may have put something in the place of another."""
        self._look_at_settings()
        if self._names is not None and not self._reason and not self._names.are_as_before():
            self._look()

    def _look_at_settings(self) -> None:
        """Forget plans where a part that they were made of has other settings than then."""
        double = self._doubles.get(self._chosen)
        if double and not double.settings.are_as_before():
            self._forget()

    def step(self, rows: Array) -> dict[str, float]:
        """`Trainer.step` on the examples of those rows (n,)."""
        if not self._may_replay():
            return self._plainly(rows)
        kind, key = self._kind(len(rows))
        if kind.double.trainer is None:
            return self._plainly(rows)
        if not kind.runs:  # of many kinds there is but one step
            kind.runs = 1
            return self._plainly(rows)
        if self._names is None:
            self._look()
            if self._reason:
                return self._plainly(rows)
        kind.rows[:] = rows
        try:
            if kind.plan is None or not kind.is_trusted:
                return self._watched(kind, key)
            if not kind.may_break_off:
                return self._by_plan(kind, kind.plan)
            return self._by_plan_or_not(kind, kind.plan)
        except Refused as reason:
            self._refuse(str(reason))
            return self.trainer.parts() if kind.has_run else self._plainly(rows)

    def plans(self) -> list[Plan]:
        """Those that run in the place of steps by now."""
        return [kind.plan for kind in self._kinds.values() if kind.plan and kind.is_trusted]

    def _kind(self, size: int) -> tuple["Kind", Any]:
        """What is known of steps like the next one, and by which key."""
        double = self._double()
        key = (size, self.trainer.turns(), kernels.threads_now(), loops_run(), self._chosen)
        if key not in self._kinds:
            if len(self._kinds) > MOST_KNOWN:
                self._forget()
            self._kinds[key] = Kind(double, size)
        return self._kinds[key], key

    def _double(self) -> Double:
        """The double of the trainer, for what the model has now."""
        model, trainer = self.trainer.model, self.trainer
        choices = [type(model), *vars(model).values(), model.vector, model.state]
        choices += [trainer.average, *trainer.optimizers.values(), *trainer.memories.values()]
        if not are_same(choices, self._choices):
            self._choices = choices
            self._chosen = tuple([one if type(one) in PLAIN else id(one) for one in choices])
            self._look_at_settings()
        if self._chosen not in self._doubles:
            self._doubles[self._chosen] = Double(self.trainer, choices)
        return self._doubles[self._chosen]

    def _may_replay(self) -> bool:
        if self._replay is False or self._reason:
            return False
        if self._replay is None and is_followed():
            self._say("a debugger follows the program")
            return False
        return True

    def _refuse(self, reason: str) -> None:
        self._reason = reason
        self._forget()
        self._say(reason)

    def _forget(self) -> None:
        """Forget all kinds of steps, and their memory."""
        self._kinds.clear()
        self._doubles.clear()
        self._workspace = Workspace(guards=True, chunk=CHUNK)  # with the places of all kinds

    def _say(self, reason: str) -> None:
        if reason not in SAID:
            SAID.add(reason)
            to_stderr(f"scratchgen: steps run as they are written, and are not replayed: {reason}")

    def _plainly(self, rows: Array) -> dict[str, float]:
        """The step as it is written, on the model itself, in memory of its own."""
        model = self.trainer.model
        x = np.asarray(self._x[rows], model.dtype).reshape(len(rows), *model.shape)
        labels = None if self._labels is None else self._labels[rows]
        return self.trainer.step(x, self._rng, labels)

    def _watched(self, kind: "Kind", key: Any) -> dict[str, float]:
        """A step by Python on the double, which may be recorded, or compared with the plan."""
        start, kind.has_run = State(self.trainer, self._rng), False
        try:
            if kind.plan is None:
                with recording() as notes:
                    parts = self._gathered(kind, key)
                kind.has_run = True
                self._expect_no_strangers(notes, start.arrays)
                kind.plan = Plan(notes, kernels.threads_now())
                kind.reports = self.trainer.reports
                kind.may_break_off = any(_may_break_off(event) for event in notes.events)
                kind.given = {
                    p: self.trainer.tapes[p].what_was_given() for p in self.trainer.reports
                }
            else:
                parts = self._compared(kind, key, kind.plan, start)
        except Refused:
            if not kind.has_run:
                start.put_back()
            raise
        except BaseException as problem:
            if kind.has_run:  # what a signal raised, of any kind: to the trainer no step has ended
                self.trainer.is_moving = True
            if kind.has_run or not _is_of_writing(problem):
                raise
            start.put_back()
            raise Refused(f"{_place_of(problem)} writes into what a kernel gave") from None  # (1)
        return parts

    def _gathered(self, kind: "Kind", key: Any) -> dict[str, float]:
        """`Trainer.step` of the double, in the workspace."""
        double: Any = kind.double.trainer
        double.steps = self.trainer.steps
        self.trainer.is_moving = True  # unless the double says otherwise, at the end
        with self._workspace.step(key):
            try:
                return double.step(*self._examples(kind))
            finally:
                self.trainer.steps, self.trainer.is_moving = double.steps, double.is_moving
                self.trainer.reports = double.reports

    def _examples(self, kind: "Kind") -> tuple[Array, np.random.Generator, Array | None]:
        """The batch and its labels, gathered by kernels."""
        model, labels = self.trainer.model, None
        if self._x.dtype == model.dtype and self._x.flags.writeable:
            x = kernels.take_rows(self._x, kind.rows)
        else:
            x = kernels.look_up(self._x, kind.rows, model.dtype)
        if self._labels is not None:
            labels = kernels.look_up(self._labels, kind.rows, np.int64)
            # a callback may have written others, and loops trust what was checked
            act(model.check_labels, (labels, len(labels)), read=(labels,))
        return x.reshape(len(kind.rows), *model.shape), self._rng, labels

    def _compared(self, kind: "Kind", key: Any, plan: Plan, state: State) -> dict[str, float]:
        """A step by Python, and the plan from the same start, which is that state."""
        with taping() as playback:
            parts = self._gathered(kind, key)
            kind.has_run = True
            reports = _copied(self.trainer.reports)
            playback.plays = True
            state.exchange()  # from here on it is the state after the step
            self._workspace.spoil()  # nothing that the step has left there may count
            try:
                by_plan = self._by_plan(kind, plan)
                same = state.is_now() and _alike(parts, by_plan)
            except OF_PLANS:  # the step itself was right
                same = False
            state.restore()
            self.trainer.reports = reports
        if not same:
            raise Refused("run again from what was recorded, a step gave other numbers")
        kind.is_trusted = True
        return parts

    def _by_plan(self, kind: "Kind", plan: Plan) -> dict[str, float]:
        """What `step` does, by the plan.

        Raises DivergedError after all players have moved, or, with a user's own parts, where `step`
        does.
        """
        trainer = self.trainer
        for player, given in kind.given.items():
            if plan.is_fenced:  # a user's own part looks for notes of this pass alone
                trainer.tapes[player].begin(**{**given, "step": trainer.steps})
            else:
                trainer.tapes[player].go_on(trainer.steps)
        double: Any = kind.double.trainer
        double.is_moving, trainer.is_moving = False, True  # as above
        try:
            plan.run()
        finally:
            trainer.is_moving = double.is_moving
        trainer.reports = kind.reports
        trainer.ended()
        return trainer.parts()

    def _by_plan_or_not(self, kind: "Kind", plan: Plan) -> dict[str, float]:
        """The same where a part may give what the plan has no room for: then all is put back."""
        start, kind.has_run = State(self.trainer, self._rng), False
        try:
            return self._by_plan(kind, plan)
        except Refused:
            start.put_back()
            raise

    def _expect_no_strangers(self, notes: Notes, changed: list[Array]) -> None:
        """(2), where a step may change those arrays besides what it makes."""
        own = [*changed, self._x]
        own += [kind.rows for kind in self._kinds.values()]
        own += [gradient.vector for gradient in self.trainer.gradients.values()]
        own += [] if self._labels is None else [self._labels]
        for x in notes.strangers(own, self._workspace):
            raise Refused(f"a kernel was given an array {x.shape} that no kernel has made")


class Kind:
    """What is known of one kind of steps; `runs` is 1 when the first of them has run."""

    def __init__(self, double: Double, size: int) -> None:
        self.double = double
        self.rows = np.zeros(size, np.int64)
        self.runs = 0
        self.plan: Plan | None = None
        self.is_trusted = self.has_run = self.may_break_off = False
        self.reports: dict[str, dict[str, Array]] = {}
        self.given: dict[str, dict[str, Any]] = {}


def _copied(reports: dict[str, dict[str, Array]]) -> dict[str, dict[str, Array]]:
    """Reports that no plan writes over."""
    return {
        player: {name: x.copy() for name, x in report.items()} for player, report in reports.items()
    }


def _may_break_off(event: Any) -> bool:
    """Whether an event is a part of a user's own that may give another number of examples."""
    return isinstance(event, Action) and isinstance(event.f, PartCall) and event.f.verb == "points"


def _alike(a: dict[str, float], b: dict[str, float]) -> bool:
    return a.keys() == b.keys() and all(x == b[name] or x != x for name, x in a.items())


def _is_of_writing(problem: BaseException) -> bool:
    """Whether NumPy refused to write into an array that is read-only."""
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
