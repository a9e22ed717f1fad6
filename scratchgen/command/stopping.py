"""A command that trains ends when it is told to, and not before the model is saved.

    with Stop() as stop:
        fit(..., callbacks=[stop])       a signal ends it after its step, in the first at once
        stop.is_saving = True
        ...                              a signal is noted, and a line on stderr says so

Signals that ask a program to end are Ctrl-C, SIGTERM, which managers of processes and queues send,
SIGHUP, which comes when a terminal is closed, and their kin. Those that are ignored stay so: nohup
means it.
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
    """See the top of this file; `number` is that of the first signal that came, or 0."""

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
        if self.number:  # it came before: the first step, which may compile, is not begun
            raise KeyboardInterrupt

    def on_step(self, run: Run) -> None:
        if self.number:
            raise KeyboardInterrupt

    def exit_code(self) -> int:
        """What a shell gives a program that the signal ended: 130 for Ctrl-C."""
        return 128 + (self.number or signal.SIGINT)

    def _arrive(self, number: int, frame: FrameType | None) -> None:
        """The handler of all these signals."""
        self.number = self.number or number
        if self.is_saving:
            if sys.stderr is not None:  # 2 may be the model's file, where stderr is closed
                with contextlib.suppress(OSError):
                    os.write(2, SAVING)  # print may be under way itself
        elif self._run and not self._run.steps:
            raise KeyboardInterrupt
