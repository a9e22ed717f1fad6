"""Measures of what a model has learnt."""

from .modes import Coverage, coverage

__all__ = ["Coverage", "coverage"]
