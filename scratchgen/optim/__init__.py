"""Optimizers on flat vectors, and schedules of their learning rate."""

from .optimizers import Adam, Optimizer, settings
from .schedules import LinearDecay, Schedule

__all__ = ["Adam", "LinearDecay", "Optimizer", "Schedule", "settings"]
