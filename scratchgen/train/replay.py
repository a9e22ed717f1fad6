"""Steps of `fit` that have become a routine are replayed, without the Python between their kernels.

    step 1            runs, while kernels are compiled
    step 2            runs and is recorded: what the kernels did makes a plan (kernels/plans.py)
    step 3            runs, and the plan runs from the same start: has it done the same, to the bit?
    from step 4       the plan runs instead of the step

Steps are counted apart for each size of batch, set of players that move, number of threads, loops
or formulas, the networks, and whatever else the model has as attributes, such as beta: a callback
may change them.

What is read is what runs: a plan is for the text that was read, and so no step is replayed

    if a file of the textbook was edited, or one of its functions replaced  (sources.py)
    while a debugger follows the program
    if a step writes into an array that a kernel gave: arrays are read-only to it     (1)
    if a kernel is given an array that the plan knows nothing of                      (2)
    if the plan did something else than the step

Then steps run as they are written, on the model itself and in memory of their own, and one line
says why. Where (1) breaks off a step, everything is put back to where it began.

Kernels are recorded of our own parts. In the place of any other, such as a layer of a
user's own, a stand-in runs (stand_ins.py), in a double of the model. A model of another class than
ours is run itself.
"""

import contextlib
import copy
import dataclasses
import math
import operator
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import kernels, sources
from ..checks import Array
from ..errors import DivergedError
from ..kernels.memory import Workspace, read_only
from ..kernels.plans import Plan
from ..kernels.recording import Action, Notes, act, is_recording, recording
from ..kernels.trust import asked, is_followed, is_ours, why_not
from ..kernels.twins import twins_run
from ..losses.adversarial import AdversarialLoss, both_of
from ..nn import Layer
from ..optim import ClipNorm
from ..optim.memory import Memory
from ..printing import tell
from .stand_ins import Refused, Run, StandIn, StandInOptimizer, asking_once, doubled, taping
from .step import Trainer

SAID: set[str] = set()  # reasons that this process was told, each once
PLAIN = (int, float, str, bool, type(None))  # of which equal ones are the same
PIECE = 2**16  # numbers
# what a plan may raise that does not do what its step did; anything else a signal has raised
OF_PLANS = (Refused, DivergedError, ArithmeticError, LookupError, TypeError, ValueError)
MOST_KNOWN = 100  # kinds of steps; with more, choices change in every step, and all are forgotten


class StepNumber:
    """The number of a step, which a plan cannot know: it may be read by `kernels.numbers` alone.

    It is no int, because what is written in C would read that without asking: `table[step]`.
    """

    def __init__(self, step: int) -> None:
        self._step = step

    def __array__(self, *_args: Any, **_options: Any) -> Array:
        return np.array(self.__int__())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.__int__(), name)

    def __int__(self) -> int:
        if is_recording():
            raise Refused("the number of the step is read, and not by tape.number")
        return self._step


def _reading(f: Callable[..., Any], reverse: bool = False) -> Any:
    def read(self: StepNumber, *others: Any) -> Any:
        step = self.__int__()
        return f(*others, step) if reverse else f(step, *others)

    return read


for _name in ("lt", "le", "gt", "ge", "eq", "ne", "neg", "pos", "abs", "invert", "index"):
    setattr(StepNumber, f"__{_name}__", _reading(getattr(operator, _name)))
for _kind in (bool, float, complex, str):
    setattr(StepNumber, f"__{_kind.__name__}__", _reading(_kind))
for _one in (hash, repr, round, format, math.trunc, math.floor, math.ceil):
    setattr(StepNumber, f"__{_one.__name__}__", _reading(_one))
for _name in (
    "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and_", "or_", "xor", "lshift",
    "rshift", "divmod",
):  # fmt: skip
    _f = divmod if _name == "divmod" else getattr(operator, _name)
    setattr(StepNumber, f"__{_name.strip('_')}__", _reading(_f))
    setattr(StepNumber, f"__r{_name.strip('_')}__", _reading(_f, reverse=True))


def is_known(part: Any) -> bool:
    """Whether what a part does is kernels alone."""
    if isinstance(part, AdversarialLoss):  # a user's own may be of this class
        players = (
            both_of(part.discriminator, part.discriminator_gradients),
            both_of(part.generator, part.generator_gradients),
        )
        return is_ours(part) and all(hasattr(formula, "twins") for formula in players)
    if isinstance(part, ClipNorm) and not is_known(part.optimizer):
        return False
    return is_ours(part)


class Steps:
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
        self._names: sources.Names | None = None  # looked at before a step is first recorded
        self.look_again()

    def look_again(self) -> None:
        """Look whether the textbook is as it was; at each epoch.

        Plans are forgotten where names stand for something else than when they were made.
        """
        self._look_at_settings()
        if self._names is None:
            if twins_run():
                sources.edited()  # so that no loop of an edited formula runs
        elif not self._names.are_as_before():
            self._look()

    def _look(self) -> None:
        edited = sources.edited()
        if self._replay is False or self._reason:
            return
        names = sources.Names()
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
        key = (size, self.trainer.turns(), kernels.threads_now(), twins_run(), self._chosen)
        if key not in self._kinds:
            if len(self._kinds) > MOST_KNOWN:
                self._forget()
            self._kinds[key] = Kind(double, size)
        return self._kinds[key], key

    def _double(self) -> "Double":
        """The double of the trainer, for what the model has now."""
        model = self.trainer.model
        choices = [type(model), *vars(model).values(), *model.networks.values()]
        for block in model.players.values():
            choices += (block, block.vector, block.state)
        if not _same(choices, self._choices):
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
        self._workspace = Workspace(guards=True)  # with the places of all kinds

    def _say(self, reason: str) -> None:
        if reason not in SAID:
            SAID.add(reason)
            tell(f"scratchgen: steps run as they are written, and are not replayed: {reason}")

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

    def _compared(self, kind: "Kind", key: Any, plan: Plan, state: "State") -> dict[str, float]:
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
        double.is_moving = False
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

    def __init__(self, double: "Double", size: int) -> None:
        self.double = double
        self.rows = np.zeros(size, np.int64)
        self.runs = 0
        self.plan: Plan | None = None
        self.is_trusted = self.has_run = self.may_break_off = False
        self.reports: dict[str, dict[str, Array]] = {}
        self.given: dict[str, dict[str, Any]] = {}


class Double:
    """The trainer again, with a double of its model; None where the model is of another class."""

    def __init__(self, trainer: Trainer, choices: list[Any]) -> None:
        self._choices = choices  # which stay alive, so that nothing else gets an id of these
        self.settings = Settings(trainer)
        self.trainer: Any = _double_of_trainer(trainer) if _can_be_doubled(trainer) else None


class Settings:
    """What our own parts have as settings at one moment, as a plan takes them.

    They are frozen, and object.__setattr__ writes them all the same. An optimizer is asked for its
    rate in each step, unless that is a schedule, for which a stand-in is asked.
    """

    def __init__(self, trainer: Trainer) -> None:
        model = trainer.model
        todo = [*model.networks.values(), *model.parts(), *trainer.optimizers.values()]
        parts: dict[int, Any] = {}
        while todo:
            part = todo.pop()
            if id(part) in parts or not is_known(part):
                continue
            parts[id(part)] = part
            todo += part.children() if isinstance(part, Layer) else ()
            todo += [part.optimizer] if isinstance(part, ClipNorm) else []
        self._parts = [(part, len(vars(part)), _reader(part)) for part in parts.values()]
        self._values = self._read()

    def are_as_before(self) -> bool:
        """Whether they still are the same, and no part has got a method of its own."""
        return _same(self._read(), self._values) and all(
            len(vars(part)) == count or is_known(part) for part, count, _ in self._parts
        )

    def _read(self) -> list[Any]:
        return [value for part, _, read in self._parts for value in read(part)]


def _reader(part: Any) -> Callable[[Any], tuple[Any, ...]]:
    """What reads the class and the settings of a part."""
    names = [field.name for field in dataclasses.fields(part)]
    if not callable(getattr(part, "learning_rate", None)):
        names = [name for name in names if name != "learning_rate"]
    return operator.attrgetter("__class__", "__module__", *names)  # of two at least: a tuple


def _double_of_trainer(trainer: Trainer) -> Trainer:
    """It shares memories and tapes, and sees vectors and gradients through read-only windows."""
    double = copy.copy(trainer)
    double.model, double.numbered = _double_of(trainer.model), StepNumber
    double.gradients, double.optimizers = {}, {}
    for player, block in trainer.model.players.items():
        gradient: Any = copy.copy(trainer.gradients[player])
        optimizer: Any = trainer.optimizers[player]
        stand_in: Any = StandInOptimizer(optimizer, block.vector, gradient.vector)
        double.optimizers[player] = asking_once(optimizer) if is_known(optimizer) else stand_in
        gradient.vector = read_only(gradient.vector)
        gradient.views = block.layout.views(gradient.vector)
        double.gradients[player] = gradient
    parts = (*trainer.optimizers.values(), *trainer.model.parts())
    double.others_run = not all(map(is_known, parts)) or any(
        double.model.networks[name] is not one for name, one in trainer.model.networks.items()
    )
    return double


def _double_of(model: Any) -> Any:
    double = copy.copy(model)
    made: dict[Layer, Layer] = {}
    for name, value in vars(model).items():
        if any(value is part for part in model.parts()) and not is_known(value):
            setattr(double, name, StandIn(value))
    double.networks = {
        name: doubled(network, is_known, made) for name, network in model.networks.items()
    }
    double.players = {}
    for player, block in model.players.items():
        twin = double.players[player] = copy.copy(block)
        twin.vector, twin.state = read_only(block.vector), read_only(block.state)
        twin.views = block.layout.views(twin.vector, twin.state)
    return double


def _can_be_doubled(trainer: Trainer) -> bool:
    """Whether the model, its networks and the average are of our own classes."""
    model = trainer.model
    own = [model, *model.networks.values(), *([trainer.average] if trainer.average else [])]
    return all(map(is_known, own))


class State:
    """All that a step changes, at one moment: vectors, states, memories, the stream of noise.

    What a user's own optimizers remember is put back only where a step is broken off: a plan does
    not change it (stand_ins.py).
    """

    def __init__(self, trainer: Trainer, rng: np.random.Generator) -> None:
        self._trainer, self._rng = trainer, rng
        self.arrays: list[Array] = []
        self._counts: list[tuple[Any, str, int]] = []
        for player, block in trainer.model.players.items():
            self.arrays += [block.vector, block.state]
            if is_known(trainer.optimizers[player]):
                self._add(trainer.memories[player])
            for memory in trainer.averages.get(player, ()):
                self._add(memory)
        self._copies = [x.copy() for x in self.arrays]
        self._note_counts()
        self._others = _copies_of_others(trainer)

    def _add(self, memory: Any) -> None:
        for name, value in vars(memory).items():
            if isinstance(value, np.ndarray) and name != "theta":
                self.arrays.append(value)
            elif isinstance(value, int):
                self._counts.append((memory, name, value))
            elif isinstance(value, Memory):
                self._add(value)

    def restore(self) -> None:
        """Put everything back to that moment."""
        for x, kept in self._pairs():
            x[...] = kept
        self._restore_counts()

    def exchange(self) -> None:
        """Put everything back to that moment, and be the state that there is now instead."""
        now = copy.copy(self)
        now._note_counts()
        for x, kept in self._pairs():  # a piece at a time, as a large model fills the memory
            piece = x.copy()
            x[...], kept[...] = kept, piece
        self._restore_counts()
        vars(self).update(vars(now))

    def is_now(self) -> bool:
        """Whether all of it is now as it was at that moment, to the bit."""
        now = copy.copy(self)
        now._note_counts()
        same = all(x.tobytes() == kept.tobytes() for x, kept in self._pairs())
        counts = [value for *_, value in self._counts] == [value for *_, value in now._counts]
        return same and counts and _text(self._stream) == _text(now._stream)

    def _pairs(self) -> Iterator[tuple[Array, Array]]:
        """The arrays and their copies, in pieces."""
        for x, kept in zip(self.arrays, self._copies, strict=True):
            for start in range(0, len(x), PIECE):
                yield x[start : start + PIECE], kept[start : start + PIECE]

    def _note_counts(self) -> None:
        """All that is no array, as it is now."""
        self._counts = [(memory, name, getattr(memory, name)) for memory, name, _ in self._counts]
        self._stream = self._rng.bit_generator.state
        self._steps, self._is_moving = self._trainer.steps, self._trainer.is_moving

    def _restore_counts(self) -> None:
        for memory, name, value in self._counts:
            setattr(memory, name, value)
        self._rng.bit_generator.state = self._stream
        self._trainer.steps, self._trainer.is_moving = self._steps, self._is_moving

    def put_back(self) -> None:
        """`restore`, and what a user's own optimizers remember."""
        self.restore()
        self._trainer.memories |= self._others


def _copied(reports: dict[str, dict[str, Array]]) -> dict[str, dict[str, Array]]:
    """Reports that no plan writes over."""
    return {
        player: {name: x.copy() for name, x in report.items()} for player, report in reports.items()
    }


def _copies_of_others(trainer: Trainer) -> dict[str, Any]:
    """By player, copies of what a user's own optimizers remember, if they can be copied."""
    copies: dict[str, Any] = {}
    for player, memory in trainer.memories.items():
        if not is_known(trainer.optimizers[player]):
            vector = trainer.model.players[player].vector
            with contextlib.suppress(Exception):  # of whatever it consists
                copies[player] = copy.deepcopy(memory, {id(vector): vector})
    return copies


def _may_break_off(event: Any) -> bool:
    """Whether an event is a part of a user's own that may give another number of examples."""
    return isinstance(event, Action) and isinstance(event.f, Run) and event.f.verb == "points"


def _text(state: Any) -> str:
    return repr(state)


def _same(a: list[Any], b: list[Any]) -> bool:
    """Whether the lists have the very same objects."""
    return len(a) == len(b) and all(map(operator.is_, a, b))


def _alike(a: dict[str, float], b: dict[str, float]) -> bool:
    return a.keys() == b.keys() and all(x == b[name] or x != x for name, x in a.items())


def _is_of_writing(problem: BaseException) -> bool:
    """Whether NumPy refused to write into an array that is read-only."""
    return isinstance(problem, ValueError) and str(problem).endswith(" is read-only")


def _place_of(problem: BaseException) -> str:
    """`distributions/gaussian.py, line 12`: where an exception was raised."""
    trace = problem.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "a step"
    code = trace.tb_frame.f_code
    return f"{code.co_qualname} ({os.path.basename(code.co_filename)}, line {trace.tb_lineno})"
