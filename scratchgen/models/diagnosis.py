"""What is wrong with a network that does not learn, or with a trained model that has collapsed.

A trace (trace.py) shows units that are dead, and gradients that vanish:

    flat         half of a ReLU's units are dead, or half of the outputs of Tanh or Sigmoid
                 are saturated, as trace.py defines these                                     (1)
    vanishing    |dL/dy| of a pass's first layer below 0.001 of that of its last              (2)
    exploding    |dL/dy| of a pass's first layer above 1,000 times that of its last           (3)

(1) leaves out a Sigmoid or Tanh at the end of a network, whose outputs are data: black pixels may
well be 0. Whether a trained model has collapsed can be seen from data x that are not all the same:

    latent u is active    the variance over x of E[z_u|x] is above 0.01                       (4)
    posterior collapse    no latent is active
    generator collapse    the spread of samples is below 0.1 of that of x,
                          spread^2 = the sum of the variances of all numbers                  (5)
    discriminator wins    what it minimises is below 0.01, in a game in which 0 is the least  (6)

A few inactive latents are no fault: a VAE leaves out those that it does not need. Source of (4):
Burda et al. 2016.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..ground.arguments import Array, examples
from ..ground.errors import DataError
from ..ground.rng import Rng, generator
from ..ground.tables import number
from ..nn import ReLU, Tape
from .model import Model
from .trace import LayerRecord, Trace, label, norm

ENOUGH = 32  # examples; with fewer, a healthy unit may well be 0 for all, or vary little
SEEN = 1_000  # examples from which a collapse is judged
FLAT = 0.5  # (1): the share of flat units that is reported
RATIO = 1e3  # (2, 3): between the gradients at the two ends of a network
ACTIVE = 0.01  # (4): the variance of an active latent's posterior mean
NARROW = 0.1  # (5): the spread of samples as a share of that of the data
WON = 0.01  # (6): what a discriminator minimises, which starts at about 1
FROM_0_UP = ("minimax", "non_saturating", "least_squares", "hinge")  # games in which 0 is the least


def symptoms(trace: Trace) -> list[str]:
    """What is wrong in a trace, a sentence each; an empty list if nothing is.

    >>> import scratchgen as sg
    >>> model = sg.models.vae((2,), latent=2, hidden=(64,), rng=0)
    >>> model.views.encoder[0].b[:] = -100
    >>> print(symptoms(model.trace(sg.data.ring(200, rng=0), rng=0))[0])
    encoder.1 ReLU(): 100% of its units are dead, 0 for all 200 examples
    """
    problems: list[str] = []
    for names in trace.passes.values():
        records = [(f"{name} {label(trace[name].layer)}", trace[name]) for name in names]
        broken = list(_broken(records))
        problems += broken or [*_flat(records), *_gradients(records)]
    return problems


def active_latents(mu: Array) -> Array:
    """Which latents are active (4): posterior means mu (N, latent) -> (latent,) bool.

    Raises ShapeError, KindError or DataError for any other mu.

    >>> active_latents([[0.0, -1.0], [0.01, 1.0]])
    array([False,  True])
    """
    mu = examples(mu, np.shape(mu)[-1:] or (1,), np.float64, "mu")
    if not len(mu):
        raise DataError(f"mu has shape {mu.shape}, no examples: wants at least one")
    return np.asarray(mu.var(axis=0) > ACTIVE)  # (4)


def collapse(model: Model, x: Array, rng: Rng = None, labels: Array | None = None) -> list[str]:
    """Whether a trained model has collapsed, judged by examples x (N, *shape): a sentence each.

    The list is empty if it has not, if `fit` never trained it, or if x has fewer than 32 examples,
    or all are the same. A GAN's samples are drawn with rng; labels (N,) are for networks with
    JoinLabels. Of many examples, about 1,000 from all over x are used.

    Raises ShapeError, KindError, DataError or OptionError, as all methods that take x.
    """
    x, rng = model.check_as_given(x), generator(rng)
    labels, every = model.check_labels(labels, len(x)), max(1, len(x) // SEEN)
    x, labels = x[::every], None if labels is None else labels[::every]
    if len(x) < ENOUGH or not model.steps_trained or not _spread(x):
        return []
    with np.errstate(all="ignore"):  # numbers that are not finite are no collapse
        of_latents = list(_collapse_of_latents(model, x, labels)) if model.encodes else []
        if not model.plays_a_game:
            return of_latents
        return [*of_latents, *_collapse_of_game(model, x, rng, labels)]


def _collapse_of_latents(model: Any, x: Array, labels: Array | None) -> Iterator[str]:
    z = model.encode(x, labels)  # (N, Z)
    if np.isfinite(z).all() and not active_latents(z).any():
        beta = getattr(model, "beta", None)
        yield (
            f"posterior collapse: none of the latents ({model.latent}) varies with x, so that the "
            f"decoder learns nothing from z"
            + (f"; a beta below {beta:g} lets z say more" if beta else "")
        )


def _collapse_of_game(
    model: Any, x: Array, rng: np.random.Generator, labels: Array | None
) -> Iterator[str]:
    samples, real = model.sample(len(x), rng, labels), model.scaled(x)
    finite = np.isfinite(samples).all()
    share = _spread(model.scaled(samples)) / _spread(real) if finite else np.nan
    if share < NARROW:  # (5)
        yield (
            f"the generator has collapsed: its samples spread {number(share)} times as far as the "
            f"data, almost the same whatever z is"
        )
    tape = Tape()
    model.objective("discriminator", real, rng, tape=tape, labels=labels)
    value = model.value_of_game(tape.parts)
    if model.loss.name in FROM_0_UP and value < WON:  # (6)
        yield (
            f"the discriminator has won: what it minimises is {number(value)}, and 0 is the least, "
            f"so that the generator learns little from it; a penalty on its slope, such as "
            f"penalty='r1', keeps it from being sure"
        )


def _spread(x: Array) -> float:
    """The spread (5): x (N, ...) -> the root of the sum of the variances of all its columns."""
    return float(np.sqrt(x.var(axis=0, dtype=np.float64).sum()))


NamedRecords = list[tuple[str, LayerRecord]]


def _broken(records: NamedRecords) -> Iterator[str]:
    """The first activation, and the first gradient on its way back, with NaN or infinity."""
    for name, record in records:
        if not np.isfinite(record.activation).all():
            yield f"{name}: {_bad(record.activation)} of its activation is NaN or infinite"
            break
    for name, record in reversed(records):
        if record.gradient is not None and not np.isfinite(record.gradient).all():
            yield f"{name}: {_bad(record.gradient)} of its gradient is NaN or infinite"
            break


def _bad(x: Array) -> str:
    return f"{1 - np.isfinite(x).mean():.1%}"


def _flat(records: NamedRecords) -> Iterator[str]:
    last = records[-1][1] if records else None
    for name, record in records:
        share, n = record.flat(), len(record.activation)
        if share is None or share < FLAT:  # (1)
            continue
        if not isinstance(record.layer, ReLU) and record is not last:
            yield f"{name}: {share:.0%} of its numbers are saturated, where its slope is almost 0"
        if isinstance(record.layer, ReLU) and n >= ENOUGH:
            yield f"{name}: {share:.0%} of its units are dead, 0 for all {n:,} examples"


def _gradients(records: NamedRecords) -> Iterator[str]:
    """Whether the gradient is lost on its way from the last layer to the first."""
    sizes = [
        (name, norm(record.gradient)) for name, record in records if record.gradient is not None
    ]
    lost = [name for name, size in sizes if size == 0]
    if lost:
        yield f"{lost[-1]}: its gradient is exactly 0, so that nothing up to there learns"
    elif sizes:
        (first, early), (last, late) = sizes[0], sizes[-1]
        ratio = early / late
        change = f"|dL/dy| is {number(late)} at {last}, and {number(early)} at {first}"
        if ratio < 1 / RATIO:  # (2)
            yield f"gradients vanish: {change}"
        if ratio > RATIO:  # (3)
            yield f"gradients explode: {change}"
