"""Arrays in, arrays out, no objects: the arithmetic of the hot paths.

The NumPy reference is the definition; where it has a Numba twin, the twin stands below it.
"""

from .activations import ACTIVATIONS, Twins
from .adam import adam_step
from .compiling import call_flat
from .elementwise import sigmoid, softplus
from .normal import FAR, normal_cdf, normal_density
from .products import add_outer, add_rows, affine, as_column, times, times_transpose
from .sharing import set_threads, threads

__all__ = [
    "ACTIVATIONS",
    "FAR",
    "Twins",
    "adam_step",
    "add_outer",
    "add_rows",
    "affine",
    "as_column",
    "call_flat",
    "normal_cdf",
    "normal_density",
    "set_threads",
    "sigmoid",
    "softplus",
    "threads",
    "times",
    "times_transpose",
]
