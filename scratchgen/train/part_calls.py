"""A call of a user's own part, such as a layer, within a step that is recorded and replayed.

A replay runs the kernels of our own parts (replay.py). What a user's part does is not known, so
each replay calls it from Python, in its place between the kernels. It may return an array elsewhere
in memory each time; the kernels after it read a copy, which stays in its place:

    kept = layer.forward(p, x, tape)                                                     (1)

A part runs outside the workspace, so that no kernel overwrites what it keeps. It may write into its
parameters, its gradients, and whatever else is its own.

A plan is compared with one step in Python (replay.py). The part must not be called twice for that
step. So its calls are noted, and the plan plays them back, if it gives the same arguments:

    playback = of each call, the arrays that the part returned and changed, and the state of
               the random numbers after it                                               (2)
"""

from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..ground.arguments import Array, Shape, real_numbers
from ..kernels import recording, workspaces
from ..nn import Tape
from ..nn.layer import accept
from ..optim.optimizers import expect_written

RETURNS = {  # for each verb, the names of the arrays that it returns
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
    """(2): for each part, by id, its calls in their order; played back once `plays` is set."""

    calls: dict[int, deque[Any]] = field(default_factory=lambda: defaultdict(deque))
    plays: bool = False


_playback: ContextVar[Playback | None] = ContextVar("playback", default=None)


@contextmanager
def noting_calls() -> Iterator[Playback]:
    """Within it, calls of parts are noted; once `plays` is set, they are played back."""
    playback = Playback()
    outside = _playback.set(playback)
    try:
        yield playback
    finally:
        _playback.reset(outside)


def call(part: Any, verb: str, args: tuple[Any, ...], returns: bool = True) -> Any:
    """(1): what a part's verb returns for these arguments; a replay calls it again."""
    part_call = PartCall(part, verb, tuple(map(_writable, args)), returns)
    recording.run_action(part_call, (), part_call.arrays, part_call.arrays, fenced=True)
    return part_call.result()


def note_value(part: Any, compute: Any) -> Any:
    """What `compute` returns, noted as a call of the part; or the noted value, in a playback."""
    playback = _playback.get()
    if playback is not None and playback.plays:
        return playback.calls[id(part)].popleft()
    value = compute()
    if playback is not None:
        playback.calls[id(part)].append(value)
    return value


class PartCall:
    """A call of a part's verb, which can be repeated on the same memory."""

    def __init__(self, part: Any, verb: str, args: tuple[Any, ...], returns: bool) -> None:
        self.part, self.verb, self.args = part, verb, args
        self.names = RETURNS.get(verb, ()) if returns else ()
        # an optimizer's memory is its own: no plan changes it, and it is never put back
        given = args[:-1] if verb == "update" else args
        self.arrays = [x for arg in given for x in workspaces.arrays_in(arg)]
        self.writable = [x for x in self.arrays if x.flags.writeable]
        dtypes = (x.dtype if isinstance(x, np.ndarray) else x for x in args)
        self.dtype: Any = next((x for x in dtypes if isinstance(x, np.dtype)), None)
        self.kept: dict[str, Array] | None = None
        self.rng = next(filter(None, map(_rng_of, args)), None)

    def __call__(self) -> None:
        playback = _playback.get()
        if playback is not None and playback.plays:
            self._play(*playback.calls[id(self.part)].popleft())
            return
        before = self._arguments() if playback is not None else None
        with workspaces.outside(), _with_plain_step(self.args):
            returned = getattr(self.part, self.verb)(*self.args)
        if self.verb == "update":
            expect_written(self.part, self.args[0], returned)
        self._keep(self._named(returned))
        if playback is not None:
            after = [x.copy() for x in (*(self.kept or {}).values(), *self.writable)]
            playback.calls[id(self.part)].append((before, after, _stream(self.rng)))

    def _arguments(self) -> Any:
        """All arguments, in a form that can be compared."""
        return [x.tobytes() for x in self.arrays], repr(_stream(self.rng))

    def _keep(self, arrays: dict[str, Any]) -> None:
        """(1), into memory that the first call reserves."""
        if self.kept is None:
            arrays = {name: self._accepted(name, x) for name, x in arrays.items() if x is not None}
            self.kept = {name: workspaces.empty(x.shape, x.dtype) for name, x in arrays.items()}
        for name, kept in self.kept.items():
            kept[...] = self._accepted(name, arrays[name], kept.shape)  # (1)

    def _accepted(self, name: str, x: Any, shape: Shape | None = None) -> Array:
        """x, checked as it is where no stand-in calls the part."""
        if x is not None:
            x = real_numbers(x, f"{name} of {self.part}.{self.verb}")
        if self.verb == "points" and shape is not None and len(x) != shape[0]:
            raise Refused(f"{self.part}.points gave {len(x)} points, and {shape[0]} before")
        if shape is None:
            shape = x.shape
        return accept(self.part, self.verb, name, x, shape, self.dtype)

    def _play(self, before: Any, after: list[Array], stream: Any) -> None:
        """(2): repeat a call's results; Refused if the arguments are others than they were."""
        if self._arguments() != before:
            raise Refused(f"{self.part}.{self.verb} got other arguments")
        if self.rng is not None:
            self.rng.bit_generator.state = stream
        for x, y in zip((*(self.kept or {}).values(), *self.writable), after, strict=True):
            x[...] = y

    def _named(self, returned: Any) -> dict[str, Any]:
        """What the verb returned, by name."""
        if len(self.names) == 1:
            return {self.names[0]: returned}
        if self.verb == "value_and_gradient":
            value, gradient = returned
            returned = SimpleNamespace(value=value, gradient=gradient)
        return {name: getattr(returned, name, None) for name in self.names}

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


def _writable(x: Any) -> Any:
    """An argument as a part gets it without a recording: writable, unless it is constant."""
    if isinstance(x, np.ndarray):
        return x if workspaces.is_constant(x) else workspaces.writable(x)
    if type(x) is SimpleNamespace:
        return SimpleNamespace(**{name: _writable(value) for name, value in vars(x).items()})
    return [_writable(item) for item in x] if isinstance(x, list) else x


@contextmanager
def _with_plain_step(args: tuple[Any, ...]) -> Iterator[None]:
    """Within its `with`, a tape among the arguments has the number of the step as an int."""
    tape = next((x for x in args if isinstance(x, Tape)), None)
    step = None if tape is None else tape.given_values().get("step")
    if tape is None or step is None:
        yield
        return
    tape.set_step(int(step))
    try:
        yield
    finally:
        tape.set_step(step)


def _rng_of(x: Any) -> np.random.Generator | None:
    """The generator of random numbers that an argument is, or holds."""
    if isinstance(x, Tape):
        x = x.given_values().get("rng")
    return x if isinstance(x, np.random.Generator) else None


def _stream(rng: np.random.Generator | None) -> Any:
    """The state of a generator."""
    return None if rng is None else rng.bit_generator.state
