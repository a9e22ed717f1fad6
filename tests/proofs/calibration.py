"""Is the stated error bar honest? How often the true error of a measured derivative exceeds it.

    python tests/proofs/calibration.py          30,000 measurements

Each measurement is one derivative along a random direction, by the checker's own differences, at a
random point of a random function (smooth_functions.py), whose true derivative is known from the
complex step in extended precision. The bar that is stated is 10 times the estimated error; how
often the error is above a tenth of the bar, the estimate itself, is counted as well. The claim that
the checker is given is the true derivative, so that nothing of the bar comes from the noise of a
backward pass.

A measurement that the checker takes for a kink is not used there, and is counted apart here.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy comes

import time
import warnings
from typing import Any

import numpy as np
from shared import arguments, heading, spread_out, table, write
from smooth_functions import FAMILIES, true_derivative

from scratchgen.gradcheck.measuring.claims import Claim, direction, random_signs
from scratchgen.gradcheck.measuring.judging import judge
from scratchgen.gradcheck.pairs.function_pairs import VJPPair

CASES = 30_000


def main() -> None:
    args = arguments(__doc__, CASES).parse_args()
    heading(f"Calibration: {args.cases:,} derivatives with known truth, seed {args.seed}")
    began = time.perf_counter()
    tasks = [(args.seed, index) for index in range(args.cases)]
    rows = [row for row in spread_out(measured, tasks, args.processes, 50) if row is not None]
    report(rows, time.perf_counter() - began)
    write(args.out, {"seed": args.seed, "measurements": rows})


def measured(task: tuple[int, int]) -> dict[str, Any]:
    """A measurement and the true derivative."""
    seed, index = task
    rng = np.random.default_rng([seed, index])
    name = list(FAMILIES)[index % len(FAMILIES)]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        known = FAMILIES[name](rng)
        y = known.f(known.x)
        w = random_signs(rng, y.shape)
        u = direction(known.x, ("rms", "own")[rng.integers(2)], rng)
        truth = true_derivative(known, w, u)
        pair = VJPPair(known.f, lambda dy, x: truth, (known.x,))
        gradient = truth * u / float(np.vdot(u, u))
        (block,) = pair.blocks
        claim = Claim((w,), (y,), {block: gradient}, [])
        judgement = judge(pair, pair.blocks, block, u, claim, rng)
    m = judgement.measurement
    finite = bool(np.isfinite(truth) and np.isfinite(m.numeric) and np.isfinite(m.bar))
    return {
        "index": index,
        "family": name,
        "kind": "not finite" if not finite else "kink" if judgement.slope.is_kink() else "used",
        "off": abs(m.numeric - truth),
        "bar": m.bar,
        "scale": m.scale,
        "verdict": judgement.verdict,
    }


def report(rows: list[dict[str, Any]], seconds: float) -> None:
    """The table by family: how often the error exceeds the bar, and quantiles of error / bar."""
    lines = [("family", "used", ">bar", ">bar/10", "FAIL", "none", "median", "99.9 %", "max")]
    families = {name: [row for row in rows if row["family"] == name] for name in FAMILIES}
    for name, some in {**families, "all": rows}.items():
        lines.append((name, *cells([row for row in some if row["kind"] == "used"])))
    table(lines, "<>>>>>>>>")
    print("\nmedian, 99.9 % and max are of |numeric - true| / bar; FAIL: the true derivative was")
    print("called wrong; none: INCONCLUSIVE, where the bar is too wide for a PASS")
    kinds = {kind: sum(row["kind"] == kind for row in rows) for kind in ("kink", "not finite")}
    print(f"not used: {kinds['kink']} taken for a kink, {kinds['not finite']} not finite")
    print(f"{seconds:.0f} s")
    for row in sorted(rows, key=lambda row: -share(row))[:5]:
        print(
            f"  worst: measurement {row['index']}, {row['family']}: off {row['off']:.1e}, "
            f"bar {row['bar']:.1e}, scale {row['scale']:.1e}"
        )


def cells(rows: list[dict[str, Any]]) -> tuple[str, ...]:
    """The numbers of a row."""
    shares = np.array([share(row) for row in rows] or [0.0])
    counts = (len(rows), int((shares > 1).sum()), int((shares > 0.1).sum()))
    verdicts = [
        sum(row["verdict"] == verdict for row in rows) for verdict in ("FAIL", "INCONCLUSIVE")
    ]
    spread = (np.median(shares), np.quantile(shares, 0.999), shares.max())
    return (*(f"{n:,}" for n in (*counts, *verdicts)), *(f"{size:.1e}" for size in spread))


def share(row: dict[str, Any]) -> float:
    """The true error in error bars; 0 for unused measurements, and where both are 0."""
    if row["kind"] != "used" or row["off"] == 0:
        return 0.0
    return float(row["off"] / row["bar"]) if row["bar"] else float("inf")


if __name__ == "__main__":
    main()
