"""Distributions: draws, log-densities and divergences, each with its gradients by name."""

from . import bernoulli, gaussian
from .likelihoods import (
    LIKELIHOODS,
    Bernoulli,
    Gaussian,
    Likelihood,
    build_likelihood,
    describe_likelihood,
    likelihood_for,
)

__all__ = [
    "LIKELIHOODS",
    "Bernoulli",
    "Gaussian",
    "Likelihood",
    "bernoulli",
    "build_likelihood",
    "describe_likelihood",
    "gaussian",
    "likelihood_for",
]
