"""Training: a step, a run of steps, the loop around it, callbacks and progress."""

from .callbacks import Callback
from .loop import complete, fit
from .movie import Movie
from .progress import Progress, losses_text
from .run import History, Run
from .trainer import Trainer

__all__ = [
    "Callback",
    "History",
    "Movie",
    "Progress",
    "Run",
    "Trainer",
    "complete",
    "fit",
    "losses_text",
]
