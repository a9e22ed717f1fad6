"""Every kernel does the same, to the bit, when it is recorded and replayed."""

from typing import Any

import numpy as np
import pytest

from scratchgen.kernels.cases import case, kernels
from scratchgen.kernels.formulas import by_formulas, by_loops
from scratchgen.kernels.plans import Plan
from scratchgen.kernels.recording import recording
from scratchgen.kernels.workspaces import Workspace, writable

KERNELS = kernels()
CASES = [  # rows, columns, float, and whether all that is read lies in pieces
    (0, 3, "float32", False),
    (1, 1, "float64", False),
    (5, 9, "float32", True),
    (70, 33, "float64", False),
]


def in_pieces(x: Any) -> Any:
    """The same numbers, each with a gap behind it."""
    return np.repeat(x, 2, axis=-1)[..., ::2] if isinstance(x, np.ndarray) else x


def bits(arrays: Any) -> list[bytes]:
    return [np.asarray(x).tobytes() for x in arrays]


@pytest.mark.parametrize("way", [by_loops, by_formulas])
@pytest.mark.parametrize("name", sorted(KERNELS))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # means of nothing
def test_a_replayed_kernel_does_the_same(name, way):
    operands = KERNELS[name].operands.arguments
    for rows, columns, dtype, pieces in CASES:
        args = case(name, rows, columns, dtype, 1)
        if pieces:
            pairs = zip(operands, args, strict=True)
            args = [x if operand.in_place else in_pieces(x) for operand, x in pairs]
        given = [np.array(x) for x in args]
        workspace = Workspace(guards=True, fills=True)
        with way():
            with workspace.step(), recording() as notes:
                made = KERNELS[name].call(*args)
            made = () if made is None else made if isinstance(made, tuple) else (made,)
            wanted = bits([*made, *args])
            assert not notes.foreign_arrays(
                [x for x in args if isinstance(x, np.ndarray)], workspace
            )
            assert all(workspace.holds(x) for x in made)
            plan = Plan(notes, threads=1)
            for x, before in zip(args, given, strict=True):
                if isinstance(x, np.ndarray):
                    x[...] = before
            for x in made:
                writable(x)[...] = 1 if x.dtype == bool else np.nan
            plan.run()
        assert bits([*made, *args]) == wanted


def test_a_replay_computes_new_results_from_new_arguments():
    for name in ("score_bernoulli", "ReLU.times_slope", "affine", "join", "draw_and_kl"):
        for way in (by_loops, by_formulas):
            args, others = (case(name, 5, 6, "float32", seed) for seed in (1, 6))
            with way():
                wanted = KERNELS[name].call(*others)
                with Workspace().step(), recording() as notes:
                    made = KERNELS[name].call(*args)
                plan = Plan(notes, 1)
                for x, new in zip(args, others, strict=True):
                    if isinstance(x, np.ndarray):
                        x[...] = new
                plan.run()
            pairs = (made, wanted) if isinstance(made, tuple) else ((made,), (wanted,))
            for found, right in zip(*pairs, strict=True):
                np.testing.assert_array_equal(found, right)
