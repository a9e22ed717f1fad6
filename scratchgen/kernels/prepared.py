"""A function that is called again and again, such as a decoder, is recorded once and then replayed.

    f = Prepared(forward, z, p)     z (batch, ...), an example, and arrays p that forward reads
    x = f(z)                        in memory that the next call overwrites

It is replayed only if a replay does the same; otherwise it is called each time. Its kernels run as
they did when it was prepared, by loops or by NumPy, whatever others run by since then.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..ground.arguments import Array
from .formulas import loops_run, run_by
from .plans import Plan
from .recording import Call, recording
from .workspaces import Workspace, arrays_in


class Prepared:
    """f on a single thread, in memory of its own.

    `reads` are the parameters that f reads, with their values at each call; None if f may do more
    than call kernels, and is not replayed. With `new_memory` the arrays of each call are new.
    """

    def __init__(
        self,
        f: Callable[[Array], Array],
        example: Array,
        reads: Any,
        new_memory: bool = False,
    ) -> None:
        self._f, self._x = f, np.array(example)
        self._new_memory = new_memory
        self._workspace = Workspace(guards=True)
        self._plan: Plan | None = None
        self._by_loops = loops_run()
        self.runs_loops_alone = False  # neither NumPy nor Python of f
        if reads is not None:
            self._record(list(arrays_in(reads)))

    def __call__(self, x: Array) -> Array:
        """f(x), for x of the example's shape and dtype."""
        np.copyto(self._x, x)
        if self.runs_loops_alone or loops_run() == self._by_loops:
            return self._run()
        with run_by(loops=self._by_loops):
            return self._run()

    def _run(self) -> Array:
        if self._plan is None:
            return self._by_python()
        self._plan.run()
        return self._y

    def _by_python(self) -> Array:
        if self._new_memory:
            return self._f(self._x.copy())
        with self._workspace.step():
            return self._f(self._x)

    def _record(self, reads: list[Array]) -> None:
        with recording() as recorded:
            self._y = self._by_python()
        foreign_arrays = recorded.foreign_arrays([self._x, *reads], self._workspace)
        if foreign_arrays or not self._workspace.holds(self._y):
            return  # NumPy allocated an array, which a plan would not compute again
        plan = Plan(recorded, threads=1)
        self._x += 1  # for another example, whose result must differ
        wanted = self._by_python().copy()
        self._workspace.poison()
        plan.run()
        if wanted.tobytes() == self._y.tobytes():
            self._plan = plan
            self.runs_loops_alone = all(isinstance(event, Call) for event in plan.events)
