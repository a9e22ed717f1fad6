"""What the two players of a GAN minimise, per example, from the discriminator's scores.

The generator G turns noise z into a fake example. The discriminator D gives a score to each
example, r = D(x) to a real one and f = D(G(z)) to a fake one. A game says what each player
minimises. In the first two games, the logistic games, a score is a logit: sigmoid(r) is the
probability that an example is real. (Papers often write D for that probability.) With softplus(l) =
log(1 + exp(l)), -log sigmoid(l) is softplus(-l), and -log(1 - sigmoid(l)) is softplus(l). [r < 1]
is 1 where r < 1, otherwise 0.

    game              the discriminator's value            d/dr                d/df
    minimax           softplus(-r) + softplus(f)           -sigmoid(-r)        sigmoid(f)      (1)
    non-saturating    the same
    least squares     (r - 1)^2 / 2 + f^2 / 2              r - 1               f               (2)
    hinge             max(0, 1 - r) + max(0, 1 + f)        -[r < 1]            [f > -1]        (3)
    Wasserstein       f - r                                -1                  1               (4)

    game              the generator's value                                    d/df
    minimax           -softplus(f)                                             -sigmoid(f)     (5)
    non-saturating    softplus(-f)                                             -sigmoid(-f)    (6)
    least squares     (f - 1)^2 / 2                                            f - 1           (7)
    hinge             -f                                                       -1              (8)
    Wasserstein       -f                                                       -1              (8)

Early in training D sees through the fakes: f is far below 0. There (5), which is
log(1 - sigmoid(f)), is flat, and the generator learns nothing; (6) is steep. (4) is the Wasserstein
distance between the data and the fakes (docs/derivations.md) only if the slope of D is bounded, by
clipped weights or a gradient penalty. games.py puts two formulas together as a game, `loss`, whose
`loss.discriminator` and `loss.generator` a model calls.

Sources: (1, 5, 6) Goodfellow et al. 2014; (2, 7) Mao et al. 2017 with a = 0, b = c = 1; (3) Lim and
Ye 2017; (4) Arjovsky et al. 2017.
"""

import numpy as np

from ..ground.arguments import Array
from ..kernels import formula, loop_of, share_row, sigmoid, softplus
from ..kernels.functions import sigmoid as sigmoid_of_one
from ..kernels.functions import softplus as softplus_of_one

# mypy: disable-error-code="no-untyped-def"

# what the formulas of each player take and return
DISCRIMINATOR = "real_score, fake_score, dvalue (N,) -> value, dreal_score, dfake_score (N,)"
GENERATOR = "fake_score, dvalue (N,) -> value, dfake_score (N,)"


@formula(DISCRIMINATOR)
def logistic_discriminator(
    real_score: Array, fake_score: Array, dvalue: Array
) -> tuple[Array, Array, Array]:
    """-log sigmoid(r) - log(1 - sigmoid(f)): in the minimax and in the non-saturating game.

    Here and below, the scores and dvalue are (N,), and so are the value and its gradients by the
    scores, each times dvalue: the gradient of the loss by each example's value, 1/N for a mean.
    """
    value = softplus(-real_score) + softplus(fake_score)  # (N,)   (1)
    return value, -dvalue * sigmoid(-real_score), dvalue * sigmoid(fake_score)  # each (N,)   (1)


@formula(DISCRIMINATOR)
def least_squares_discriminator(
    real_score: Array, fake_score: Array, dvalue: Array
) -> tuple[Array, Array, Array]:
    """Scores should be 1 for real and 0 for fake examples."""
    value = (real_score - 1) ** 2 / 2 + fake_score**2 / 2  # (N,)   (2)
    return value, dvalue * (real_score - 1), dvalue * fake_score  # each (N,)   (2)


@formula(DISCRIMINATOR)
def hinge_discriminator(
    real_score: Array, fake_score: Array, dvalue: Array
) -> tuple[Array, Array, Array]:
    """Scores need not go beyond 1 for real or -1 for fake examples."""
    value = np.maximum(0, 1 - real_score) + np.maximum(0, 1 + fake_score)  # (N,)   (3)
    return value, -dvalue * (real_score < 1), dvalue * (fake_score > -1)  # each (N,)   (3)


@formula(DISCRIMINATOR)
def wasserstein_discriminator(
    real_score: Array, fake_score: Array, dvalue: Array
) -> tuple[Array, Array, Array]:
    """Scores should be as high as possible for real examples, and as low for fake ones."""
    return fake_score - real_score, -dvalue, dvalue.copy()  # each (N,)   (4)


@formula(GENERATOR)
def minimax_generator(fake_score: Array, dvalue: Array) -> tuple[Array, Array]:
    """log(1 - sigmoid(f))."""
    return -softplus(fake_score), -dvalue * sigmoid(fake_score)  # (N,), (N,)   (5)


@formula(GENERATOR)
def non_saturating_generator(fake_score: Array, dvalue: Array) -> tuple[Array, Array]:
    """-log sigmoid(f)."""
    return softplus(-fake_score), -dvalue * sigmoid(-fake_score)  # (N,), (N,)   (6)


@formula(GENERATOR)
def least_squares_generator(fake_score: Array, dvalue: Array) -> tuple[Array, Array]:
    """Scores should be 1 for fake examples too."""
    return (fake_score - 1) ** 2 / 2, dvalue * (fake_score - 1)  # (N,), (N,)   (7)


@formula(GENERATOR)
def linear_generator(fake_score: Array, dvalue: Array) -> tuple[Array, Array]:
    """Scores should be high for fake examples too: in the hinge and in the Wasserstein game."""
    return -fake_score, -dvalue  # (N,), (N,)   (8)


# The same formulas number by number, for speed: a first reader may skip the rest of this file.
# Loops over slices, which count from 0, are sure to run in vectors (docs/performance.md).


@loop_of(logistic_discriminator, weight=8)
def logistic_discriminator_loop(
    part, parts, real_score, fake_score, dvalue, value, dreal_score, dfake_score
):
    start, stop = share_row(value.size, part, parts)
    real_score, fake_score = real_score[start:stop], fake_score[start:stop]
    dreal_score, dfake_score = dreal_score[start:stop], dfake_score[start:stop]
    dvalue, value = dvalue[start:stop], value[start:stop]
    for n in range(value.size):
        value[n] = softplus_of_one(-real_score[n]) + softplus_of_one(fake_score[n])  # (1)
        dreal_score[n] = -dvalue[n] * sigmoid_of_one(-real_score[n])
        dfake_score[n] = dvalue[n] * sigmoid_of_one(fake_score[n])


@loop_of(least_squares_discriminator)
def least_squares_discriminator_loop(
    part, parts, real_score, fake_score, dvalue, value, dreal_score, dfake_score
):
    half, one = value.dtype.type(0.5), value.dtype.type(1)
    start, stop = share_row(value.size, part, parts)
    real_score, fake_score = real_score[start:stop], fake_score[start:stop]
    dreal_score, dfake_score = dreal_score[start:stop], dfake_score[start:stop]
    dvalue, value = dvalue[start:stop], value[start:stop]
    for n in range(value.size):
        r, f = real_score[n] - one, fake_score[n]
        value[n] = half * r * r + half * f * f  # (2)
        dreal_score[n] = dvalue[n] * r
        dfake_score[n] = dvalue[n] * f


@loop_of(hinge_discriminator)
def hinge_discriminator_loop(
    part, parts, real_score, fake_score, dvalue, value, dreal_score, dfake_score
):
    zero, one = value.dtype.type(0), value.dtype.type(1)
    start, stop = share_row(value.size, part, parts)
    real_score, fake_score = real_score[start:stop], fake_score[start:stop]
    dreal_score, dfake_score = dreal_score[start:stop], dfake_score[start:stop]
    dvalue, value = dvalue[start:stop], value[start:stop]
    for n in range(value.size):
        r, f = one - real_score[n], one + fake_score[n]
        value[n] = (zero if r < zero else r) + (zero if f < zero else f)  # (3)
        dreal_score[n] = -dvalue[n] if real_score[n] < one else zero
        dfake_score[n] = dvalue[n] if fake_score[n] > -one else zero


@loop_of(wasserstein_discriminator)
def wasserstein_discriminator_loop(
    part, parts, real_score, fake_score, dvalue, value, dreal_score, dfake_score
):
    start, stop = share_row(value.size, part, parts)
    real_score, fake_score = real_score[start:stop], fake_score[start:stop]
    dreal_score, dfake_score = dreal_score[start:stop], dfake_score[start:stop]
    dvalue, value = dvalue[start:stop], value[start:stop]
    for n in range(value.size):
        value[n] = fake_score[n] - real_score[n]  # (4)
        dreal_score[n] = -dvalue[n]
        dfake_score[n] = dvalue[n]


@loop_of(minimax_generator, weight=4)
def minimax_generator_loop(part, parts, fake_score, dvalue, value, dfake_score):
    start, stop = share_row(value.size, part, parts)
    fake_score, dfake_score = fake_score[start:stop], dfake_score[start:stop]
    dvalue, value = dvalue[start:stop], value[start:stop]
    for n in range(value.size):
        value[n] = -softplus_of_one(fake_score[n])  # (5)
        dfake_score[n] = -dvalue[n] * sigmoid_of_one(fake_score[n])


@loop_of(non_saturating_generator, weight=4)
def non_saturating_generator_loop(part, parts, fake_score, dvalue, value, dfake_score):
    start, stop = share_row(value.size, part, parts)
    fake_score, dfake_score = fake_score[start:stop], dfake_score[start:stop]
    dvalue, value = dvalue[start:stop], value[start:stop]
    for n in range(value.size):
        value[n] = softplus_of_one(-fake_score[n])  # (6)
        dfake_score[n] = -dvalue[n] * sigmoid_of_one(-fake_score[n])


@loop_of(least_squares_generator)
def least_squares_generator_loop(part, parts, fake_score, dvalue, value, dfake_score):
    half, one = value.dtype.type(0.5), value.dtype.type(1)
    start, stop = share_row(value.size, part, parts)
    fake_score, dfake_score = fake_score[start:stop], dfake_score[start:stop]
    dvalue, value = dvalue[start:stop], value[start:stop]
    for n in range(value.size):
        f = fake_score[n] - one
        value[n] = half * f * f  # (7)
        dfake_score[n] = dvalue[n] * f


@loop_of(linear_generator)
def linear_generator_loop(part, parts, fake_score, dvalue, value, dfake_score):
    start, stop = share_row(value.size, part, parts)
    fake_score, dfake_score = fake_score[start:stop], dfake_score[start:stop]
    dvalue, value = dvalue[start:stop], value[start:stop]
    for n in range(value.size):
        value[n] = -fake_score[n]  # (8)
        dfake_score[n] = -dvalue[n]
