"""What stands in a replayed training for a part of a user's own, such as a layer or an optimizer.

A replay runs the kernels of our own parts (replay.py). Of any other part nobody knows what it does,
so it is run by Python in each replay too, in its place between the kernels. What it gives may lie
somewhere else each time, and is copied to where the kernels after it look:

    kept = layer.forward(p, x, tape)                                                     (1)

Stand-ins are put into a double of the model, in the place of the parts that they run; a part that
is used twice has one. A part runs outside the workspace, so that what it keeps stays as it is, and
it may write into what it owns: its parameters and its gradients.

A plan is tried once beside a step that runs by Python (replay.py). The part is then asked once, and
what it gave is given again:

    plays back = the arrays that the part gave and changed, in the order of its calls    (2)
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..checks import Array, Shape
from ..errors import KindError, ShapeError
from ..kernels import memory, recording
from ..nn import Layer, Network, Residual, Tape
from ..nn.initialisers import Initial
from ..nn.layer import Views

NAMES = {"forward": "y", "backward": "dx", "tangent": "v", "points": "x"}  # what one array is
GIVES = ("forward", "backward", "tangent", "tangent_backward", "both", "points",
         "discriminator_pass", "generator_pass")  # fmt: skip


@dataclass
class Playback:
    """(2): what parts gave, to be given again in the same order."""

    given: deque[list[Array]] = field(default_factory=deque)
    plays: bool = False


_playback: ContextVar[Playback | None] = ContextVar("playback", default=None)


@contextmanager
def taping() -> Iterator[Playback]:
    """Within it what parts give is kept; once `plays` is set, it is given again."""
    playback = Playback()
    outside = _playback.set(playback)
    try:
        yield playback
    finally:
        _playback.reset(outside)


class StandIn:
    """Runs a part: a likelihood, a game, a penalty or an optimizer of a user's own."""

    def __init__(self, part: Any) -> None:
        self.part = part

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.part, name)
        if name not in GIVES:
            return found
        return lambda *args: self.call(name, *args)

    def call(self, verb: str, *args: Any) -> Any:
        """(1); what the verb gives, in memory of the step."""
        return call(self.part, verb, args)

    def __str__(self) -> str:
        return str(self.part)


class StandInOptimizer:
    """Runs a user's own optimizer on the vectors themselves."""

    def __init__(self, optimizer: Any, theta: Array, gradient: Array) -> None:
        self.optimizer, self._vectors = optimizer, (theta, gradient)

    def update(self, _theta: Array, _gradient: Array, memory: Any) -> None:
        """One step, by the optimizer itself."""
        call(self.optimizer, "update", (*self._vectors, memory))

    def __str__(self) -> str:
        return str(self.optimizer)


class StandInLayer(Layer):
    """Runs a layer of a user's own; it is only passed through, never laid out or saved."""

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
        if type(self.layer).settle is not Layer.settle:
            call(self.layer, "settle", (p, tape))

    def out_shape(self, shape: Shape) -> Shape:
        return self.layer.out_shape(shape)

    def children(self) -> tuple[Layer, ...]:
        return self.layer.children()

    def parameters(self) -> dict[str, tuple[Shape, Initial]]:
        return self.layer.parameters()

    def borrows(self) -> dict[str, tuple[Layer, str]]:
        return self.layer.borrows()

    def __str__(self) -> str:
        return str(self.layer)


def doubled(layer: Layer, is_known: Callable[[Any], bool], made: dict[Layer, Layer]) -> Layer:
    """The layer, or, where it or one within it is not known, a double with stand-ins."""
    if layer not in made:
        if not is_known(layer):
            made[layer] = StandInLayer(layer)
        elif type(layer) in (Network, Residual):
            children = [doubled(child, is_known, made) for child in layer.children()]
            same = all(a is b for a, b in zip(children, layer.children(), strict=True))
            made[layer] = layer if same else layer.with_children(*children)
        else:
            made[layer] = layer
    return made[layer]


def expect_written(optimizer: Any, theta: Array, found: Any) -> None:
    """KindError where `update` gave another array than theta, which it is to write in place."""
    if isinstance(found, np.ndarray) and found is not theta:
        raise KindError(
            f"{optimizer}.update gave an array, wants theta written in place: theta[:] = ..."
        )


def call(part: Any, verb: str, args: tuple[Any, ...], gives: bool = True) -> Any:
    """What a part's verb gives for those arguments, as (1), noted where a step is recorded."""
    run = Run(part, verb, tuple(map(_for_writing, args)), gives)
    recording.act(run, (), run.arrays, run.arrays, fenced=True)
    return run.result()


class Run:
    """One call of a part; called again, it does the same in the same memory."""

    def __init__(self, part: Any, verb: str, args: tuple[Any, ...], gives: bool) -> None:
        self.part, self.verb, self.args, self.gives = part, verb, args, gives
        self.changes = list(memory.arrays_in(args[0])) if verb in ("update", "settle") else []
        if verb in ("backward", "tangent_backward"):
            self.changes = list(memory.arrays_in(args[-2]))  # g
        self.arrays = [x for one in args for x in memory.arrays_in(one)]
        self.kept: dict[str, Array] | None = None
        self._form: Any = None

    def __call__(self) -> None:
        playback = _playback.get()
        if playback is not None and playback.plays:
            self._play(playback.given.popleft())
            return
        with memory.outside():
            found = getattr(self.part, self.verb)(*self.args)
        if self.verb == "update":
            expect_written(self.part, self.args[0], found)
        arrays = self._named(found)
        if self.kept is None:
            self._form = found
            self.kept = {name: memory.empty(x.shape, x.dtype) for name, x in arrays.items()}
        for name, kept in self.kept.items():
            x = arrays.get(name)
            if x is None or x.shape != kept.shape:
                came = f"no {name}" if x is None else f"{name} of shape {x.shape}"
                raise ShapeError(
                    f"{self.part}.{self.verb} gave {came}, and in earlier steps with as many "
                    f"examples {kept.shape}: fit(..., replay=False) runs each step anew"
                )
            kept[...] = x  # (1)
        if playback is not None:
            playback.given.append([x.copy() for x in (*self.kept.values(), *self.changes)])

    def _play(self, given: list[Array]) -> None:
        for x, y in zip((*(self.kept or {}).values(), *self.changes), given, strict=True):
            x[...] = y  # (2)

    def _named(self, found: Any) -> dict[str, Array]:
        """The arrays in what the verb gave, by name, real numbers in the dtype of its arguments."""
        if not self.gives or self.verb not in GIVES:
            return {}
        if isinstance(found, SimpleNamespace):
            named = vars(found)
        elif isinstance(found, tuple):
            named = {str(i): x for i, x in enumerate(found)}
        else:
            named = {} if found is None else {NAMES.get(self.verb, "result"): found}
        dtype = next(x.dtype for x in self.args if isinstance(x, np.ndarray))
        return {name: _as_array(x, dtype) for name, x in named.items() if x is not None}

    def result(self) -> Any:
        """What the verb gave, in the form in which it gave it."""
        named = {name: memory.returned(x) for name, x in (self.kept or {}).items()}
        if isinstance(self._form, SimpleNamespace):
            return SimpleNamespace(**{name: named.get(name) for name in vars(self._form)})
        if isinstance(self._form, tuple):
            return tuple(named.get(str(i)) for i in range(len(self._form)))
        return next(iter(named.values()), None)


def _as_array(x: Any, dtype: np.dtype[Any]) -> Array:
    x = np.asarray(x)
    return x.astype(dtype, copy=False) if {x.dtype.kind, dtype.kind} <= set("biuf") else x


def _for_writing(x: Any) -> Any:
    """An argument as a user's part is given it: windows of which it may write those it owns."""
    if isinstance(x, np.ndarray):
        return memory.writable(x)
    if isinstance(x, SimpleNamespace) and type(x) is SimpleNamespace:
        return SimpleNamespace(**{name: _for_writing(value) for name, value in vars(x).items()})
    return [_for_writing(one) for one in x] if isinstance(x, list) else x
