"""Distributions: draws, log-densities and divergences, each with its gradients."""

from . import bernoulli, categorical, gaussian, importance_draws
from .gaussian_likelihoods import FixedGaussian, Gaussian, MeanSquaredError, SharedGaussian
from .likelihoods import Bernoulli, Categorical, Likelihood, log_prob_and_gradient
from .named import LIKELIHOODS, likelihood_for
from .priors import PRIORS, Prior, Ring, StandardNormal, Uniform, drawn

__all__ = [
    "LIKELIHOODS",
    "PRIORS",
    "Bernoulli",
    "Categorical",
    "FixedGaussian",
    "Gaussian",
    "Likelihood",
    "MeanSquaredError",
    "Prior",
    "Ring",
    "SharedGaussian",
    "StandardNormal",
    "Uniform",
    "bernoulli",
    "categorical",
    "drawn",
    "gaussian",
    "importance_draws",
    "likelihood_for",
    "log_prob_and_gradient",
]
