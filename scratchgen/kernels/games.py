"""What the players of a GAN minimise, with the gradients by the scores, in one pass.

    value_n = a(r_n) + b(f_n),   dr_n = dvalue_n a'(r_n),   df_n = dvalue_n b'(f_n)

for the discriminator's scores r of real and f of fake examples, all (N,); the generator has b
alone. With softplus'(l) = sigmoid(l), and [.] = 1 where it holds and 0 elsewhere:

    discriminator     a(r)               b(f)
    logistic          softplus(-r)       softplus(f)              (1)
    least squares     (r - 1)^2 / 2      f^2 / 2                  (2)
    hinge             max(0, 1 - r)      max(0, 1 + f)            (3)
    Wasserstein       -r                 f                        (4)

    generator                            b(f)
    minimax                              -softplus(f)             (5)
    non-saturating                       softplus(-f)             (6)
    least squares                        (f - 1)^2 / 2            (7)
    linear                               -f                       (8)

losses/adversarial.py has each formula by itself, its slope, and its source.
"""

import numpy as np

from ..checks import Array
from .elementwise import sigmoid, softplus
from .functions import sigmoid as sigmoid_of_one
from .functions import softplus as softplus_of_one
from .sharing import share_row
from .twins import twin_of

# mypy: disable-error-code="no-untyped-def"

DISCRIMINATOR = "real, fake, dvalue (N,) -> value, dreal, dfake (N,)"
GENERATOR = "fake, dvalue (N,) -> value, dfake (N,)"


def logistic_pass_reference(
    real: Array, fake: Array, dvalue: Array, value: Array, dreal: Array, dfake: Array
) -> None:
    """Here and below: reads real, fake and dvalue, writes value, dreal and dfake, all (N,)."""
    np.add(softplus(-real), softplus(fake), out=value)  # (1)
    np.multiply(-dvalue, sigmoid(-real), out=dreal)
    np.multiply(dvalue, sigmoid(fake), out=dfake)


@twin_of(logistic_pass_reference, takes=DISCRIMINATOR, weight=8)
def logistic_pass(part, parts, real, fake, dvalue, value, dreal, dfake):
    start, stop = share_row(value.size, part, parts)
    for n in range(start, stop):
        value[n] = softplus_of_one(-real[n]) + softplus_of_one(fake[n])  # (1)
        dreal[n] = -dvalue[n] * sigmoid_of_one(-real[n])
        dfake[n] = dvalue[n] * sigmoid_of_one(fake[n])


def least_squares_pass_reference(
    real: Array, fake: Array, dvalue: Array, value: Array, dreal: Array, dfake: Array
) -> None:
    np.add((real - 1) ** 2 / 2, fake**2 / 2, out=value)  # (2)
    np.multiply(dvalue, real - 1, out=dreal)
    np.multiply(dvalue, fake, out=dfake)


@twin_of(least_squares_pass_reference, takes=DISCRIMINATOR)
def least_squares_pass(part, parts, real, fake, dvalue, value, dreal, dfake):
    half, one = value.dtype.type(0.5), value.dtype.type(1)
    start, stop = share_row(value.size, part, parts)
    for n in range(start, stop):
        r, f = real[n] - one, fake[n]
        value[n] = half * r * r + half * f * f  # (2)
        dreal[n] = dvalue[n] * r
        dfake[n] = dvalue[n] * f


def hinge_pass_reference(
    real: Array, fake: Array, dvalue: Array, value: Array, dreal: Array, dfake: Array
) -> None:
    np.add(np.maximum(0, 1 - real), np.maximum(0, 1 + fake), out=value)  # (3)
    np.multiply(-dvalue, real < 1, out=dreal)
    np.multiply(dvalue, fake > -1, out=dfake)


@twin_of(hinge_pass_reference, takes=DISCRIMINATOR)
def hinge_pass(part, parts, real, fake, dvalue, value, dreal, dfake):
    zero, one = value.dtype.type(0), value.dtype.type(1)
    start, stop = share_row(value.size, part, parts)
    for n in range(start, stop):
        r, f = one - real[n], one + fake[n]
        value[n] = (zero if r < zero else r) + (zero if f < zero else f)  # (3)
        dreal[n] = -dvalue[n] if real[n] < one else zero
        dfake[n] = dvalue[n] if fake[n] > -one else zero


def wasserstein_pass_reference(
    real: Array, fake: Array, dvalue: Array, value: Array, dreal: Array, dfake: Array
) -> None:
    np.subtract(fake, real, out=value)  # (4)
    np.negative(dvalue, out=dreal)
    dfake[...] = dvalue


@twin_of(wasserstein_pass_reference, takes=DISCRIMINATOR)
def wasserstein_pass(part, parts, real, fake, dvalue, value, dreal, dfake):
    start, stop = share_row(value.size, part, parts)
    for n in range(start, stop):
        value[n] = fake[n] - real[n]  # (4)
        dreal[n] = -dvalue[n]
        dfake[n] = dvalue[n]


def minimax_generator_pass_reference(
    fake: Array, dvalue: Array, value: Array, dfake: Array
) -> None:
    """Here and below: reads fake and dvalue, writes value and dfake, all (N,)."""
    np.negative(softplus(fake), out=value)  # (5)
    np.multiply(-dvalue, sigmoid(fake), out=dfake)


@twin_of(minimax_generator_pass_reference, takes=GENERATOR, weight=4)
def minimax_generator_pass(part, parts, fake, dvalue, value, dfake):
    start, stop = share_row(value.size, part, parts)
    for n in range(start, stop):
        value[n] = -softplus_of_one(fake[n])  # (5)
        dfake[n] = -dvalue[n] * sigmoid_of_one(fake[n])


def non_saturating_generator_pass_reference(
    fake: Array, dvalue: Array, value: Array, dfake: Array
) -> None:
    value[...] = softplus(-fake)  # (6)
    np.multiply(-dvalue, sigmoid(-fake), out=dfake)


@twin_of(non_saturating_generator_pass_reference, takes=GENERATOR, weight=4)
def non_saturating_generator_pass(part, parts, fake, dvalue, value, dfake):
    start, stop = share_row(value.size, part, parts)
    for n in range(start, stop):
        value[n] = softplus_of_one(-fake[n])  # (6)
        dfake[n] = -dvalue[n] * sigmoid_of_one(-fake[n])


def least_squares_generator_pass_reference(
    fake: Array, dvalue: Array, value: Array, dfake: Array
) -> None:
    np.divide((fake - 1) ** 2, 2, out=value)  # (7)
    np.multiply(dvalue, fake - 1, out=dfake)


@twin_of(least_squares_generator_pass_reference, takes=GENERATOR)
def least_squares_generator_pass(part, parts, fake, dvalue, value, dfake):
    half, one = value.dtype.type(0.5), value.dtype.type(1)
    start, stop = share_row(value.size, part, parts)
    for n in range(start, stop):
        f = fake[n] - one
        value[n] = half * f * f  # (7)
        dfake[n] = dvalue[n] * f


def linear_generator_pass_reference(fake: Array, dvalue: Array, value: Array, dfake: Array) -> None:
    np.negative(fake, out=value)  # (8)
    np.negative(dvalue, out=dfake)


@twin_of(linear_generator_pass_reference, takes=GENERATOR)
def linear_generator_pass(part, parts, fake, dvalue, value, dfake):
    start, stop = share_row(value.size, part, parts)
    for n in range(start, stop):
        value[n] = -fake[n]  # (8)
        dfake[n] = -dvalue[n]
