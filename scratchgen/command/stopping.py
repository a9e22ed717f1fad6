"""A signal such as Ctrl-C ends a training after its current step, and then the model is saved.

    with Stop() as stop:
        fit(..., callbacks=[stop])       a signal ends it after its step; in the first step, at once
        stop.is_saving = True
        ...                              a signal only prints a line on stderr

These signals ask a program to end: SIGINT (Ctrl-C), SIGTERM (from process managers and queues),
SIGHUP (a closed terminal) and others like them. A signal that was ignored before, as under nohup,
stays ignored.
"""

import contextlib
import os
import signal
import sys
from types import FrameType
from typing import Any, Self

from ..train import Callback, Run
from ..train.signals import ending_signals, in_main_thread

SAVING = b"scratchgen: the model is being saved; the command ends after that\n"


class Stop(Callback):
    """The handler of these signals; `number` is that of the first signal received, or 0."""

    def __init__(self) -> None:
        self.number = 0
        self.is_saving = False
        self._before: dict[int, Any] = {}
        self._run: Run | None = None

    def __enter__(self) -> Self:
        for number in ending_signals() if in_main_thread() else []:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                self._before[number] = signal.signal(number, self._arrive)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def on_start(self, run: Run) -> None:
        self._run = run
        if self.number:  # received before the first step, which may compile for long
            raise KeyboardInterrupt

    def on_step(self, run: Run) -> None:
        if self.number:
            raise KeyboardInterrupt

    def exit_code(self) -> int:
        """The exit code that a shell reports for the signal: 130 for Ctrl-C."""
        return 128 + (self.number or signal.SIGINT)

    def _arrive(self, number: int, frame: FrameType | None) -> None:
        """Handle one of the signals."""
        self.number = self.number or number
        if self.is_saving:
            if sys.stderr is not None:  # if stderr is closed, 2 may be the model's file
                with contextlib.suppress(OSError):
                    os.write(2, SAVING)  # print itself may have been interrupted
        elif self._run and not self._run.steps:
            raise KeyboardInterrupt
