"""Training: a step, the run that it is of, the loop around it, and who is told how it goes."""

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
