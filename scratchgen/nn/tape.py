"""A tape is the memory of one forward pass, which its backward pass reads.

    tape.begin(training=True, rng=rng)    starts a pass with these values, and forgets the last pass
    tape.training, tape.rng               the values that the pass started with
    tape.x = x                            a note that forward leaves for backward
    tape.inner("encoder")                 the tape of one network or layer within the pass
    tape.scheduled(f)                     f(step), for a number that depends on the step of training

Layers need the first four only: a layer writes `tape.x = x` in forward and reads `tape.x` in
backward. The rest of this file makes notes fast, which a first reader need not know. A note is not
a copy: x must not change in between. A tape serves one pass at a time, so two threads need two
tapes.
"""

from collections import ChainMap
from collections.abc import Callable, Hashable, MutableMapping
from typing import TYPE_CHECKING, Any, Self

from .. import kernels
from ..ground.arguments import Array
from ..ground.errors import TapeError


class Tape:
    """The memory of one pass; see the top of this file.

    >>> tape = Tape().begin(training=True)
    >>> tape.x = 3
    >>> tape.x, tape.training
    (3, True)
    """

    def __init__(self) -> None:
        self._given: MutableMapping[str, Any] = {"training": False}
        self._inner: dict[Hashable, Tape] = {}

    def begin(self, *, training: bool = False, **given: Any) -> Self:
        """Start a pass, and forget the notes of the last pass."""
        self._start({"training": training, **given})
        return self

    def inner(self, name: Hashable, **given: Any) -> "Tape":
        """The tape of one network or layer within this pass.

        It starts with the values of this tape; `given` adds values or replaces them.
        """
        if name not in self._inner:
            self._inner[name] = Tape()
            self._inner[name]._start(self._given)
        inner = self._inner[name]
        if given:
            inner._start(ChainMap(given, self._given))
        return inner

    def given(self, name: str, reason: str) -> Any:
        """The value that the pass started with; TapeError, with the reason, if there is none."""
        value = self._given.get(name)
        if value is None:
            raise TapeError(
                f"the pass was given no {name}, and {reason}: start it with "
                f"tape.begin(training={self._given['training']}, {name}={name})"
            )
        return value

    def scheduled(self, f: Callable[[int | None], float]) -> Array:
        """f(step) as an array (1,): a number that changes from step to step, such as a warm-up.

        `step` is the pass's step of training, or None outside of training.
        """
        return kernels.scheduled(lambda: f(self._given.get("step")))

    def set_step(self, step: int) -> None:
        """Set the step of training, for this tape and its inner tapes."""
        self._given["step"] = step  # inner tapes look up values in this same dict

    def given_values(self) -> dict[str, Any]:
        """The values that the pass started with, by name."""
        return dict(self._given)

    def _start(self, given: MutableMapping[str, Any]) -> None:
        # notes are attributes, the fastest to look up; a new __dict__ forgets them all
        self.__dict__ = {"_given": given, "_inner": self._inner}
        for tape in self._inner.values():
            tape._start(given)

    if TYPE_CHECKING:  # a note may have any name

        def __setattr__(self, name: str, value: Any) -> None: ...

    def __getattr__(self, name: str) -> Any:
        """The value that the pass started with, if there is no note of that name."""
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._given:
            return self._given[name]
        raise TapeError(
            f"this tape holds no {name!r}: run forward on it first (every begin() forgets the last "
            f"pass), or give it to tape.begin({name}=...)"
        )
