"""Training: a step, the loop around it, and who is told how it goes."""

from .callbacks import Callback, Run
from .loop import History, fit
from .progress import Progress, losses_text
from .step import Trainer

__all__ = ["Callback", "History", "Progress", "Run", "Trainer", "fit", "losses_text"]
