"""Signals wait until the step of training that is under way has ended.

    with Signals() as signals:
        signals.hold()           from here on a signal is noted, and nothing else
        ...                      a step
        signals.release()        whoever handles it does so now, and from now on without delay

Ctrl-C raises KeyboardInterrupt wherever Python happens to be, so that one player of a GAN might
have moved and the other not, or weights and not what their optimizer remembers. Here it is raised
between two steps. So it is with every signal that ends programs and has a handler in Python; one
without keeps doing what it does, and no signal is held outside the main thread, where none arrives.
"""

import signal
import threading
from types import FrameType
from typing import Any, Self

# Which of them there are depends on the system.
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK", "SIGXCPU")


def ending_signals() -> list[int]:
    """The signals of this system that ask a program to end."""
    return [getattr(signal, name) for name in NAMES if hasattr(signal, name)]


def in_main_thread() -> bool:
    """Whether handlers of signals can be set here."""
    return threading.current_thread() is threading.main_thread()


class Signals:
    """See the top of this file."""

    def __init__(self) -> None:
        self._handlers: dict[int, Any] = {}  # as they were
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
        finally:  # a handler may raise as soon as it is back in its place
            self._restore()
        self.release()

    def _restore(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def hold(self) -> None:
        """Signals are noted from now on."""
        self._are_held = True

    def release(self) -> None:
        """Signals that were noted are handled now, and others when they arrive."""
        self._are_held = False
        while self._held:
            number = self._held.pop(0)
            self._handlers[number](number, None)

    def _arrive(self, number: int, frame: FrameType | None) -> None:
        if self._are_held:
            self._held.append(number)
        else:
            self._handlers[number](number, frame)
