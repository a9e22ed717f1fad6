"""Measures of what a model has learnt."""

from .modes import Coverage, coverage
from .two_samples import energy_distance, same_distribution

__all__ = ["Coverage", "coverage", "energy_distance", "same_distribution"]
