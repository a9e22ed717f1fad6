"""A function of one array, prepared for arrays of one size: it is recorded once, and then replayed.

    f = Prepared(forward, z, p)     z (batch, ...), an example, and arrays p that forward reads
    x = f(z)                        in memory that the next call writes over

Only what does the same when it is replayed is replayed; anything else is called each time. Kernels
run as they did when it was prepared, by loops or by NumPy, whatever others run by since then.
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
    """f, on one thread, in memory of its own.

    `reads` are the parameters that f reads besides, as they are at each call; None where it may do
    more than kernels do, and is not replayed. With `new_memory` the arrays of each call are new.
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
        self.runs_loops_alone = False  # whether a call runs neither Python of f nor NumPy
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
        with recording() as notes:
            self._y = self._by_python()
        foreign_arrays = notes.foreign_arrays([self._x, *reads], self._workspace)
        if foreign_arrays or not self._workspace.holds(self._y):
            return  # NumPy made some array, which a plan would not make anew
        plan = Plan(notes, threads=1)
        self._x += 1  # another example: what follows from it must be another too
        wanted = self._by_python().copy()
        self._workspace.poison()
        plan.run()
        if wanted.tobytes() == self._y.tobytes():
            self._plan = plan
            self.runs_loops_alone = all(isinstance(event, Call) for event in plan.events)
