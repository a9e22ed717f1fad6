"""Progress with the losses: a bar on a terminal, a line per epoch elsewhere."""

import contextlib
import sys
from shutil import get_terminal_size
from typing import Any

from ..ground.printing import to_stderr
from ..ground.versions import is_installed
from .callbacks import Callback, Run

BAR = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} {remaining}{postfix}"  # fits 80 columns
LINES = 20  # this many epochs, and the last, are reported line by line


def losses_text(losses: dict[str, float]) -> str:
    """`loss 120.3, reconstruction 100.1, kl 20.2`."""
    return ", ".join(f"{name} {value:.5g}" for name, value in losses.items())


class Progress(Callback):
    """tqdm's bar where it is installed and stderr is a terminal; otherwise lines on stderr."""

    def __init__(self) -> None:
        self.bar: Any = None

    def on_start(self, run: Run) -> None:
        if sys.stderr is not None and sys.stderr.isatty() and is_installed("tqdm"):
            from tqdm import tqdm

            total = run.epochs * run.steps_per_epoch
            width = get_terminal_size().columns - 1
            with contextlib.suppress(OSError):
                self.bar = tqdm(
                    total=total, initial=run.steps, ncols=width, bar_format=BAR, mininterval=0.2
                )

    def on_step(self, run: Run) -> None:
        if self.bar is not None:
            with contextlib.suppress(OSError):  # the terminal has gone, and training goes on
                self.bar.set_postfix_str(losses_text(run.losses), refresh=False)
                self.bar.update()

    def on_epoch(self, run: Run) -> None:
        if self.bar is None and (
            run.epoch == run.epochs or (run.epoch - 1) % -(-run.epochs // LINES) == 0
        ):
            to_stderr(f"epoch {run.epoch}/{run.epochs}: {losses_text(run.losses)}")

    def on_end(self, run: Run) -> None:
        if self.bar is not None:
            with contextlib.suppress(OSError):
                self.bar.close()
