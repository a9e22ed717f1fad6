"""What a trace tells of a network that does not learn: units that are dead, gradients that vanish.

    dead         a unit of ReLU that is 0 for every example: no gradient passes it            (1)
    saturated    |y| > 0.97 for Tanh, |2 y - 1| > 0.97 for Sigmoid: the slope is almost 0     (2)
    vanishing    |dL/dy| of a pass's first layer below 0.001 of that of its last              (3)
    exploding    |dL/dy| of a pass's first layer above 1,000 times that of its last           (4)

(2) leaves out the last layer of a network, which gives data: black pixels are right to be 0.
"""

from collections.abc import Iterator

import numpy as np

from ..checks import Array
from ..nn import ReLU, Sigmoid, Tanh
from ..tables import number
from .trace import Seen, Trace, label, norm

ENOUGH = 32  # examples; of fewer, many a healthy unit is 0 for all
DEAD = 0.1  # the share of dead units in a layer that is worth a word
EDGE = 0.97  # where the flat part of Tanh and Sigmoid begins
SATURATED = 0.5  # the share of a layer's numbers there that is worth a word
RATIO = 1e3  # between the gradients at the two ends of a network


def symptoms(trace: Trace) -> list[str]:
    """What is wrong in a trace, a sentence each; none where nothing is.

    >>> import scratchgen as sg
    >>> model = sg.models.vae((2,), latent=2, hidden=(64,), rng=0)
    >>> model.players["vae"].views.encoder[0].b[:] = -100
    >>> print(symptoms(model.trace(sg.data.ring(200, rng=0), rng=0))[0])
    encoder.1 ReLU(): 64 of 64 units are dead, 0 for all 200 examples
    """
    found: list[str] = []
    for names in trace.passes.values():
        seen = [(f"{name} {label(trace[name].layer)}", trace[name]) for name in names]
        broken = list(_broken(seen))
        found += broken or [*_dead(seen), *_saturated(seen[:-1]), *_gradients(seen)]
    return found


Named = list[tuple[str, Seen]]


def _broken(seen: Named) -> Iterator[str]:
    """The first activation, and the first gradient on its way back, with NaN or infinity."""
    for name, one in seen:
        if not np.isfinite(one.activation).all():
            yield f"{name}: {_bad(one.activation)} of its activation is NaN or infinite"
            break
    for name, one in reversed(seen):
        if one.gradient is not None and not np.isfinite(one.gradient).all():
            yield f"{name}: {_bad(one.gradient)} of its gradient is NaN or infinite"
            break


def _bad(x: Array) -> str:
    return f"{1 - np.isfinite(x).mean():.1%}"


def _dead(seen: Named) -> Iterator[str]:
    for name, one in seen:
        y = one.activation.reshape(len(one.activation), -1)  # (N, units)
        dead = int((y == 0).all(axis=0).sum())  # (1)
        if isinstance(one.layer, ReLU) and len(y) >= ENOUGH and dead >= DEAD * y.shape[1]:
            units = f"{dead:,} of {y.shape[1]:,} units"
            yield f"{name}: {units} are dead, 0 for all {len(y):,} examples"


def _saturated(seen: Named) -> Iterator[str]:
    for name, one in seen:
        if isinstance(one.layer, Tanh | Sigmoid):
            y = one.activation if isinstance(one.layer, Tanh) else 2 * one.activation - 1
            share = float((np.abs(y) > EDGE).mean())  # (2)
            if share > SATURATED:
                yield f"{name}: {share:.0%} of its numbers are saturated, where its slope is near 0"


def _gradients(seen: Named) -> Iterator[str]:
    """Whether the gradient is lost on its way from the last layer to the first."""
    came = [(name, norm(one.gradient)) for name, one in seen if one.gradient is not None]
    lost = [name for name, size in came if size == 0]
    if lost:
        yield f"{lost[-1]}: its gradient is exactly 0, so that nothing up to there learns"
    elif came:
        (first, early), (last, late) = came[0], came[-1]
        ratio = early / late
        sizes = f"|dL/dy| is {number(late)} at {last}, and {number(early)} at {first}"
        if ratio < 1 / RATIO:  # (3)
            yield f"gradients vanish: {sizes}"
        if ratio > RATIO:  # (4)
            yield f"gradients explode: {sizes}"
