"""What does a check cost? Its time and its calls, compared with other checkers.

    python tests/proofs/cost.py                      --repeats 25 for medians of 25

Each pair is a layer of ours as two plain functions of NumPy arrays, at a batch of 4 (Dense 30 -> 20
at 16). All checkers get the same pair, turn by turn in one run, after one turn that does not count;
times are medians. `ours` is all that `check` does: the first calls, the contracts, and every
block's derivative. `derivatives` is the last part alone, which is what the others do. JAX's forward
calls include one for each backward call, because a custom_vjp can keep only arrays for it.

Then the certificate of the whole library, once.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy comes

import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from bridges import NEEDS, has, jax_check, torch_fast, torch_slow
from proof_subjects import Subject
from shared import arguments, heading, table, thread_limits, write

from scratchgen import nn
from scratchgen.gradcheck.certificate import certify
from scratchgen.gradcheck.engine import examine
from scratchgen.gradcheck.library.subjects import layer_pair
from scratchgen.gradcheck.measuring.oracle import measure_all
from scratchgen.gradcheck.pairs.function_pairs import CachedPair

WANTED_MS, WANTED_S = 20, 10
LAYERS: dict[str, tuple[nn.Layer, tuple[int, ...]]] = {
    "Dense 5 -> 3": (nn.Dense(5, 3), (4, 5)),
    "GELU, 4 x 5": (nn.GELU(), (4, 5)),
    "LayerNorm, 4 x 5": (nn.LayerNorm(5), (4, 5)),
    "BatchNorm, 4 x 5": (nn.BatchNorm(5), (4, 5)),
    "network 5-8-3": (nn.Network((5,), nn.Dense(5, 8), nn.Tanh(), nn.Dense(8, 3)), (4, 5)),
    "Dense 30 -> 20": (nn.Dense(30, 20), (16, 30)),
    "tanh of 1,000": (nn.Tanh(), (1, 1000)),
}


@dataclass
class Counted:
    """A pair of functions that counts its calls."""

    forward_calls: int = 0
    backward_calls: int = 0

    def subject(self, name: str, layer: nn.Layer, shape: tuple[int, ...]) -> Subject:
        """The layer as two functions."""
        x = np.random.default_rng(0).standard_normal(shape)
        pair = layer_pair(layer, x, 0, True)
        names = list(pair.blocks)

        def forward(*args: np.ndarray) -> Any:
            self.forward_calls += 1
            y, memory = pair._forward(dict(zip(names, args, strict=True)))
            return y, memory

        def backward(dy: np.ndarray, memory: Any) -> tuple[np.ndarray, ...]:
            self.backward_calls += 1
            found = pair._backward(_Run(memory), [dy])
            return tuple(found[name] for name in names)

        return Subject(name, name, names, list(pair.blocks.values()), forward, backward)


@dataclass
class _Run:
    """The result of a pass, in the form that `Pair` wants."""

    memory: Any


def ours(subject: Subject) -> str:
    """The whole check."""
    return examine(CachedPair(subject.forward, subject.backward, subject.args)).verdict


def derivatives(subject: Subject) -> str:
    """The derivatives alone, without contracts."""
    pair = CachedPair(subject.forward, subject.backward, subject.args)
    return measure_all(pair, np.random.default_rng(0))[0][0].verdict


TOOLS: dict[str, Callable[[Subject], Any]] = {
    "ours": ours,
    "derivatives": derivatives,
    "torch slow": torch_slow,
    "torch fast": torch_fast,
    "jax": jax_check,
}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--no-certificate", action="store_true")
    args = parser.parse_args()
    heading(f"Cost: medians of {args.repeats}, {thread_limits()}", "torch", "jax")
    tools = [tool for tool in TOOLS if has(NEEDS.get(tool, "numpy"))]
    rows = [row for name in LAYERS for row in measured(name, tools, args.repeats)]
    report(rows, tools)
    figures: dict[str, Any] = {"rows": rows}
    if not args.no_certificate:
        figures["certificate"] = certificate(args.seed)
    write(args.out, figures, "torch", "jax")


def measured(name: str, tools: list[str], repeats: int) -> list[dict[str, Any]]:
    """A row for each tool."""
    counts = {tool: Counted() for tool in tools}
    subjects = {tool: counts[tool].subject(name, *LAYERS[name]) for tool in tools}
    times: dict[str, list[float]] = {tool: [] for tool in tools}
    calls = {}
    for turn in range(repeats + 1):
        for tool in tools:
            counts[tool].forward_calls = counts[tool].backward_calls = 0
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                began = time.perf_counter()
                TOOLS[tool](subjects[tool])
                if turn:
                    times[tool].append(time.perf_counter() - began)
            calls[tool] = (counts[tool].forward_calls, counts[tool].backward_calls)
    return [
        {
            "pair": name,
            "tool": tool,
            "ms": 1e3 * statistics.median(times[tool]),
            "forward": calls[tool][0],
            "backward": calls[tool][1],
        }
        for tool in tools
    ]


def report(rows: list[dict[str, Any]], tools: list[str]) -> None:
    """The tables of times and calls."""
    pairs = [*dict.fromkeys(row["pair"] for row in rows)]
    found = {(row["pair"], row["tool"]): row for row in rows}
    print("milliseconds")
    lines = [("", *tools)]
    lines += [
        (pair_name, *(f"{found[pair_name, tool]['ms']:.1f}" for tool in tools))
        for pair_name in pairs
    ]
    table(lines, "<" + ">" * len(tools))
    print("\ncalls, forward + backward")
    lines = [("", *tools)]
    for pair_name in pairs:
        some = [found[pair_name, tool] for tool in tools]
        lines.append((pair_name, *(f"{row['forward']} + {row['backward']}" for row in some)))
    table(lines, "<" + ">" * len(tools))
    small = max(found[pair_name, "ours"]["ms"] for pair_name in pairs[:4])
    print(f"\none small layer: {small:.1f} ms at most (wanted: below {WANTED_MS})")


def certificate(seed: int) -> dict[str, Any]:
    """The certificate of the whole library."""
    began = time.perf_counter()
    reports = certify(seed)
    seconds = time.perf_counter() - began
    cases = [case for report in reports for case in report.cases]
    calls = [sum(getattr(c, f"{kind}_calls") for c in cases) for kind in ("forward", "backward")]
    print(
        f"the certificate: {len(reports)} reports, {len(cases)} cases, {seconds:.1f} s (wanted: "
        f"below {WANTED_S}), {calls[0]:,} forward and {calls[1]:,} backward calls"
    )
    return {"seconds": seconds, "reports": len(reports), "cases": len(cases), "calls": calls}


if __name__ == "__main__":
    main()
