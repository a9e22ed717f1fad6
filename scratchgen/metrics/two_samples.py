"""Whether two samples come from one distribution: the energy distance (Szekely and Rizzo 2004).

    D(P, Q) = 2 E|x - y| - E|x - x'| - E|y - y'|        x, x' ~ P,  y, y' ~ Q             (1)
    D of samples x_1 ... x_N and y_1 ... y_M = -s^T A s                                   (2)
    p = (1 + how many of the K shuffled D are at least D) / (1 + K)                       (3)

(1) is 0 for P = Q, and above 0 for all others. In (2), A has the distances |a - b| between all
pairs of the N + M examples, and s is 1/N for each x and -1/M for each y, so that means stand for
the expectations of (1). If P = Q, it does not matter which examples are called x and which y:
shuffling s gives as large a D as often as not, and p is at most alpha with a probability of at most
alpha. (2) of two samples of one distribution is small, but not 0; (3) says whether it is too large.
"""

import numpy as np

from ..ground.arguments import Array, examples, whole
from ..ground.errors import DataError
from ..ground.rng import Rng, generator


def energy_distance(x: Array, y: Array) -> float:
    """(2), in the unit of x: samples x (N, ...) and y (M, ...).

    Raises ShapeError, KindError or DataError unless both are samples of the same shape.

    >>> energy_distance([[0.0], [0.0]], [[3.0]])
    6.0
    """
    distances, signs = _pairs(x, y)
    return float(-signs @ distances @ signs)  # (2)


def same_distribution(x: Array, y: Array, shuffles: int = 199, rng: Rng = None) -> float:
    """p (3) for samples x (N, ...) and y (M, ...): small if their distributions differ.

    Takes memory for (N + M)^2 distances. Raises as `energy_distance`, and OptionError unless there
    is at least one shuffle.

    >>> normal = np.random.default_rng(0).standard_normal
    >>> same_distribution(normal((50, 2)), normal((50, 2)) + 3, rng=0)
    0.005
    """
    shuffles, rng = whole(shuffles, "shuffles", least=1), generator(rng)
    distances, signs = _pairs(x, y)
    all_signs = np.stack([signs, *(rng.permutation(signs) for _ in range(shuffles))])  # (1 + K, N)
    all_d = -((all_signs @ distances) * all_signs).sum(axis=1)  # (1 + K,)   (2)
    tiny = 1e-12 * distances.max()  # rounding must not tell equal shuffles apart
    return float(np.mean(all_d >= all_d[0] - tiny))  # (3)


def _pairs(x: Array, y: Array) -> tuple[Array, Array]:
    """A (N + M, N + M) and s (N + M,) of (2)."""
    x = examples(x, np.shape(x)[1:], np.float64)
    y = examples(y, x.shape[1:], np.float64, "y")
    if not (len(x) and len(y)):
        raise DataError(f"x has {len(x)} examples and y {len(y)}: wants at least one of each")
    pooled = np.concatenate([x.reshape(len(x), -1), y.reshape(len(y), -1)])  # (N + M, D)
    distances = np.stack([np.linalg.norm(pooled - a, axis=1) for a in pooled])  # (N + M, N + M)
    signs = np.repeat([1 / len(x), -1 / len(y)], [len(x), len(y)])  # (N + M,)
    return distances, signs


__all__ = ["energy_distance", "same_distribution"]
