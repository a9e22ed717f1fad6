"""Every kernel gives the same results, bit for bit, when it is recorded and replayed."""

from typing import Any

import numpy as np
import pytest

from scratchgen.kernels.cases import case, kernels
from scratchgen.kernels.formulas import by_formulas, by_loops
from scratchgen.kernels.plans import Plan
from scratchgen.kernels.recording import recording
from scratchgen.kernels.workspaces import Workspace, writable

KERNELS = kernels()
CASES = [  # rows, columns, dtype, and whether arrays that are only read have gaps
    (0, 3, "float32", False),
    (1, 1, "float64", False),
    (5, 9, "float32", True),
    (70, 33, "float64", False),
]


def with_gaps(x: Any) -> Any:
    """The same numbers, each with a gap behind it."""
    return np.repeat(x, 2, axis=-1)[..., ::2] if isinstance(x, np.ndarray) else x


def bits(arrays: Any) -> list[bytes]:
    return [np.asarray(x).tobytes() for x in arrays]


@pytest.mark.parametrize("way", [by_loops, by_formulas])
@pytest.mark.parametrize("name", sorted(KERNELS))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # means of empty arrays
def test_a_replayed_kernel_gives_the_same_results(name, way):
    operands = KERNELS[name].operands.arguments
    for rows, columns, dtype, has_gaps in CASES:
        args = case(name, rows, columns, dtype, 1)
        if has_gaps:
            pairs = zip(operands, args, strict=True)
            args = [x if operand.in_place else with_gaps(x) for operand, x in pairs]
        copies = [np.array(x) for x in args]
        workspace = Workspace(guards=True, fills=True)
        with way():
            with workspace.step(), recording() as notes:
                y = KERNELS[name].call(*args)
            results = () if y is None else y if isinstance(y, tuple) else (y,)
            expected = bits([*results, *args])
            assert not notes.foreign_arrays(
                [x for x in args if isinstance(x, np.ndarray)], workspace
            )
            assert all(workspace.holds(x) for x in results)
            plan = Plan(notes, threads=1)
            for x, before in zip(args, copies, strict=True):
                if isinstance(x, np.ndarray):
                    x[...] = before
            for x in results:
                writable(x)[...] = 1 if x.dtype == bool else np.nan
            plan.run()
        assert bits([*results, *args]) == expected


def test_a_replay_computes_new_results_from_new_arguments():
    for name in ("log_prob_bernoulli", "ReLU.times_slope", "affine", "join", "draw_and_kl"):
        for way in (by_loops, by_formulas):
            args, others = (case(name, 5, 6, "float32", seed) for seed in (1, 6))
            with way():
                expected = KERNELS[name].call(*others)
                with Workspace().step(), recording() as notes:
                    results = KERNELS[name].call(*args)
                plan = Plan(notes, 1)
                for x, new in zip(args, others, strict=True):
                    if isinstance(x, np.ndarray):
                        x[...] = new
                plan.run()
            is_tuple = isinstance(results, tuple)
            pairs = (results, expected) if is_tuple else ((results,), (expected,))
            for ours, right in zip(*pairs, strict=True):
                np.testing.assert_array_equal(ours, right)
