"""What the rooms of the mathematics are written with: functions that take arrays and return arrays.

Each is a formula in NumPy, which defines it, and may have a loop that is its fast twin. How they
became fast is told in the other files of this room, which nobody needs to read who reads the
mathematics.

    products                affine, times, times_transpose, add_outer, add_sum
    sums, shares, rows      add, add_scaled, add_in_place, add_by_label, mean, join, take_rows,
                            look_up, as_rows
    written in place        clear, clip, approach
    numbers                 full, numbers: those that change from step to step
    random numbers          standard_normal, uniform
    of each number          sigmoid, softplus, normal_cdf, normal_density, which is 0 beyond FAR
    to declare more         formula, twin_of, and for loops: share, share_row, helper, by_dtype, and
                            functions of one number, in functions.py; for activations: pointwise,
                            loops_of
    how many threads        set_threads, threads, threads_now
"""

from .arithmetic import (
    add,
    add_by_label,
    add_in_place,
    add_scaled,
    approach,
    as_rows,
    clip,
    full,
    join,
    look_up,
    mean,
    take_rows,
)
from .bending import loops_of, pointwise
from .compiling import by_dtype, helper
from .elementwise import sigmoid, softplus
from .normal import FAR, normal_cdf, normal_density
from .products import add_outer, add_sum, affine, times, times_transpose
from .random import standard_normal, uniform
from .recording import clear, numbers
from .sharing import set_threads, share, share_row, threads, threads_now
from .twins import formula, twin_of

__all__ = [
    "FAR",
    "add",
    "add_by_label",
    "add_in_place",
    "add_outer",
    "add_scaled",
    "add_sum",
    "affine",
    "approach",
    "as_rows",
    "by_dtype",
    "clear",
    "clip",
    "formula",
    "full",
    "helper",
    "join",
    "look_up",
    "loops_of",
    "mean",
    "normal_cdf",
    "normal_density",
    "numbers",
    "pointwise",
    "set_threads",
    "share",
    "share_row",
    "sigmoid",
    "softplus",
    "standard_normal",
    "take_rows",
    "threads",
    "threads_now",
    "times",
    "times_transpose",
    "twin_of",
    "uniform",
]
