"""log.csv: the losses of a run, one line per epoch.

A line is on disk before the next epoch begins.
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from ..ground.printing import to_stderr
from ..ground.writing import write_atomically
from ..train import Callback, Run

LOG = "log.csv"


class Log(Callback):
    """Adds a line to log.csv after each epoch.

    If a line cannot be written, it says so, training goes on, and `write` writes them all later.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOG
        self.history: dict[str, list[float]] = {}
        self.is_complete = True
        self.written = 0  # epochs

    def on_start(self, run: Run) -> None:
        self.history = run.history

    def on_epoch(self, run: Run) -> None:
        if not self.is_complete:
            return
        head = [["epoch", *self.history]] if run.epoch == 1 else []
        try:
            rows = _csv([*head, _row(run.epoch, self.last().values())])
            with self.path.open("a", newline="", encoding="utf-8") as file:
                file.write(rows)
            self.written = run.epoch
        except OSError as problem:
            self.is_complete = False
            to_stderr(
                f"scratchgen: {self.path} cannot be written ({problem.strerror}): training goes "
                f"on, and the log is written when it ends"
            )

    def write(self, folder: Path) -> None:
        """Write the whole log into that folder, unless it is there already.

        A signal may end a run between the last step of an epoch and its line.
        """
        epochs = list(zip(*self.history.values(), strict=True))
        is_complete = self.is_complete and self.written == len(epochs)
        if epochs and not (is_complete and (folder / LOG).exists()):
            rows = [_row(number, epoch) for number, epoch in enumerate(epochs, start=1)]
            write_atomically(folder / LOG, _csv([["epoch", *self.history], *rows]).encode())

    def last(self) -> dict[str, float]:
        """The losses of the last epoch; empty before the first epoch has ended."""
        return {name: values[-1] for name, values in self.history.items() if values}


def _row(epoch: int, losses: Iterable[float]) -> list[str]:
    return [str(epoch), *(f"{value:.6f}" for value in losses)]


def _csv(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
