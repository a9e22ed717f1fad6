"""A tool in a process of its own: it gets ready, and then works when it gets a turn.

    the bench             the process
                     <-   {"how": "eager"}        ready
    go               ->
                     <-   {"seconds": 0.123}      the time of this turn
    (end of input)   ->   ends

So compiling is not measured, one tool works at a time, and no tool imports another.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

from ..ground.errors import ScratchgenError
from .timing import Times, rotated

PAUSE = 0.2  # seconds before a turn, in which busy-waiting threads of the last tool go to sleep


class WorkerError(ScratchgenError):
    """A process of the bench ended; the text is the last line of its stderr."""


class Worker:
    """The bench's side: it starts a process, waits until that is ready, and gives it turns."""

    def __init__(self, name: str, command: Sequence[str], environment: dict[str, str]) -> None:
        self.name = name
        self.command = command
        self.environment = environment
        self.facts: dict[str, Any] = {}
        self.errors: Any = None
        self.process: Any = None

    def start(self) -> None:
        """Start the process and wait until it is ready; its first answer goes into `facts`."""
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env=self.environment,
            text=True,
        )
        self.facts = self._answer()

    def turn(self) -> float:
        """Let it work once; returns the seconds that it measured."""
        with contextlib.suppress(BrokenPipeError):  # it ended; _answer says why
            self.process.stdin.write("go\n")
            self.process.stdin.flush()
        return float(self._answer()["seconds"])

    def close(self) -> None:
        """End the process if it runs."""
        if self.process is None:
            return
        with contextlib.suppress(BrokenPipeError):
            self.process.communicate()
        self.errors.close()
        self.process = None

    def _answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if line:
            return dict(json.loads(line))
        self.process.wait()
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        why = lines[-1] if lines else f"it ended with {self.process.returncode}"
        raise WorkerError(f"{self.name}: {why}")


def take_turns(
    workers: Sequence[Worker], rounds: int, pause: float = PAUSE
) -> tuple[dict[str, Times], dict[str, str]]:
    """The seconds of each worker's turns by name, and the reasons of those that failed.

    Workers get ready one after the other, so that no worker slows down the trials of another.
    """
    failed: dict[str, str] = {}
    seconds: dict[str, list[float]] = {}
    try:
        for worker in workers:
            try:
                worker.start()
                seconds[worker.name] = []
            except WorkerError as problem:
                failed[worker.name] = str(problem)
        running = {worker.name: worker for worker in workers if worker.name in seconds}
        for number in range(rounds):
            for name in rotated(list(running), number):
                time.sleep(pause)
                try:
                    seconds[name].append(running[name].turn())
                except WorkerError as problem:
                    failed[name] = str(problem)
            running = {name: worker for name, worker in running.items() if name not in failed}
    finally:
        for worker in workers:
            worker.close()
    return {name: Times(tuple(seconds[name])) for name in running}, failed


class Turns:
    """The process's side. Output of the tool goes to stderr, so that stdout has only answers."""

    def __init__(self) -> None:
        self.answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def send(self, **facts: Any) -> None:
        """Send facts when ready, or the time of a turn."""
        print(json.dumps(facts), file=self.answers, flush=True)

    def wait(self) -> bool:
        """Wait for the next turn; False if there are no more."""
        return bool(sys.stdin.readline())

    def serve(self, work: Callable[[], object]) -> None:
        """Run and time `work` in each turn."""
        while self.wait():
            began = time.perf_counter()
            work()
            self.send(seconds=time.perf_counter() - began)
