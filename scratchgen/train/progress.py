"""Progress with the losses: a bar on a terminal or in a notebook, lines elsewhere."""

import contextlib
import sys
from shutil import get_terminal_size
from typing import Any

from ..ground.printing import stderr_is_terminal, to_stderr
from ..ground.versions import is_installed
from .callbacks import Callback, Run

BAR = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} {remaining}{postfix}"  # fits 80 columns
LINES = 20  # at most, and one more for the last epoch


def losses_text(losses: dict[str, float]) -> str:
    """`loss 120.3, reconstruction 100.1, kl 20.2`."""
    return ", ".join(f"{name} {value:.5g}" for name, value in losses.items())


def is_notebook() -> bool:
    """Whether this is the kernel of a Jupyter notebook, found out without importing IPython."""
    ipython = sys.modules.get("IPython")
    shell = getattr(ipython, "get_ipython", lambda: None)()
    return "IPKernelApp" in (getattr(shell, "config", None) or ())


class Progress(Callback):
    """tqdm's bar, or lines on stderr.

    The bar needs tqdm, and a terminal, or a notebook with ipywidgets.
    """

    def __init__(self) -> None:
        self.bar: Any = None

    def on_start(self, run: Run) -> None:
        done = {"total": run.epochs * run.steps_per_epoch, "initial": run.steps}
        if not is_installed("tqdm"):
            return
        if is_notebook():
            if is_installed("ipywidgets"):
                from tqdm.notebook import tqdm as notebook_bar

                with contextlib.suppress(ImportError):  # of an ipywidgets that tqdm does not know
                    self.bar = notebook_bar(**done, mininterval=0.2)
        elif stderr_is_terminal():
            from tqdm import tqdm

            width = get_terminal_size().columns - 1
            with contextlib.suppress(OSError):
                self.bar = tqdm(**done, ncols=width, bar_format=BAR, mininterval=0.2)

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
