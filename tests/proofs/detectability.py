"""How small a mistake does each checker see? A single wrong entry among n, of many relative sizes.

    python tests/proofs/detectability.py                         prints tables
    python tests/proofs/detectability.py --picture docs/detectability.png

The gradient of tanh at n numbers (drawn from N(0, 1)), and of a dense layer by its n weights (batch
4), is right but for one entry drawn at random, which is off by a relative size of 1 down to 1e-12;
`0` is the right gradient, which nobody should call wrong. In every trial all checkers get the same
point, entry and sign. The checkers:

    ours           scratchgen's derivatives (no contract would help here)
    torch slow     torch.autograd.gradcheck, every default (eps 1e-6, atol 1e-5, rtol 1e-3)
    torch fast     the same with fast_mode=True
    jax            jax.test_util.check_grads(order=1, modes=["rev"]), x64, every default
    1e-5, rel 1e-5 central differences of every entry at h = 1e-5 for one random cotangent, wrong
    1e-5, rel 1e-7 where |a - n| > 1e-5, or 1e-7, of max(|a|, |n|), in the norm of the gradient

torch slow and the central differences go through the entries one by one, and stop at n = 1,000;
beyond it they are not asked. Where a checker misses three sizes in a row, it is not asked about
smaller ones; about the right gradient it always is. PyTorch and JAX are left out where they are not
installed.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy comes

import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from bridges import NEEDS, has, jax_check, torch_fast, torch_slow
from proof_subjects import Subject
from shared import arguments, heading, spread_out, table, write

from scratchgen.gradcheck.measuring.oracle import measure_all
from scratchgen.gradcheck.pairs.function_pairs import CachedPair
from scratchgen.gradcheck.results import FAIL, worst

SIZES = (10, 30, 100, 300, 1_000, 10_000, 100_000)
ERRORS = (*(10.0**-k for k in range(13)), 0.0)
FUNCTIONS = ("tanh", "dense")
PLAIN = {"1e-5, rel 1e-5": 1e-5, "1e-5, rel 1e-7": 1e-7}
TOOLS = ("ours", "torch slow", "torch fast", "jax", *PLAIN)
BY_ENTRY = ("torch slow", *PLAIN)
MOST = 1_000  # entries, for tools that go through them one by one
FEW = 10  # trials of each function, where n is large
MISSES = 3  # in a row, after which smaller errors are taken for missed
BATCH, STEP = 4, 1e-5


def main() -> None:
    parser = arguments(__doc__, cases=20)
    parser.add_argument("--picture", type=Path, help="where to draw the curves")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="the n to try")
    args = parser.parse_args()
    heading(
        f"Detectability: one wrong entry among n; {args.cases} trials for each function and size "
        f"({min(FEW, args.cases)} from n = 1,000 on), seed {args.seed}",
        "torch",
        "jax",
    )
    tools = [tool for tool in TOOLS if has(NEEDS.get(tool, "numpy"))]
    began = time.perf_counter()
    tasks = [
        (function, n, k)
        for n in args.sizes
        for function in FUNCTIONS
        for k in range(args.cases if n < 1_000 else min(FEW, args.cases))
    ]
    rows = list(spread_out(partial(trial, args.seed, tools), tasks, args.processes, 2))
    report(rows, tools, args.sizes)
    print(f"\n{time.perf_counter() - began:.0f} s")
    write(args.out, {"seed": args.seed, "errors": ERRORS, "trials": rows}, "torch", "jax")
    if args.picture:
        from detectability_picture import draw

        draw(shares(rows, tools, args.sizes), tools, ERRORS[:-1], args.picture)


def trial(seed: int, tools: list[str], task: tuple[str, int, int]) -> dict[str, Any]:
    """Whether each tool finds each size of the error, at one point and entry."""
    function, n, k = task
    found: dict[str, list[bool]] = {}
    rng = np.random.default_rng([seed, n, k, FUNCTIONS.index(function)])
    state = rng.bit_generator.state
    for tool in tools:
        if n > MOST and tool in BY_ENTRY:
            continue
        answers: list[bool] = []
        numeric = None
        for error in ERRORS:
            if error and len(answers) >= MISSES and not any(answers[-MISSES:]):
                answers.append(False)
                continue
            rng.bit_generator.state = state
            subject = wrong_pair(function, n, error, rng)
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                if tool in PLAIN:
                    numeric = differences(subject, k) if numeric is None else numeric
                    answers.append(distance(subject, k, numeric) > PLAIN[tool])
                else:
                    answers.append(asked(tool, subject, k))
        found[tool] = answers
    return {"function": function, "n": n, "trial": k, "found": found}


def wrong_pair(function: str, n: int, error: float, rng: np.random.Generator) -> Subject:
    """A pair with n numbers to differentiate, the gradient of one of them off by `error`."""
    place, sign = int(rng.integers(n)), float(rng.choice([-1.0, 1.0]))

    def spoiled(g: np.ndarray) -> np.ndarray:
        g = g.copy()
        g.reshape(-1)[place] *= 1 + sign * error
        return g

    if function == "tanh":
        return Subject("tanh", str(n), ["x"], [rng.standard_normal(n)], lambda x: (np.tanh(x), x),
                       lambda dy, x: (spoiled(dy * (1 - np.tanh(x) ** 2)),))  # fmt: skip
    wide = 10 if n >= 100 else 5 if n > 10 else 2
    x = rng.standard_normal((BATCH, n // wide))
    w = rng.standard_normal((n // wide, wide))
    return Subject("dense", str(n), ["w"], [w], lambda w: (x @ w, w),
                   lambda dy, w: (spoiled(x.T @ dy),))  # fmt: skip


def asked(tool: str, subject: Subject, seed: int) -> bool:
    """Whether the tool calls the pair wrong."""
    if tool == "ours":
        pair = CachedPair(subject.forward, subject.backward, subject.args)
        results, _ = measure_all(pair, np.random.default_rng(seed))
        return worst([result.verdict for result in results]) == FAIL
    peer = {"torch slow": torch_slow, "torch fast": torch_fast, "jax": jax_check}[tool]
    return peer(subject).said == "found"


def differences(subject: Subject, seed: int) -> np.ndarray:
    """A central difference of <w, f> for every entry, at a fixed step."""
    (x,) = subject.args
    w = cotangent(subject, seed)
    numeric = np.zeros(x.size)
    for i in range(x.size):
        ends = []
        for step in (STEP, -STEP):
            moved = x.copy()
            moved.reshape(-1)[i] += step
            ends.append(float((w * subject.forward(moved)[0]).sum()))
        numeric[i] = (ends[0] - ends[1]) / (2 * STEP)
    return numeric


def distance(subject: Subject, seed: int, numeric: np.ndarray) -> float:
    """|a - n| / max(|a|, |n|)."""
    _, cache = subject.forward(*subject.args)
    analytic = subject.backward(cotangent(subject, seed), cache)[0].reshape(-1)
    size = max(np.linalg.norm(analytic), np.linalg.norm(numeric))
    return float(np.linalg.norm(analytic - numeric) / size)


def cotangent(subject: Subject, seed: int) -> np.ndarray:
    """A normal w for the plain differences."""
    shape = subject.forward(*subject.args)[0].shape
    return np.random.default_rng(seed).standard_normal(shape)


def shares(rows: list[dict[str, Any]], tools: list[str], sizes: Any) -> dict[Any, np.ndarray]:
    """(tool, n) -> the share found at each size of the error, over both functions."""
    return {
        (tool, n): np.mean([r["found"][tool] for r in rows if r["n"] == n], axis=0)
        for n in sizes
        for tool in tools
        if n <= MOST or tool not in BY_ENTRY
    }


def report(rows: list[dict[str, Any]], tools: list[str], sizes: Any) -> None:
    """The tables of the smallest size that is always found, and of the shares."""
    found = shares(rows, tools, sizes)
    print("the smallest relative size that is found every time, as are all larger ones")
    lines = [("n", *tools)]
    lines += [(f"{n:,}", *(always(found.get((tool, n))) for tool in tools)) for n in sizes]
    table(lines, ">" * (1 + len(tools)))
    for tool in tools:
        print(f"\n{tool}: share found, in %, of errors of 1, 1e-1 ... 1e-12, and of no error")
        lines = [("n", "1", *(f"-{k}" for k in range(1, len(ERRORS) - 1)), "no")]
        for n in sizes:
            if (tool, n) in found:
                lines.append((f"{n}", *(f"{100 * share:.0f}" for share in found[tool, n])))
        table(lines, ">" * (1 + len(ERRORS)))


def always(share: np.ndarray | None) -> str:
    """The smallest error that is found in all trials, in words."""
    if share is None:
        return "-"
    whole = [error for i, error in enumerate(ERRORS[:-1]) if (share[: i + 1] == 1).all()]
    return f"{whole[-1]:.0e}" if whole else "none"


if __name__ == "__main__":
    main()
