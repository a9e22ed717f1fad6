"""A tool in a process of its own: it gets ready, and then works when it is its turn.

    the bench             the process
                     <-   {"how": "eager"}        ready
    go               ->
                     <-   {"seconds": 0.123}      the time of this turn
    (end of input)   ->   ends

So compiling is not counted, only one tool works at a time, and none sees what another imports.
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

PAUSE = 0.2  # seconds before a turn: threads that the last tool left spinning go to sleep


class WorkerError(ScratchgenError):
    """A process of the bench ended; the text says what it said last."""


class Worker:
    """The bench's end: starts a process, waits until it is ready, gives it turns."""

    def __init__(self, name: str, command: Sequence[str], environment: dict[str, str]) -> None:
        self.name = name
        self.command = command
        self.environment = environment
        self.facts: dict[str, Any] = {}
        self.complaints: Any = None
        self.process: Any = None

    def start(self) -> None:
        """Start the process, and wait until it is ready: what it says about itself is in facts."""
        self.complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.complaints,
            env=self.environment,
            text=True,
        )
        self.facts = self._answer()

    def turn(self) -> float:
        """Let it work once: seconds, as it measured them."""
        with contextlib.suppress(BrokenPipeError):  # it ended; its answer says why
            self.process.stdin.write("go\n")
            self.process.stdin.flush()
        return float(self._answer()["seconds"])

    def close(self) -> None:
        """End it, where it was started."""
        if self.process is None:
            return
        with contextlib.suppress(BrokenPipeError):
            self.process.communicate()
        self.complaints.close()
        self.process = None

    def _answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if line:
            return dict(json.loads(line))
        self.process.wait()
        self.complaints.seek(0)
        said = self.complaints.read().decode(errors="replace").strip().splitlines()
        why = said[-1] if said else f"it ended with {self.process.returncode}"
        raise WorkerError(f"{self.name}: {why}")


def take_turns(
    workers: Sequence[Worker], rounds: int, pause: float = PAUSE
) -> tuple[dict[str, Times], dict[str, str]]:
    """Seconds of each worker's turns, by name; and why those that failed did.

    They get ready one after the other, so that what one tries out is not slowed by another.
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
            running = {name: one for name, one in running.items() if name not in failed}
    finally:
        for worker in workers:
            worker.close()
    return {name: Times(tuple(seconds[name])) for name in running}, failed


class Turns:
    """The process's end. What the tool prints goes to stderr, so that answers stay alone."""

    def __init__(self) -> None:
        self.answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def send(self, **facts: Any) -> None:
        """Ready, or done."""
        print(json.dumps(facts), file=self.answers, flush=True)

    def wait(self) -> bool:
        """Until it is our turn; False when there will be none."""
        return bool(sys.stdin.readline())

    def serve(self, work: Callable[[], object]) -> None:
        """Do and time `work` in each turn."""
        while self.wait():
            began = time.perf_counter()
            work()
            self.send(seconds=time.perf_counter() - began)
