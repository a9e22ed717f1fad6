"""Optimizers on flat vectors, schedules of their learning rate, and averages of the weights."""

from .averaging import MovingAverage
from .optimizers import (
    OPTIMIZERS,
    SGD,
    Adam,
    AdamW,
    ClipNorm,
    Momentum,
    Nesterov,
    Optimizer,
    RMSProp,
    optimizer_for,
    settings,
)
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
    "optimizer_for",
    "settings",
]
