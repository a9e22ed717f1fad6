"""Arrays in, arrays out, no objects: the arithmetic of the hot paths.

The NumPy reference is the definition; where it has a Numba twin, the twin stands below it.
"""

from .activations import ACTIVATIONS, Twins, activate
from .adam import adam_step
from .arithmetic import add_scaled, approach, drop_out
from .densities import fixed_gaussian_pass, gaussian_pass, shared_gaussian_pass
from .descent import (
    centred_rmsprop_step,
    momentum_step,
    nesterov_step,
    rmsprop_step,
    sgd_step,
)
from .elementwise import sigmoid, softplus
from .games import (
    hinge_pass,
    least_squares_generator_pass,
    least_squares_pass,
    linear_generator_pass,
    logistic_pass,
    minimax_generator_pass,
    non_saturating_generator_pass,
    wasserstein_pass,
)
from .labels import categorical_pass
from .latents import draw_and_kl, draw_and_kl_back
from .noise import fill_standard_normal
from .normal import FAR, normal_cdf, normal_density
from .norms import (
    batch_norm,
    batch_norm_back,
    column_moments,
    layer_norm,
    layer_norm_back,
    layer_norm_bend,
    norm_sums,
)
from .pixels import bernoulli_pass
from .products import (
    BATCH,
    add_outer,
    affine,
    any_of,
    as_column,
    sum_blocks,
    sum_rows,
    times,
    times_transpose,
)
from .recording import after, before, here, in_order, is_recording, lasting
from .rows import mean, plain, take_rows
from .sharing import set_threads, threads, threads_now
from .slopes import between, gradient_penalty_pass, r1_pass, row_norms, scale_rows

__all__ = [
    "ACTIVATIONS",
    "BATCH",
    "FAR",
    "Twins",
    "activate",
    "adam_step",
    "add_outer",
    "add_scaled",
    "affine",
    "after",
    "any_of",
    "approach",
    "as_column",
    "batch_norm",
    "batch_norm_back",
    "before",
    "bernoulli_pass",
    "between",
    "categorical_pass",
    "centred_rmsprop_step",
    "column_moments",
    "draw_and_kl",
    "draw_and_kl_back",
    "drop_out",
    "fill_standard_normal",
    "fixed_gaussian_pass",
    "gaussian_pass",
    "gradient_penalty_pass",
    "here",
    "hinge_pass",
    "in_order",
    "is_recording",
    "lasting",
    "layer_norm",
    "layer_norm_back",
    "layer_norm_bend",
    "least_squares_generator_pass",
    "least_squares_pass",
    "linear_generator_pass",
    "logistic_pass",
    "mean",
    "minimax_generator_pass",
    "momentum_step",
    "nesterov_step",
    "non_saturating_generator_pass",
    "norm_sums",
    "normal_cdf",
    "normal_density",
    "plain",
    "r1_pass",
    "rmsprop_step",
    "row_norms",
    "scale_rows",
    "set_threads",
    "sgd_step",
    "shared_gaussian_pass",
    "sigmoid",
    "softplus",
    "sum_blocks",
    "sum_rows",
    "take_rows",
    "threads",
    "threads_now",
    "times",
    "times_transpose",
    "wasserstein_pass",
]
