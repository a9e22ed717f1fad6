"""A normalisation turns x into h, of mean 0 and variance 1, and learns another variance and mean.

    y = gamma h + beta,   dgamma = sum_n dy h,   dbeta = sum_n dy                     (1)

layernorm.py and batchnorm.py say how x becomes h. All three files take x (N, ..., F) as rows of F
features, (N ..., F), and N counts these rows.
"""

from ..ground.arguments import Array, Shape, finite, whole
from ..ground.errors import ShapeError
from ..kernels import formula, loop_of, share_row
from .initialisers import Constant, Initial, bound
from .layer import Layer

# mypy: disable-error-code="no-untyped-def"

TINY = 1e-5  # eps of a normalisation, as in PyTorch


@formula("dy, h (N, F) -> dgamma, dbeta (F,)")
def norm_sums(dy: Array, h: Array) -> tuple[Array, Array]:
    """dy, h (N, F) -> dgamma and dbeta (F,)."""
    return (dy * h).sum(axis=0), dy.sum(axis=0)  # (1)


class Normalisation(Layer):
    """(N, ..., F) -> the same shape: what LayerNorm and BatchNorm share, gamma and beta (F,)."""

    features: int
    eps: float

    def _check(self, least: int) -> None:
        name = type(self).__name__
        features = whole(self.features, f"{name}: features", least=least)
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "eps", finite(self.eps, f"{name}: eps", above=True))

    def out_shape(self, shape: Shape) -> Shape:
        if shape[-1:] != (self.features,):
            fits = shape and shape[-1] > 1
            advice = (
                f"{type(self).__name__}({shape[-1]}) would take it"
                if fits
                else "put Flatten() before it"
            )
            raise ShapeError(
                f"{self} got examples of shape {shape}, wants {self.features} features on the last "
                f"axis: {advice}."
            )
        return shape

    def parameters(self) -> dict[str, tuple[Shape, Initial]]:
        shape, fans = (self.features,), (1, self.features)
        return {
            "gamma": (shape, bound(Constant(1.0), fans)),
            "beta": (shape, bound(Constant(0.0), fans)),
        }

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.features})"


# The same formula number by number, for speed: a first reader may skip the rest of this file.


@loop_of(norm_sums)
def norm_sums_loop(part, parts, dy, h, dgamma, dbeta):
    left, right = share_row(dgamma.size, part, parts)
    dgamma, dbeta = dgamma[left:right], dbeta[left:right]
    dgamma[:] = 0
    dbeta[:] = 0
    for n in range(len(dy)):
        dy_n, h_n = dy[n, left:right], h[n, left:right]
        for j in range(dgamma.size):
            dgamma[j] += dy_n[j] * h_n[j]  # (1)
            dbeta[j] += dy_n[j]  # (1)
