"""What a penalty on slopes does with examples, each a row of D numbers.

    between       out_n = weight_n real_n + (1 - weight_n) fake_n         (1)
    row_norms     out_n = sqrt(sum_j x_nj^2)                              (2)
    scale_rows    out_n = factor_n x_n                                    (3)

and with the norms r_n of their slopes:

    gradient penalty    value_n = weight (r_n - target)^2
                        factor_n = 2 weight dvalue_n (r_n - target) / r_n, or 0 where r_n = 0   (4)
    R1                  value_n = weight / 2 r_n^2,   factor_n = weight dvalue_n                (5)

losses/penalties.py says what they are for.
"""

import numpy as np

from ..checks import Array
from .rows import sum_of
from .sharing import share, share_row
from .twins import twin_of

# mypy: disable-error-code="no-untyped-def"


def between_reference(real: Array, fake: Array, weight: Array, out: Array) -> None:
    """real, fake (N, D), weight (N,): writes out (N, D)."""
    np.multiply(weight[:, None], real, out=out)
    out += (1 - weight)[:, None] * fake  # (1)


@twin_of(between_reference, takes="real, fake (N, D), weight (N,) -> out (N, D)")
def between(part, parts, real, fake, weight, out):
    one = weight.dtype.type(1)
    top, bottom = share(len(out), part, parts)
    for n in range(top, bottom):
        real_n, fake_n, out_n, w = real[n], fake[n], out[n], weight[n]
        rest = one - w
        for j in range(out_n.size):
            of_real = w * real_n[j]
            out_n[j] = rest * fake_n[j] + of_real  # (1)


def row_norms_reference(x: Array, out: Array, _terms: Array) -> None:
    """x (N, D): writes out (N,). _terms (parts, D) is room that only the twin needs."""
    np.sqrt(np.einsum("nj,nj->n", x, x), out=out)  # (2)


@twin_of(row_norms_reference, takes="x (N, D) -> out (N,), _terms (1+, D)")
def row_norms(part, parts, x, out, _terms):
    mine = _terms[part]
    top, bottom = share(len(x), part, parts)
    for n in range(top, bottom):
        x_n = x[n]
        for j in range(mine.size):
            mine[j] = x_n[j] * x_n[j]
        out[n] = np.sqrt(sum_of(mine))  # (2)


def scale_rows_reference(x: Array, factor: Array, out: Array) -> None:
    """x (N, D), factor (N,): writes out (N, D)."""
    np.multiply(factor[:, None], x, out=out)  # (3)


@twin_of(scale_rows_reference, takes="x (N, D), factor (N,) -> out (N, D)")
def scale_rows(part, parts, x, factor, out):
    top, bottom = share(len(x), part, parts)
    for n in range(top, bottom):
        x_n, out_n, scale = x[n], out[n], factor[n]
        for j in range(out_n.size):
            out_n[j] = scale * x_n[j]  # (3)


def gradient_penalty_pass_reference(
    norm: Array,
    dvalue: Array,
    weight: np.floating,
    target: np.floating,
    value: Array,
    factor: Array,
) -> None:
    """norm, dvalue (N,): writes value and factor (N,)."""
    value[...] = weight * (norm - target) ** 2  # (4)
    length = np.where(norm > 0, norm, 1)
    factor[...] = np.where(norm > 0, 2 * weight * dvalue * (norm - target) / length, 0)


@twin_of(
    gradient_penalty_pass_reference,
    takes="norm, dvalue (N,), weight, target () -> value, factor (N,)",
)
def gradient_penalty_pass(part, parts, norm, dvalue, weight, target, value, factor):
    zero, two = norm.dtype.type(0), norm.dtype.type(2)
    start, stop = share_row(norm.size, part, parts)
    for n in range(start, stop):
        over = norm[n] - target
        value[n] = weight * over * over  # (4)
        factor[n] = two * weight * dvalue[n] * over / norm[n] if norm[n] > zero else zero


def r1_pass_reference(
    norm: Array,
    dvalue: Array,
    weight: np.floating,
    _target: np.floating,
    value: Array,
    factor: Array,
) -> None:
    """norm, dvalue (N,): writes value and factor (N,). _target is there as in the other penalty."""
    value[...] = weight / 2 * norm**2  # (5)
    factor[...] = weight * dvalue


@twin_of(r1_pass_reference, takes="norm, dvalue (N,), weight, _target () -> value, factor (N,)")
def r1_pass(part, parts, norm, dvalue, weight, _target, value, factor):
    half = norm.dtype.type(0.5)
    start, stop = share_row(norm.size, part, parts)
    for n in range(start, stop):
        value[n] = half * weight * norm[n] * norm[n]  # (5)
        factor[n] = weight * dvalue[n]
