"""What a trace tells of a network that does not learn: units that are dead, gradients that vanish.

    flat         half of a ReLU's units are dead, or half of what Tanh or Sigmoid gives is
                 saturated, as trace.py defines them                                          (1)
    vanishing    |dL/dy| of a pass's first layer below 0.001 of that of its last              (2)
    exploding    |dL/dy| of a pass's first layer above 1,000 times that of its last           (3)

(1) leaves out a Sigmoid or Tanh that ends its network and gives data: black pixels are right to
be 0.
"""

from collections.abc import Iterator

import numpy as np

from ..checks import Array
from ..nn import ReLU
from ..tables import number
from .trace import Seen, Trace, label, norm

ENOUGH = 32  # examples; of fewer, many a healthy unit is 0 for all
FLAT = 0.5  # the share that is worth a word
RATIO = 1e3  # between the gradients at the two ends of a network


def symptoms(trace: Trace) -> list[str]:
    """What is wrong in a trace, a sentence each; none where nothing is.

    >>> import scratchgen as sg
    >>> model = sg.models.vae((2,), latent=2, hidden=(64,), rng=0)
    >>> model.players["vae"].views.encoder[0].b[:] = -100
    >>> print(symptoms(model.trace(sg.data.ring(200, rng=0), rng=0))[0])
    encoder.1 ReLU(): 100% of its units are dead, 0 for all 200 examples
    """
    found: list[str] = []
    for names in trace.passes.values():
        seen = [(f"{name} {label(trace[name].layer)}", trace[name]) for name in names]
        broken = list(_broken(seen))
        found += broken or [*_flat(seen), *_gradients(seen)]
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


def _flat(seen: Named) -> Iterator[str]:
    last = seen[-1][1] if seen else None
    for name, one in seen:
        share, n = one.flat(), len(one.activation)
        if share is None or share < FLAT:  # (1)
            continue
        if not isinstance(one.layer, ReLU) and one is not last:
            yield f"{name}: {share:.0%} of its numbers are saturated, where its slope is almost 0"
        if isinstance(one.layer, ReLU) and n >= ENOUGH:
            yield f"{name}: {share:.0%} of its units are dead, 0 for all {n:,} examples"


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
        if ratio < 1 / RATIO:  # (2)
            yield f"gradients vanish: {sizes}"
        if ratio > RATIO:  # (3)
            yield f"gradients explode: {sizes}"
