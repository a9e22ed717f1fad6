"""How often is right code called wrong? Thousands of random right cases, none removed afterwards.

    python tests/proofs/false_alarms.py                    10,000 cases, everything that is checked
    python tests/proofs/false_alarms.py --oracle-only      derivatives alone, no contracts
    python tests/proofs/false_alarms.py --only 1234        one case, in full

What the cases are stands in valid_cases.py. A FAIL here is a mistake of the checker. By the rule of
three, 0 of 10,000 shows a rate below 3e-4, with 95 % confidence.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy comes

import time
import traceback
import warnings
from collections import Counter
from functools import partial
from typing import Any

import numpy as np
from shared import arguments, heading, spread_out, table, write
from valid_cases import draw_case

from scratchgen.gradcheck.measuring.oracle import measure_all
from scratchgen.gradcheck.measuring.passes import Stopped
from scratchgen.gradcheck.pairs.budget import Budget
from scratchgen.gradcheck.pairs.pair import Pair
from scratchgen.gradcheck.results import FAIL, INCONCLUSIVE, PASS, CaseResult, Finding

CASES = 10_000
SECONDS = 20.0  # for one case


def main() -> None:
    parser = arguments(__doc__, CASES)
    parser.add_argument("--oracle-only", action="store_true", help="no contracts")
    parser.add_argument("--only", type=int, help="the number of one case, to print in full")
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    args = parser.parse_args()
    if args.only is not None:
        show(args.seed, args.only, args.oracle_only)
        return
    heading(f"False alarms: {args.cases:,} random cases that are right, seed {args.seed}")
    began = time.perf_counter()
    work = partial(examined, args.seed, oracle_only=args.oracle_only)
    numbers = range(args.first, args.first + args.cases)
    rows = list(spread_out(work, numbers, args.processes))
    report(rows, time.perf_counter() - began)
    write(args.out, {"seed": args.seed, "cases": rows})


def examined(seed: int, index: int, oracle_only: bool) -> dict[str, Any]:
    """The checker's verdict on a case."""
    case = draw_case(seed, index)
    began = time.perf_counter()
    result = verdict_on(case.pair, index, oracle_only)
    worst = [
        result for result in (*result.blocks, *result.findings) if result.verdict == result.verdict
    ]
    return {
        "index": index,
        "family": case.family,
        "name": case.name,
        "how": case.how,
        "redrawn": case.redrawn,
        "verdict": result.verdict,
        "what": [_what(result) for result in worst] if result.verdict != PASS else [],
        "resolution": max((block.resolution or 0 for block in result.blocks), default=0),
        "kinks": sum(finding.contract == "kink" for finding in result.findings),
        "seconds": time.perf_counter() - began,
    }


def verdict_on(pair: Pair, seed: int, oracle_only: bool) -> CaseResult:
    """The whole check, or the derivatives alone."""
    if not oracle_only:
        from scratchgen.gradcheck.engine import examine

        try:
            return examine(pair, seed=seed, budget=Budget(SECONDS))
        except Exception as problem:  # it must never raise
            last = traceback.extract_tb(problem.__traceback__)[-1]
            text = f"{type(problem).__name__}: {problem}, {last.filename}:{last.lineno}"
            return CaseResult("", findings=[Finding("crash", FAIL, text)])
    pair.budget = Budget(SECONDS)
    result = CaseResult("")
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            result.blocks, result.findings = measure_all(pair, np.random.default_rng(seed))
        except Stopped as stop:
            result.findings = [Finding(stop.contract, FAIL, stop.text)]
    return result


def _what(outcome: Any) -> str:
    """A block or finding that is not PASS, in words."""
    if isinstance(outcome, Finding):
        return f"{outcome.contract}: {outcome.text}"
    return f"derivative, {outcome.name}: {outcome.reason or 'the numbers differ'}"


def report(rows: list[dict[str, Any]], seconds: float) -> None:
    """The tables."""
    families = [*dict.fromkeys(row["family"] for row in rows)]
    lines = [("", "cases", "PASS", "FAIL", "INCONCLUSIVE", "share")]
    kinds = {family: [r for r in rows if r["family"] == family] for family in sorted(families)}
    awkward = ("scales", "batch 1", "kink", "layout", "float32", "offset", "none of these")
    kinds |= {f"... {kind}": [r for r in rows if _is(r, kind)] for kind in awkward}
    for name, some in {**kinds, "all": rows}.items():
        count = Counter(row["verdict"] for row in some)
        share = f"{count[INCONCLUSIVE] / max(len(some), 1):.1%}"
        cells = (len(some), count[PASS], count[FAIL], count[INCONCLUSIVE])
        lines.append((name, *(f"{cell:,}" for cell in cells), share))
    table(lines, "<>>>>>")
    print(f"\n{sum(row['redrawn'] for row in rows)} points were drawn again: forward not finite")
    print(f"{sum(row['kinks'] > 0 for row in rows)} cases sat on a kink, and were told so")
    times = sorted(row["seconds"] for row in rows)
    print(
        f"{seconds:.0f} s; a case took {1e3 * times[len(times) // 2]:.1f} ms (median), "
        f"{1e3 * times[-1]:.0f} ms at most"
    )
    print("\nwhy INCONCLUSIVE")
    reasons = Counter(_reason(row) for row in rows if row["verdict"] == INCONCLUSIVE)
    table([(f"{count:,}", reason) for reason, count in reasons.most_common()] or [("", "-")], "><")
    print("\nFAIL")
    for row in rows:
        if row["verdict"] == FAIL:
            print(f"  case {row['index']}  {row['family']}: {row['name']}  {row['how']}")
            print("\n".join(f"    {text[:200]}" for text in row["what"]))
    if not any(row["verdict"] == FAIL for row in rows):
        print(f"  none: fewer than one in {len(rows) // 3:,} (95 %)")


def _is(row: dict[str, Any], group: str) -> bool:
    """Whether a case belongs to a group."""
    if group == "batch 1":
        return bool(row["how"]["n"] == 1)
    if group == "none of these":
        return not set(row["how"]) - {"n"} and row["how"]["n"] > 1
    return group in row["how"]


def _reason(row: dict[str, Any]) -> str:
    """The first reason without its numbers."""
    text = row["what"][0]
    return text.split(": ", 1)[-1].split(" (")[0] if text.startswith("derivative") else text


def show(seed: int, index: int, oracle_only: bool) -> None:
    """All details of a case."""
    case = draw_case(seed, index)
    result = verdict_on(case.pair, index, oracle_only)
    print(f"case {index}, seed {seed}: {case.family}, {case.name}, {case.how}: {result.verdict}")
    for name, block in case.pair.blocks.items():
        print(f"  {name} {block.shape}, size {abs(block).max(initial=0.0):.3g}")
    for block in result.blocks:
        print(f"  {block.verdict} d{block.name} {block.reason}")
        for m in block.measurements:
            print(
                f"    numeric {m.numeric:+.12e} analytic {m.analytic:+.12e} "
                f"off {abs(m.numeric - m.analytic):.1e} bar {m.bar:.1e} scale {m.scale:.1e}"
            )
    for finding in result.findings:
        print(f"  {finding.verdict} {finding.contract} {finding.block} {finding.text}")


if __name__ == "__main__":
    main()
