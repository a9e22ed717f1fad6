"""Losses: a value per example, and gradients by name."""

from .adversarial import LOSSES, MINIMAX, NON_SATURATING, AdversarialLoss

__all__ = ["LOSSES", "MINIMAX", "NON_SATURATING", "AdversarialLoss"]
