"""Stand-ins for a user's own parts, such as layers and optimizers, in steps that are replayed.

A replay runs the kernels of our own parts (replay.py). What any other part does is not known, so
that each replay calls it from Python, in its place between the kernels. It may return an array
elsewhere in memory each time, which is copied to where the kernels after it look:

    kept = layer.forward(p, x, tape)                                                     (1)

Stand-ins are put into a double of the model (doubles.py), in the place of the parts that they call;
a part that is used twice has one stand-in. A part runs outside the workspace, so that no kernel
overwrites what it keeps; it may write into what it owns, its parameters and its gradients.

A plan is tried once beside the same step in Python (replay.py). The part must not be called twice
for one step, so that the plan plays its calls back, provided that their arguments are the same:

    playback = the arrays that the part returned and changed, and the state of the random
               numbers after it, call by call                                            (2)
"""

import copy
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..ground.arguments import Array, Shape, real_numbers
from ..kernels import recording, workspaces
from ..nn import Layer, Network, Residual, Tape
from ..nn.initialisers import Initial
from ..nn.layer import Views, accept
from ..optim import ClipNorm
from ..optim.optimizers import expect_written
from ..optim.schedules import Schedule

GIVES = {  # by verb, the names of the arrays that it returns
    "forward": ("y",),
    "backward": ("dx",),
    "tangent": ("v",),
    "tangent_backward": ("x", "u"),
    "draw": ("z",),
    "points": ("x",),
    "value_and_gradient": ("value", "gradient"),
    "discriminator_pass": ("value", "real", "fake"),
    "generator_pass": ("value", "fake"),
}


class Refused(Exception):
    """A step cannot be replayed, and why."""


@dataclass
class Playback:
    """(2): for each part, the arguments and the results of its calls, in their order."""

    given: dict[Any, deque[Any]] = field(default_factory=lambda: defaultdict(deque))
    plays: bool = False


_playback: ContextVar[Playback | None] = ContextVar("playback", default=None)


@contextmanager
def taping() -> Iterator[Playback]:
    """Within it the calls of parts are noted; once `plays` is set, they are played back."""
    playback = Playback()
    outside = _playback.set(playback)
    try:
        yield playback
    finally:
        _playback.reset(outside)


class StandIn:
    """Calls a part of the user's own: a likelihood, a game, a penalty or a prior."""

    def __init__(self, part: Any) -> None:
        self.part = part

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.part, name)
        if name not in GIVES:
            return found
        return lambda *args: self.call(name, *args)

    def call(self, verb: str, *args: Any) -> Any:
        """(1): what the verb returns, in the step's own memory."""
        return call(self.part, verb, args)

    def __str__(self) -> str:
        return str(self.part)


class StandInOptimizer:
    """Calls the user's own optimizer, on the vectors themselves."""

    def __init__(self, optimizer: Any, theta: Array, gradient: Array) -> None:
        self.optimizer, self._vectors = optimizer, (theta, gradient)

    def update(self, _theta: Array, _gradient: Array, memory: Any) -> None:
        """One step, by the optimizer itself."""
        call(self.optimizer, "update", (*self._vectors, memory))

    def __str__(self) -> str:
        return str(self.optimizer)


class StandInSchedule:
    """Calls a schedule, which may be the user's own."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule

    def __call__(self, step: int) -> float:
        """The schedule's rate in that step."""
        playback = _playback.get()
        if playback is not None and playback.plays:
            rate: float = playback.given[id(self)].popleft()
            return rate
        rate = self.schedule(step)
        if playback is not None:
            playback.given[id(self)].append(rate)
        return rate


def asking_once(optimizer: Any) -> Any:
    """One of our optimizers; where it has a schedule, a double with a stand-in for the schedule."""
    name = "optimizer" if isinstance(optimizer, ClipNorm) else "learning_rate"
    part = getattr(optimizer, name)
    if name == "optimizer":
        stand_in = asking_once(part)
    else:
        stand_in = StandInSchedule(part) if callable(part) else part
    if stand_in is part:
        return optimizer
    double = copy.copy(optimizer)
    object.__setattr__(double, name, stand_in)
    return double


class StandInLayer(Layer):
    """Calls a layer of the user's own; it serves for passes only, and is never saved."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer

    def forward(self, p: Views, x: Array, tape: Tape) -> Array:
        return call(self.layer, "forward", (p, x, tape))

    def backward(
        self, p: Views, dy: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> Array | None:
        return call(self.layer, "backward", (p, dy, tape, g, need_dx), need_dx)

    def tangent(self, p: Views, u: Array, tape: Tape) -> Array:
        return call(self.layer, "tangent", (p, u, tape))

    def tangent_backward(
        self, p: Views, dy: Array, dv: Array, tape: Tape, g: Views = None, need_dx: bool = True
    ) -> SimpleNamespace | None:
        return call(self.layer, "tangent_backward", (p, dy, dv, tape, g, need_dx), need_dx)

    def settle(self, p: Views, tape: Tape) -> None:
        if type(self.layer).settle is not Layer.settle or "settle" in vars(self.layer):
            call(self.layer, "settle", (p, tape))

    def out_shape(self, shape: Shape) -> Shape:
        return self.layer.out_shape(shape)

    def children(self) -> tuple[Layer, ...]:
        return self.layer.children()

    def parameters(self) -> dict[str, tuple[Shape, Initial]]:
        return self.layer.parameters()

    def wants_labels(self) -> int:
        return self.layer.wants_labels()

    def borrows(self) -> dict[str, tuple[Layer, str]]:
        return self.layer.borrows()

    def __str__(self) -> str:
        return str(self.layer)


def doubled(layer: Layer, is_known: Callable[[Any], bool], doubles: dict[Layer, Layer]) -> Layer:
    """The layer, or, where it or a layer within it is not known, a double with stand-ins."""
    if layer not in doubles:
        if not is_known(layer):
            doubles[layer] = StandInLayer(layer)
        elif type(layer) in (Network, Residual):
            children = [doubled(child, is_known, doubles) for child in layer.children()]
            same = all(a is b for a, b in zip(children, layer.children(), strict=True))
            doubles[layer] = layer if same else layer.with_children(*children)
        else:
            doubles[layer] = layer
    return doubles[layer]


def call(part: Any, verb: str, args: tuple[Any, ...], gives: bool = True) -> Any:
    """(1): what a part's verb returns for these arguments; a recorded step calls it again."""
    part_call = PartCall(part, verb, tuple(map(_for_writing, args)), gives)
    recording.act(part_call, (), part_call.arrays, part_call.arrays, fenced=True)
    return part_call.result()


class PartCall:
    """A call of a part's verb, which can be repeated on the same memory."""

    def __init__(self, part: Any, verb: str, args: tuple[Any, ...], gives: bool) -> None:
        self.part, self.verb, self.args = part, verb, args
        self.names = GIVES.get(verb, ()) if gives else ()
        # what an optimizer remembers is its own: no plan changes it, and nobody puts it back
        given = args[:-1] if verb == "update" else args
        self.arrays = [x for one in given for x in workspaces.arrays_in(one)]
        self.changes = [x for x in self.arrays if x.flags.writeable]
        dtypes = (x.dtype if isinstance(x, np.ndarray) else x for x in args)
        self.dtype: Any = next((one for one in dtypes if isinstance(one, np.dtype)), None)
        self.kept: dict[str, Array] | None = None
        self.rng = next(filter(None, map(_rng_of, args)), None)

    def __call__(self) -> None:
        playback = _playback.get()
        if playback is not None and playback.plays:
            self._play(*playback.given[id(self.part)].popleft())
            return
        before = self._given() if playback is not None else None
        with workspaces.outside(), _with_plain_step(self.args):
            found = getattr(self.part, self.verb)(*self.args)
        if self.verb == "update":
            expect_written(self.part, self.args[0], found)
        self._keep(self._named(found))
        if playback is not None:
            after = [x.copy() for x in (*(self.kept or {}).values(), *self.changes)]
            playback.given[id(self.part)].append((before, after, _stream(self.rng)))

    def _given(self) -> Any:
        """All that the part is given, in a form that can be compared."""
        return [x.tobytes() for x in self.arrays], repr(_stream(self.rng))

    def _keep(self, arrays: dict[str, Any]) -> None:
        """(1), into memory that the first call sets aside."""
        if self.kept is None:
            arrays = {name: self._accepted(name, x) for name, x in arrays.items() if x is not None}
            self.kept = {name: workspaces.empty(x.shape, x.dtype) for name, x in arrays.items()}
        for name, kept in self.kept.items():
            kept[...] = self._accepted(name, arrays[name], kept.shape)  # (1)

    def _accepted(self, name: str, x: Any, shape: Shape | None = None) -> Array:
        """x, checked as our code that calls the part would check it."""
        if x is not None:
            x = real_numbers(x, f"{name} of {self.part}.{self.verb}")
        if self.verb == "points" and shape is not None and len(x) != shape[0]:
            raise Refused(f"{self.part}.points gave {len(x)} points, and {shape[0]} before")
        if shape is None:
            shape = x.shape
        return accept(self.part, self.verb, name, x, shape, self.dtype)

    def _play(self, before: Any, after: list[Array], stream: Any) -> None:
        """(2): repeat a call's results. Raises Refused where the part is given something else."""
        if self._given() != before:
            raise Refused(f"{self.part}.{self.verb} was given something else")
        if self.rng is not None:
            self.rng.bit_generator.state = stream
        for x, y in zip((*(self.kept or {}).values(), *self.changes), after, strict=True):
            x[...] = y

    def _named(self, found: Any) -> dict[str, Any]:
        """What the verb returned, by name."""
        if len(self.names) == 1:
            return {self.names[0]: found}
        if self.verb == "value_and_gradient":
            value, gradient = found
            found = SimpleNamespace(value=value, gradient=gradient)
        return {name: getattr(found, name, None) for name in self.names}

    def result(self) -> Any:
        """What the verb returned, in the form that its caller expects."""
        kept = self.kept or {}
        named = {
            name: workspaces.returned(kept[name]) if name in kept else None for name in self.names
        }
        if len(named) < 2:
            return next(iter(named.values()), None)
        return (
            tuple(named.values()) if self.verb == "value_and_gradient" else SimpleNamespace(**named)
        )


def _for_writing(x: Any) -> Any:
    """An argument as a user's part gets it outside of a replay: writable, unless it is constant."""
    if isinstance(x, np.ndarray):
        return x if workspaces.is_constant(x) else workspaces.writable(x)
    if type(x) is SimpleNamespace:
        return SimpleNamespace(**{name: _for_writing(one) for name, one in vars(x).items()})
    return [_for_writing(one) for one in x] if isinstance(x, list) else x


@contextmanager
def _with_plain_step(args: tuple[Any, ...]) -> Iterator[None]:
    """Within it, a tape among the arguments has the number of the step as an int."""
    tape = next((x for x in args if isinstance(x, Tape)), None)
    step = None if tape is None else tape.what_was_given().get("step")
    if tape is None or step is None:
        yield
        return
    tape.go_on(int(step))
    try:
        yield
    finally:
        tape.go_on(step)


def _rng_of(x: Any) -> np.random.Generator | None:
    """The generator of random numbers that an argument is, or holds."""
    if isinstance(x, Tape):
        x = x.what_was_given().get("rng")
    return x if isinstance(x, np.random.Generator) else None


def _stream(rng: np.random.Generator | None) -> Any:
    """The state of a generator."""
    return None if rng is None else rng.bit_generator.state
