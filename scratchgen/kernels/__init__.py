"""What the rooms of the mathematics are written with: functions that take arrays and return arrays.

Each is defined by a formula in NumPy, and may have a loop, its fast twin. The other files of this
room are about speed: the mathematics can be read without them. With N examples in the rows of x,

    affine(x, w, b), times(x, w)               x w + b,  x w
    times_transpose(dy, w)                     dy w^T
    add_outer(x, dy, into)                     into += x^T dy
    add_sum(dy, into)                          into += sum_n dy_n
    add(x, y), add_scaled(x, y, scale)         x + y,  x + scale y
    scale(x, factor), scale_rows(x, factor)    factor x,  factor_n x_n for each n
    add_in_place(x, into)                      into += x
    add_by_label(d, labels, into)              into[labels_n] += d_n, for each n
    mean(values)                               sum_n values_n / N, in float64
    join(x, rows)                              (x_n, rows_n), for each n
    split(y, at)                               y's first `at` columns, and the others
    take_rows(x, rows), look_up(...)           x[rows]
    repeat(x, times)                           x_1, x_1, ..., x_2, x_2, ...: each n so many times
    as_rows(x)                                 x (N, ..., F) as (N ..., F)
    sigmoid, softplus                          of each number, as are the next two
    normal_cdf, normal_density                 Phi, phi; phi is 0 beyond FAR
    full(shape, value, dtype)                  a constant array
    zeros(size, dtype)                         a vector of 0, to add gradients to
    aligned_zeros(size, dtype)                 a vector of 0 that begins at a line of the caches
    scheduled(f)                               f(), a number that changes from step to step
    standard_normal, uniform                   (rng, shape, dtype): draws of N(0, 1), of U(0, 1)
    integers(rng, high, shape)                 draws of 0 ... high - 1, as int64
    clear(x)                                   x = 0, in place
    clip(x, low, high)                         x cut to [low, high], in place
    approach(x, y, weight)                     x += weight (y - x), in place

To declare more there are `formula` and `loop_of` (formulas.py), for activations `pointwise` and
`loops_of` (activation_loops.py). Loops use `share`, `share_row`, `helper`, `by_dtype`, and the
functions of one number (functions.py). `threads`, `set_threads` and `threads_now` say how many
threads work.
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
