"""The codes of data: posterior means in the plane in which they spread most.

mu - mean = U S V^T             the singular value decomposition, largest value first        (1)
(mu - mean) v_1, (mu - mean) v_2             the two principal coordinates                   (2)
S_j^2 / sum_k S_k^2                          the share of the variance along direction j     (3)
"""

import numpy as np

from ..ground.arguments import Array
from .figures import DisplayedFigure, PathLike, finish, new_figure, scatter, vectors_to_draw


def latents(
    mu: Array, path: PathLike | None = None, labels: Array | None = None, title: str = ""
) -> DisplayedFigure:
    """Posterior means (N, Z), coloured by labels (N,); for Z > 2 in their principal plane.

    Raises KindError or ShapeError for what are no means, FileError where the path cannot be
    written.
    """
    mu = vectors_to_draw(mu, "posterior means")
    figure, axes = new_figure(6.6, 6, title)
    if mu.shape[1] > 2:
        flat, share = principal_plane(mu)
        axes.set_xlabel(
            f"first principal direction of {mu.shape[1]} ({share[0]:.0%} of the variance)"
        )
        axes.set_ylabel(f"second ({share[1]:.0%})")
    else:
        flat = np.concatenate([mu, np.zeros((len(mu), 2 - mu.shape[1]))], axis=1)  # (N, 2)
        axes.set_xlabel("z[0]")
        axes.set_ylabel("z[1]" if mu.shape[1] == 2 else "")
    scatter(axes, figure, flat, labels)
    return finish(figure, path)


def principal_plane(mu: Array) -> tuple[Array, Array]:
    """mu (N, Z) -> its two principal coordinates (N, 2), and their shares of the variance (2,)."""
    centred = mu - mu.mean(axis=0)
    _, values, directions = np.linalg.svd(centred, full_matrices=False)  # (1)
    flat, share = np.zeros((len(mu), 2)), np.zeros(2)
    k = min(2, len(values))  # a single example has a single direction
    flat[:, :k] = centred @ directions[:k].T  # (2)
    share[:k] = values[:k] ** 2 / max((values**2).sum(), 1e-30)  # (3)
    return flat, share
