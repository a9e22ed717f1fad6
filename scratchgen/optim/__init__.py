"""Optimizers on flat vectors, schedules of their learning rate, and averages of the weights."""

from .adam import Adam, AdamW
from .averaging import MovingAverage
from .clipping import ClipNorm
from .descent import SGD, Optimizer
from .description import build, describe, recorded
from .momentum import Momentum, Nesterov
from .optimizers import OPTIMIZERS, optimizer_for
from .rmsprop import RMSProp
from .schedules import (
    SCHEDULES,
    Chain,
    Constant,
    Cosine,
    LinearDecay,
    Schedule,
    StepDecay,
    WarmUp,
)

__all__ = [
    "OPTIMIZERS",
    "SCHEDULES",
    "SGD",
    "Adam",
    "AdamW",
    "Chain",
    "ClipNorm",
    "Constant",
    "Cosine",
    "LinearDecay",
    "Momentum",
    "MovingAverage",
    "Nesterov",
    "Optimizer",
    "RMSProp",
    "Schedule",
    "StepDecay",
    "WarmUp",
    "build",
    "describe",
    "optimizer_for",
    "recorded",
]
