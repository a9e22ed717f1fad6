"""The vocabulary of the mathematics: functions that take arrays and return arrays.

Each is a formula in NumPy, and most have a compiled loop beside it. All other files of this room
are about speed, and the mathematics can be read without them. N examples are the rows of x; n is
an example, and `into` an array that is added to.

Matrices and sums:
    affine(x, w, b)                  x w + b
    times(x, w)                      x w
    times_transpose(dy, w)           dy w^T
    add_outer(x, dy, into)           into += x^T dy
    add_sum(dy, into)                into += sum_n dy_n
    add_by_label(d, labels, into)    into[labels_n] += d_n for each n
    mean(values)                     sum_n values_n / N, in float64

Number by number, for arrays of any shape:
    add(x, y)                        x + y
    add_scaled(x, y, scale)          x + scale y
    scale(x, factor)                 factor x
    scale_rows(x, factor)            factor_n x_n for each n
    add_in_place(x, into)            into += x
    approach(x, y, weight)           x += weight (y - x), in place
    clip(x, low, high)               x cut to [low, high], in place
    clear(x)                         x = 0, in place
    sigmoid(x), softplus(x)          1 / (1 + exp(-x)),  log(1 + exp x)
    normal_cdf(x)                    Phi(x), the probability that a draw of N(0, 1) is below x
    normal_density(x)                phi(x) = exp(-x^2 / 2) / sqrt(2 pi); 0 beyond FAR

Rows and columns:
    join(x, rows)                    (x_n, rows_n) for each n, side by side
    split(y, at)                     the first `at` columns of y, and the others
    take_rows(x, rows), look_up      x[rows]; look_up for any dtype
    repeat(x, times)                 x_1, x_1 ..., x_2, x_2 ...: each example `times` times
    as_rows(x)                       x (N, ..., F) as a matrix (N ..., F)

New arrays and draws:
    zeros(size, dtype)               a vector of 0, to add gradients to
    aligned_zeros(size, dtype)       a vector of 0 that begins at a cache line
    full(shape, value, dtype)        a constant array
    scheduled(f)                     f(), a number that changes from step to step
    standard_normal(rng, shape, dtype), uniform(rng, shape, dtype)    draws of N(0, 1), of U(0, 1)
    integers(rng, high, shape)       draws from 0 ... high - 1, as int64

A new kernel is declared with `formula` and `loop_of` (formulas.py), an activation with `pointwise`
and `loops_of` (activation_loops.py). Loops call `share`, `share_row`, what is marked as a `helper`
or `by_dtype`, and functions.py. `threads`, `set_threads` and `threads_now` set the threads, and
`products_by` says whether loops or NumPy multiply.
"""

from .activation_loops import loops_of, pointwise
from .arithmetic import (
    add,
    add_by_label,
    add_in_place,
    add_scaled,
    aligned_zeros,
    approach,
    as_rows,
    clip,
    full,
    join,
    look_up,
    mean,
    repeat,
    scale,
    scale_rows,
    split,
    take_rows,
    zeros,
)
from .choice import products_by
from .compiling import by_dtype, helper
from .elementwise import sigmoid, softplus
from .formulas import formula, loop_of
from .normal import FAR, normal_cdf, normal_density
from .products import add_outer, add_sum, affine, times, times_transpose
from .random import integers, standard_normal, uniform
from .recording import clear, scheduled
from .sharing import set_threads, share, share_row, threads, threads_now

__all__ = [
    "FAR",
    "add",
    "add_by_label",
    "add_in_place",
    "add_outer",
    "add_scaled",
    "add_sum",
    "affine",
    "aligned_zeros",
    "approach",
    "as_rows",
    "by_dtype",
    "clear",
    "clip",
    "formula",
    "full",
    "helper",
    "integers",
    "join",
    "look_up",
    "loop_of",
    "loops_of",
    "mean",
    "normal_cdf",
    "normal_density",
    "pointwise",
    "products_by",
    "repeat",
    "scale",
    "scale_rows",
    "scheduled",
    "set_threads",
    "share",
    "share_row",
    "sigmoid",
    "softplus",
    "split",
    "standard_normal",
    "take_rows",
    "threads",
    "threads_now",
    "times",
    "times_transpose",
    "uniform",
    "zeros",
]
