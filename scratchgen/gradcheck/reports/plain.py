"""A report as plain dicts, lists and numbers, for JSON.

NaN and infinities, which JSON lacks, become the texts "nan", "inf" and "-inf", which `float` reads.
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

MOST_ENTRIES = 1_000  # per block, the worst first


def versions() -> dict[str, str]:
    """The versions of scratchgen, NumPy and Python, on which results depend."""
    return {
        "scratchgen": __version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def as_json(value: Any) -> str:
    """Plain values as JSON, with NaN and infinities as texts."""
    return json.dumps(_finite(value), indent=1, allow_nan=False)


def plain_case(case: CaseResult, ladders: bool = True) -> dict[str, Any]:
    """A case; `ladders=False` leaves out the differences behind each measurement."""
    return {
        "label": case.label,
        "verdict": case.verdict,
        "resolution": resolution_of(case.blocks),
        "forward_calls": case.forward_calls,
        "backward_calls": case.backward_calls,
        "blocks": [_plain_block(block, ladders) for block in case.blocks],
        "findings": [_plain_finding(finding) for finding in case.findings],
    }


def _plain_block(block: BlockResult, ladders: bool) -> dict[str, Any]:
    return {
        "name": block.name,
        "shape": list(block.shape),
        "verdict": block.verdict,
        "reason": block.reason,
        "resolution": block.resolution,
        "exact": block.exact,
        "measurements": [
            _plain_measurement(measurement, ladders) for measurement in block.measurements
        ],
        "entries": None if block.entries is None else _plain_entries(block.entries),
        "hints": [_plain_hint(hint) for hint in block.hints],
    }


def _plain_measurement(measurement: Measurement, ladders: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "numeric": measurement.numeric,
        "analytic": measurement.analytic,
        "bar": measurement.bar,
        "scale": measurement.scale,
        "resolution": measurement.resolution,
    }
    if ladders:
        found["ladders"] = [{"steps": it.steps, "values": it.values} for it in measurement.ladders]
    return found


def _plain_entries(entries: EntryMap) -> dict[str, Any]:
    """The worst entries with their indices, and how many were measured and are wrong."""
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
                "analytic": entries.analytic[entry],
                "numeric": entries.numeric[entry],
                "bar": entries.bar[entry],
            }
            for k, entry in enumerate(order)
        ],
    }


def _plain_hint(hint: Hint) -> dict[str, Any]:
    return {"cause": hint.cause, "text": hint.text, "residual": hint.residual}


def _plain_finding(finding: Finding) -> dict[str, Any]:
    return {
        "contract": finding.contract,
        "verdict": finding.verdict,
        "text": finding.text,
        "block": finding.block,
    }


def _finite(value: Any) -> Any:
    """`value` in types that JSON can write."""
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _finite(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
