"""Losses: a value for each example, and its gradients."""

from .classes import cross_entropy
from .games import (
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
from .importance import importance_weights
from .penalties import (
    PENALTIES,
    R1,
    GradientPenalty,
    Penalty,
    mean_penalty,
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
    "cross_entropy",
    "discriminator_turn",
    "generator_turn",
    "importance_weights",
    "mean_penalty",
    "penalise",
    "points",
]
