"""A network's output for data of any length, a chunk at a time.

    for rows, y in by_chunks(network, p, x, labels, shape, dtype): ...     y = network(x[rows])

Every chunk is computed in the memory of the chunk before it, unless somebody may look at those
arrays or keep them: where the source was edited, a debugger follows, or replays are switched off,
all arrays are new.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np

from ..ground.arguments import Array, Shape
from ..ground.chunks import chunks
from ..kernels.trust import is_followed, replay_setting, why_not
from ..kernels.workspaces import Workspace
from ..nn import Network, Tape
from ..nn.layer import Views


def is_watched() -> bool:
    """Whether somebody may look at, or keep, the arrays of a pass."""
    return replay_setting(None) is False or is_followed() or bool(why_not())


def by_chunks(
    network: Network, p: Views, x: Array, labels: Array | None, shape: Shape, dtype: np.dtype[Any]
) -> Iterator[tuple[slice, Array]]:
    """A chunk of x (N, ...) at a time: its slice of x, and the network's output for it.

    `chunks` says how many examples of `shape` make a chunk. The output is valid until the next
    chunk is asked for.
    """
    parts, tape = list(chunks(len(x), shape)), Tape()
    workspace = Workspace() if len(parts) > 1 and not is_watched() else None
    for rows in parts:
        tape.begin(training=False, labels=None if labels is None else labels[rows])
        memory = nullcontext() if workspace is None else workspace.step(rows.stop - rows.start)
        with memory, np.errstate(under="ignore"):
            part = np.ascontiguousarray(x[rows], dtype)
            y = network.forward(p, part, tape)
        yield rows, y
