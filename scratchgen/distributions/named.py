"""Likelihoods by name, and as plain words for a file."""

import dataclasses
from typing import Any

from ..checks import Shape, as_object, is_picture, one_of
from ..errors import OptionError
from .gaussian_likelihoods import FixedGaussian, Gaussian, MeanSquaredError, SharedGaussian
from .likelihoods import Bernoulli, Categorical, Likelihood

LIKELIHOODS: dict[str, type[Likelihood]] = {
    kind.name: kind
    for kind in (Bernoulli, Categorical, FixedGaussian, MeanSquaredError, SharedGaussian, Gaussian)
}


def likelihood_for(choice: str | Likelihood | None, shape: Shape) -> Likelihood:
    """A likelihood: `choice` itself or, of a name or a class, the one with its default settings.

    None is Bernoulli for pictures, and Gaussian for all else.
    Raises OptionError for an unknown name, OptionError or KindError for what says too little.

    >>> likelihood_for("gaussian_fixed", (2,))
    FixedGaussian(variance=1.0)
    """
    if choice is None:
        return Bernoulli() if is_picture(shape) else Gaussian()
    choice = as_object(choice, Likelihood, "likelihood")
    if isinstance(choice, Likelihood):
        return choice
    kind = LIKELIHOODS[one_of(choice, LIKELIHOODS, "likelihood")]
    if kind is Categorical:
        raise OptionError(
            "likelihood='categorical' does not say how many classes: wants "
            "likelihood=Categorical(classes=10), from scratchgen.distributions"
        )
    return kind()


def describe_likelihood(likelihood: Likelihood) -> dict[str, Any]:
    """`{"name": "gaussian", "least_variance": 1e-06}`: what a file holds of a likelihood.

    Raises OptionError for one of the user's own that is not in LIKELIHOODS.
    """
    if type(likelihood) is not LIKELIHOODS.get(likelihood.name):
        raise OptionError(
            f"{likelihood!r} is not one of scratchgen's likelihoods, so no file can hold it: add "
            f"the class to scratchgen.distributions.LIKELIHOODS, here and where the file is loaded"
        )
    return {"name": likelihood.name, **dataclasses.asdict(likelihood)}


def build_likelihood(description: dict[str, Any]) -> Likelihood:
    """The likelihood of a description."""
    fields = dict(description)
    return LIKELIHOODS[one_of(fields.pop("name"), LIKELIHOODS, "likelihood")](**fields)
