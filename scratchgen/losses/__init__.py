"""Losses: a value per example, and gradients by name."""

from .adversarial import (
    HINGE,
    LEAST_SQUARES,
    LOSSES,
    MINIMAX,
    NON_SATURATING,
    WASSERSTEIN,
    AdversarialLoss,
    discriminator_turn,
    generator_turn,
)
from .penalties import (
    PENALTIES,
    R1,
    GradientPenalty,
    Penalty,
    penalise,
    points,
)

__all__ = [
    "HINGE",
    "LEAST_SQUARES",
    "LOSSES",
    "MINIMAX",
    "NON_SATURATING",
    "PENALTIES",
    "R1",
    "WASSERSTEIN",
    "AdversarialLoss",
    "GradientPenalty",
    "Penalty",
    "discriminator_turn",
    "generator_turn",
    "penalise",
    "points",
]
