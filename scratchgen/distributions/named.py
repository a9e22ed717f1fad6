"""Likelihoods by name."""

from ..ground.arguments import Shape, is_picture
from ..ground.errors import OptionError
from ..ground.parts import Registry, choose
from .gaussian_likelihoods import Gaussian
from .likelihoods import Bernoulli, Categorical, Likelihood

LIKELIHOODS = Registry("likelihood", "scratchgen.distributions.LIKELIHOODS")  # see __init__.py


def likelihood_for(choice: str | Likelihood | None, shape: Shape) -> Likelihood:
    """The likelihood `choice`; a name or a class stands for one with default settings.

    None stands for Bernoulli for pictures, and Gaussian for everything else.
    Raises OptionError for an unknown name, OptionError or KindError for an incomplete choice.

    >>> likelihood_for("gaussian_fixed", (2,))
    FixedGaussian(variance=1.0)
    """
    if choice is None:
        return Bernoulli() if is_picture(shape) else Gaussian()
    if choice == Categorical.name:
        raise OptionError(
            "likelihood='categorical' does not say how many classes: wants "
            "likelihood=Categorical(classes=10), from scratchgen.distributions"
        )
    likelihood: Likelihood = choose(choice, LIKELIHOODS, Likelihood)
    return likelihood
