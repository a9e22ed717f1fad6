"""How many modes of a mixture a sample found, and how much of it is good (Lin et al. 2018).

    good_n  = [min_m |x_n - c_m| <= 3 std]                                (1)
    found_m = [some good x_n is nearest to c_m]                           (2)

N samples x_n, M modes with means c_m.
"""

from typing import NamedTuple

import numpy as np

from ..data import MIXTURES, Mixture
from ..ground.arguments import Array, examples, one_of
from ..ground.chunks import chunks
from ..ground.errors import DataError

RADII = 3  # standard deviations within which a sample is good


class Coverage(NamedTuple):
    """What a sample covers of a mixture."""

    found: int  # modes with a good sample
    modes: int  # modes of the mixture
    good: float  # share of good samples, 0 ... 1


def coverage(x: Array, mixture: Mixture | str) -> Coverage:
    """How many modes samples x (N, 2) find, and which share of the samples is good.

    `mixture` is a Mixture of sg.data, or its name, "ring" or "grid". Raises ShapeError or DataError
    for other samples, OptionError for an unknown name.

    >>> from scratchgen.data import RING
    >>> coverage(RING.means[:3], RING)
    Coverage(found=3, modes=8, good=1.0)
    """
    if not isinstance(mixture, Mixture):
        mixture = MIXTURES[one_of(mixture, MIXTURES, "mixture")]
    x = examples(x, (2,), np.float64)
    if not len(x):
        raise DataError("x holds no samples: wants at least one")
    found, n_good = np.zeros(len(mixture.means), bool), 0
    for rows in chunks(len(x)):
        distance = np.linalg.norm(x[rows, None, :] - mixture.means, axis=2)  # (n, M)
        good = distance.min(axis=1) <= RADII * mixture.std  # (N,)   (1)
        found[distance.argmin(axis=1)[good]] = True  # (2)
        n_good += int(good.sum())
    return Coverage(int(found.sum()), len(found), n_good / len(x))
