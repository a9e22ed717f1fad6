"""A report as plain dicts, lists and numbers, for JSON.

Numbers that JSON lacks stand as the texts "nan", "inf" and "-inf", which `float` reads.
"""

import json
import math
import platform
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ground.versions import __version__
from ..results import BlockResult, CaseResult, EntryMap, Finding, Hint, Measurement
from .wording import resolution_of, worst_first

MOST_ENTRIES = 1_000  # the worst of a block, that are written down


def versions() -> dict[str, str]:
    """What a figure depends on: the versions of scratchgen, NumPy and Python."""
    return {
        "scratchgen": __version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def as_json(value: Any) -> str:
    """Plain values as text, NaN and infinities among them as texts."""
    return json.dumps(_finite(value), indent=1, allow_nan=False)


def plain_case(case: CaseResult, ladders: bool = True) -> dict[str, Any]:
    """A case; without the differences behind each measurement where `ladders` is False."""
    return {
        "label": case.label,
        "verdict": case.verdict,
        "resolution": resolution_of(case.blocks),
        "forward_calls": case.forward_calls,
        "backward_calls": case.backward_calls,
        "blocks": [_plain_block(one, ladders) for one in case.blocks],
        "findings": [_plain_finding(one) for one in case.findings],
    }


def _plain_block(block: BlockResult, ladders: bool) -> dict[str, Any]:
    return {
        "name": block.name,
        "shape": list(block.shape),
        "verdict": block.verdict,
        "reason": block.reason,
        "resolution": block.resolution,
        "exact": block.exact,
        "measurements": [_plain_measurement(one, ladders) for one in block.measurements],
        "entries": None if block.entries is None else _plain_entries(block.entries),
        "hints": [_plain_hint(one) for one in block.hints],
    }


def _plain_measurement(one: Measurement, ladders: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "numeric": one.numeric,
        "analytic": one.analytic,
        "bar": one.bar,
        "scale": one.scale,
        "resolution": one.resolution,
    }
    if ladders:
        found["ladders"] = [{"steps": it.steps, "values": it.values} for it in one.ladders]
    return found


def _plain_entries(entries: EntryMap) -> dict[str, Any]:
    """The worst entries, each with its place in the block, and how many there are in all."""
    order = worst_first(entries)[:MOST_ENTRIES]
    places = np.unravel_index(entries.index[order], entries.shape) if entries.shape else ()
    return {
        "shape": list(entries.shape),
        "complete": entries.complete,
        "measured": len(entries.index),
        "wrong": int(entries.wrong.sum()),
        "worst": [
            {
                "index": [int(at[k]) for at in places],
                "analytic": entries.analytic[one],
                "numeric": entries.numeric[one],
                "bar": entries.bar[one],
            }
            for k, one in enumerate(order)
        ],
    }


def _plain_hint(hint: Hint) -> dict[str, Any]:
    return {"cause": hint.cause, "text": hint.text, "residual": hint.residual}


def _plain_finding(one: Finding) -> dict[str, Any]:
    return {
        "contract": one.contract,
        "verdict": one.verdict,
        "text": one.text,
        "block": one.block,
    }


def _finite(value: Any) -> Any:
    """`value` in types that JSON knows."""
    if isinstance(value, dict):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _finite(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
