"""A function of one array, prepared for arrays of one size: it is recorded once, and then replayed.

    f = Prepared(forward, z)        z (batch, ...), an example
    x = f(z)                        in memory that the next call writes over

Only what does the same when it is replayed is replayed; anything else is called each time.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..checks import Array
from .memory import Workspace, arrays_in
from .plans import Plan
from .recording import recording


class Prepared:
    """f, on one thread, in memory of its own.

    `may_replay` says whether kernels do all that it does; they may read arrays in `parameters` too,
    as these are at each call.
    """

    def __init__(
        self, f: Callable[[Array], Array], example: Array, parameters: Any, may_replay: bool
    ) -> None:
        self._f, self._x = f, np.array(example)
        self._own = [self._x, *arrays_in(parameters)]
        self._workspace = Workspace(guards=True)
        self._plan: Plan | None = None
        if may_replay:
            self._record()

    def __call__(self, x: Array) -> Array:
        """f(x), for x of the example's shape and dtype."""
        np.copyto(self._x, x)
        if self._plan is None:
            return self._by_python()
        self._plan.run()
        return self._y

    def _by_python(self) -> Array:
        with self._workspace.step():
            return self._f(self._x)

    def _record(self) -> None:
        with recording() as notes:
            self._y = self._by_python()
        if notes.strangers(self._own, self._workspace):
            return
        plan, first = Plan(notes, threads=1), self._y.copy()
        plan.run()
        if first.tobytes() == self._y.tobytes():
            self._plan = plan
