"""The prior p(z), from which z is drawn before a generator or decoder turns it into an example.

    StandardNormal     z ~ N(0, I)                                                      (1)
    Uniform            z_j ~ U(-bound, bound);  its variance is bound^2 / 3             (2)
    Ring               z ~ N(c_m, std^2 I), each m of 0 ... M - 1 with probability 1/M
                       c_m = radius (cos(2 pi m / M), sin(2 pi m / M), 0, 0, ...)       (3)

The KL term of a VAE needs the density of the prior, and is written for (1). A GAN needs only draws,
and so does an adversarial autoencoder, whose discriminator compares codes with draws. (2) has the
variance 1 for bound = sqrt(3), the default, as in the code of Goodfellow et al. 2014. (3) is like
the mixture of Makhzani et al. 2016 for codes of digits, but its components are round. The circle
lies in the plane of the first two latents; each further latent is N(0, std^2).
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..ground.arguments import Array, finite, whole
from ..ground.errors import OptionError
from ..ground.parts import Part, Registry, setting
from ..kernels import add_scaled, full, integers, standard_normal, take_rows, uniform
from ..nn.layer import accept

MOST = 10_000  # components


@dataclass(frozen=True)
class Prior(Part):
    """What every prior does: draws z (n, latent).

    Priors are frozen dataclasses: their fields are their settings.
    """

    name: ClassVar[str]
    formula: ClassVar[str] = ""  # in one line, for `scratchgen explain`

    def check(self, latent: int) -> None:
        """OptionError if the prior cannot have that many latents; most can have any number."""

    def draw(self, rng: np.random.Generator, n: int, latent: int, dtype: Any) -> Array:
        """n draws of z: (n, latent)."""
        raise NotImplementedError


@dataclass(frozen=True)
class StandardNormal(Prior):
    """(1): independent, with mean 0 and variance 1.

    >>> StandardNormal().draw(np.random.default_rng(0), 3, 2, "float32").shape
    (3, 2)
    """

    name: ClassVar[str] = "standard_normal"
    formula: ClassVar[str] = "z ~ N(0, I)"

    def draw(self, rng: np.random.Generator, n: int, latent: int, dtype: Any) -> Array:
        return standard_normal(rng, (n, latent), dtype)  # (n, latent)   (1)


@dataclass(frozen=True)
class Uniform(Prior):
    """(2): independent, each latent uniform between -bound and bound.

    Raises OptionError unless the bound is above 0.
    """

    bound: float = setting(math.sqrt(3), finite, "largest |z_j|", "prior-bound", above=True)
    name: ClassVar[str] = "uniform"
    formula: ClassVar[str] = "z_j ~ U(-bound, bound)"

    def draw(self, rng: np.random.Generator, n: int, latent: int, dtype: Any) -> Array:
        low = full((n, latent), -self.bound, dtype)  # (n, latent)
        u = uniform(rng, (n, latent), dtype)  # (n, latent), in [0, 1)
        return add_scaled(low, u, 2 * self.bound)  # (n, latent)   (2)


@dataclass(frozen=True)
class Ring(Prior):
    """(3): a mixture of Gaussians whose means lie on a circle.

    Raises OptionError unless there is a mode, and the radius and std are above 0.
    """

    modes: int = setting(10, whole, "number of components", "prior-modes", least=1, most=MOST)
    radius: float = setting(
        3.0, finite, "radius of the circle of their means", "prior-radius", above=True
    )
    std: float = setting(
        0.3, finite, "standard deviation of each component", "prior-std", above=True
    )
    name: ClassVar[str] = "ring"
    formula: ClassVar[str] = "z ~ N(c_m, std^2 I), m one of the modes, c_m on a circle"

    def check(self, latent: int) -> None:
        """OptionError for fewer than two latents: a circle needs two."""
        if latent < 2:
            raise OptionError(
                f"latent={latent} for the prior {self}: wants 2 or more, for a circle"
            )

    def draw(self, rng: np.random.Generator, n: int, latent: int, dtype: Any) -> Array:
        self.check(latent)
        means = full((self.modes, latent), self.means(latent), dtype)  # (M, latent)
        m = integers(rng, self.modes, (n,))  # (n,)
        noise = standard_normal(rng, (n, latent), dtype)  # (n, latent)
        return add_scaled(take_rows(means, m), noise, self.std)  # (n, latent)   (3)

    def means(self, latent: int) -> Array:
        """c (M, latent), in float64."""
        angle = 2 * np.pi * np.arange(self.modes) / self.modes  # (M,), without 2 pi
        circle = self.radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)  # (M, 2)
        return np.pad(circle, ((0, 0), (0, latent - 2)))  # (M, latent)   (3)


PRIORS = Registry("prior", "scratchgen.distributions.PRIORS")  # see __init__.py


def drawn(prior: Prior, rng: np.random.Generator, n: int, latent: int, dtype: Any) -> Array:
    """n draws of the prior: (n, latent), in that dtype.

    Raises ShapeError or KindError if a user's own prior returns anything else.
    """
    z = prior.draw(rng, n, latent, dtype)  # (n, latent)
    return accept(prior, "draw", "z", z, (n, latent), np.dtype(dtype))
