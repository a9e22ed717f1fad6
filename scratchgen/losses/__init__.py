"""Losses: a value per example, and gradients by name."""

from .adversarial import (
    HINGE,
    LEAST_SQUARES,
    LOSSES,
    MINIMAX,
    NON_SATURATING,
    WASSERSTEIN,
    AdversarialLoss,
    describe_loss,
    discriminator_turn,
    generator_turn,
)
from .classes import cross_entropy
from .importance import importance_weights
from .penalties import (
    PENALTIES,
    R1,
    GradientPenalty,
    Penalty,
    build_penalty,
    describe_penalty,
    penalise,
    penalty_for,
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
    "build_penalty",
    "cross_entropy",
    "describe_loss",
    "describe_penalty",
    "discriminator_turn",
    "generator_turn",
    "importance_weights",
    "penalise",
    "penalty_for",
    "points",
]
