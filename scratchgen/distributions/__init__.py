"""Distributions: draws, log-densities and divergences, each with its gradients.

A likelihood or a prior is one line here, and one file, which has its mathematics and the settings
at which it is checked.
"""

from ..ground.parts import parts_in  # noqa: I001 # likelihoods and priors in the order of their lists

from .likelihoods import Bernoulli as Bernoulli
from .likelihoods import Categorical as Categorical
from .gaussian_likelihoods import FixedGaussian as FixedGaussian
from .gaussian_likelihoods import MeanSquaredError as MeanSquaredError
from .gaussian_likelihoods import SharedGaussian as SharedGaussian
from .gaussian_likelihoods import Gaussian as Gaussian

from .priors import StandardNormal as StandardNormal
from .priors import Uniform as Uniform
from .priors import Ring as Ring

from . import bernoulli as bernoulli
from . import categorical as categorical
from . import gaussian as gaussian
from . import importance_draws as importance_draws
from .likelihoods import Likelihood as Likelihood
from .likelihoods import log_prob_and_gradient as log_prob_and_gradient
from .named import LIKELIHOODS as LIKELIHOODS
from .named import likelihood_for as likelihood_for
from .priors import PRIORS as PRIORS
from .priors import Prior as Prior
from .priors import drawn as drawn

LIKELIHOODS.update(parts_in(vars(), Likelihood))
PRIORS.update(parts_in(vars(), Prior))
