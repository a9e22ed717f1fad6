"""Signals such as Ctrl-C wait until the present step of training has ended.

    with Signals() as signals:
        signals.hold()           from here on a signal is only noted
        ...                      a step
        signals.release()        noted signals are handled now, and later ones at once

Ctrl-C raises KeyboardInterrupt wherever Python happens to be. So one player of a GAN might have
moved and the other not, or the weights and not the moments of their optimizer. Here it is raised
between two steps, as is every signal that ends programs, if it has a handler in Python; a signal
without such a handler does what it always does. Outside the main thread no signals arrive, and none
are held.
"""

import signal
import threading
from types import FrameType
from typing import Any, Self

# not every system has all of them
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK", "SIGXCPU")


def ending_signals() -> list[int]:
    """The signals of this system that end programs."""
    return [getattr(signal, name) for name in NAMES if hasattr(signal, name)]


def in_main_thread() -> bool:
    """Whether handlers of signals can be set in this thread."""
    return threading.current_thread() is threading.main_thread()


class Signals:
    """See the top of this file."""

    def __init__(self) -> None:
        self._handlers: dict[int, Any] = {}  # of the program, by signal
        self._held: list[int] = []
        self._are_held = False

    def __enter__(self) -> Self:
        for number in ending_signals() if in_main_thread() else []:
            handler = signal.getsignal(number)
            if callable(handler):
                self._handlers[number] = handler
                signal.signal(number, self._arrive)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._restore()
        finally:  # a handler may raise as soon as it is restored
            self._restore()
        self.release()

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def hold(self) -> None:
        """Only note signals from now on."""
        self._are_held = True

    def release(self) -> None:
        """Handle the noted signals now, and others when they arrive."""
        self._are_held = False
        while self._held:
            number = self._held.pop(0)
            self._handlers[number](number, None)

    def _arrive(self, number: int, frame: FrameType | None) -> None:
        if self._are_held:
            self._held.append(number)
        else:
            self._handlers[number](number, frame)
