"""A tape is the memory of one forward pass, which its backward pass reads.

    tape.begin(training=True, rng=rng)    starts a pass with these values; forgets the last pass
    tape.training, tape.rng               the values that the pass was given
    tape.x = x                            a note that forward leaves for backward
    tape.inner("encoder")                 a tape for one network or layer within the pass
    tape.scheduled(f)                        f(step), a number that changes from step to step

A note is no copy: an array that a layer was given must not change before its backward has run. One
tape serves one pass at a time; two threads take two tapes.
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
        """Start a pass: forget the notes of the last one."""
        self._start({"training": training, **given})
        return self

    def inner(self, name: Hashable, **given: Any) -> "Tape":
        """The tape of one network or layer within this pass.

        It is given what this tape was given; `given` adds to that, or replaces it.
        """
        if name not in self._inner:
            self._inner[name] = Tape()
            self._inner[name]._start(self._given)
        inner = self._inner[name]
        if given:
            inner._start(ChainMap(given, self._given))
        return inner

    def given(self, name: str, reason: str) -> Any:
        """The value that `begin` was given by that name; without one, TapeError with the reason."""
        value = self._given.get(name)
        if value is None:
            raise TapeError(
                f"the pass was given no {name}, and {reason}: start it with "
                f"tape.begin(training={self._given['training']}, {name}={name})"
            )
        return value

    def scheduled(self, f: Callable[[int | None], float]) -> Array:
        """f(step) as an array (1,): a number that changes from step to step, such as a warm-up.

        `step` is the step of training that the pass was given; None where it was given none.
        """
        return kernels.scheduled(lambda: f(self._given.get("step")))

    def go_on(self, step: int) -> None:
        """Set the step of training, for this tape and all its inner tapes."""
        self._given["step"] = step  # inner tapes look values up in this very dict

    def what_was_given(self) -> dict[str, Any]:
        """What `begin` was called with, by name."""
        return dict(self._given)

    def _start(self, given: MutableMapping[str, Any]) -> None:
        # notes are attributes, which are found fast: a new __dict__ forgets them all
        self.__dict__ = {"_given": given, "_inner": self._inner}
        for tape in self._inner.values():
            tape._start(given)

    if TYPE_CHECKING:  # a note may have any name

        def __setattr__(self, name: str, value: Any) -> None: ...

    def __getattr__(self, name: str) -> Any:
        """The value that `begin` was given by that name, where there is no such note."""
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._given:
            return self._given[name]
        raise TapeError(
            f"this tape holds no {name!r}: run forward on it first (every begin() forgets the last "
            f"pass), or give it to tape.begin({name}=...)"
        )
