"""Results of checks, built by hand for the tests of reports."""

import numpy as np

from scratchgen.gradcheck.reports.report import Report
from scratchgen.gradcheck.results import (
    FAIL,
    INCONCLUSIVE,
    NOTE,
    PASS,
    BlockResult,
    CaseResult,
    EntryMap,
    Finding,
    Hint,
    Ladder,
    Measurement,
)

CONTRACTS = ("linear", "pure", "stale", "layout", "shape", "finite", "extremes", "batch")


def ladder(true, ratio, first, seed):
    """Differences with an error of h^2 and rounding noise of 1e-16 / h."""
    steps = first / ratio ** np.arange(18)
    noise = 1e-16 * np.random.default_rng(seed).standard_normal(18) / steps
    return Ladder(steps, true + 0.3 * steps**2 + noise)


def measurement(true, claimed, bar=4e-13, seed=0):
    ladders = (ladder(true, 2.0, 0.08, seed), ladder(true, 1.6, 0.05, seed + 1))
    return Measurement(true, claimed, bar, abs(true) + 1, ladders)


def passed(name, shape=(4, 3), bar=4e-14):
    measured = [measurement(0.7 + k, 0.7 + k + bar / 3, bar, k) for k in range(3)]
    return BlockResult(name, shape, PASS, "", measured[0].resolution, measured, exact=2e-16)


def entry_map(shape, wrong, error=0.02, complete=True, seed=1):
    """Every entry of a block; `wrong` is a boolean array of its shape."""
    numeric = np.random.default_rng(seed).standard_normal(shape).ravel()
    analytic = numeric + error * np.ravel(wrong)
    n = numeric.size
    return EntryMap(shape, np.arange(n), analytic, numeric, np.full(n, 4e-13), complete)


def failed(name="x", shape=(4, 5, 3)):
    wrong = np.zeros(shape, dtype=bool)
    wrong[..., 1] = True
    hint = Hint("mean term", "the error is constant over axes (0, 1): mean(dy) is missing", 1e-12)
    other = Hint("unknown", "no known shape fits", 0.4)
    measured = [measurement(1.3, 1.34), measurement(0.2, 0.21, seed=5)]
    return BlockResult(
        name, shape, FAIL, "", 4e-12, measured, entry_map(shape, wrong), [hint, other]
    )


def unclear(name="gamma"):
    reason = "rounding in the forward pass is as large as the derivative: shift the input by 1e9"
    return BlockResult(name, (3,), INCONCLUSIVE, reason, 3e-2, [measurement(1.0, 1.1, 0.03)])


def holding(*others):
    return [Finding(name, PASS) for name in CONTRACTS] + list(others)


def report(*cases, subject="BatchNorm(3)", kind="layer"):
    return Report(subject, list(cases), 17, f"check({subject}, x=(4, 5, 3), seed=17)", 0.0083, kind)


def case(label, *blocks, findings=()):
    return CaseResult(label, list(blocks), list(findings), 1204, 61)


NASTY = "<script>alert('$x_1^')</script> & \"größe\" \x00\x1b[31m \ud800 見 " + "long" * 60
NOTED = [
    Finding("dtype", NOTE, "float32 turns into float64"),
    Finding("empty", NOTE, "N = 0 raises"),
]


def special():
    """A block of NaN and infinities."""
    entries = EntryMap(
        (2, 2),
        np.arange(4),
        np.array([np.nan, np.inf, -np.inf, 1.0]),
        np.array([1.0, np.inf, 1.0, np.nan]),
        np.array([0.0, np.inf, np.nan, 1e-12]),
        True,
    )
    steps = np.array([0.1, 0.05, 0.0])
    measured = Measurement(
        np.nan, np.inf, np.nan, 0.0, (Ladder(steps, np.array([np.nan, np.inf, 1])),)
    )
    return BlockResult("p['w'][0]", (2, 2), FAIL, "", np.nan, [measured], entries)


def every_report():
    """A report of each kind, by name."""
    shape = Finding("shape", FAIL, "dx has shape (3, 4), wants x's, (4, 3)", "x")
    many = [case(f"N={n} training", passed("x"), passed("w"), findings=holding()) for n in range(9)]
    bad = case(
        "N=4 H=W=5 C=3 training", unclear(), passed("beta"), failed(), findings=holding(*NOTED)
    )
    unknown = BlockResult("x", (4, 3), FAIL, "backward gave a view of dy that changed", None)
    wide = [passed(f"{k}.weight_of_a_layer_with_a_long_name") for k in range(40)]
    wrong = [failed(f"{k}.w") for k in range(20)]
    few = np.zeros(200, dtype=bool)
    few[[3, 77]] = True
    part = failed("w", (200,))
    part.entries = entry_map((200,), few, complete=False)
    return {
        "pass": report(
            case("N=4 training", passed("x"), passed("gamma", bar=1e-15), findings=holding())
        ),
        "pass with notes": report(case("", passed("x"), findings=holding(*NOTED))),
        "fail": report(bad),
        "fail of a contract": report(case("N=4", passed("x"), findings=holding(shape))),
        "fail without numbers": report(case("N=4", unknown)),
        "fail of two entries": report(case("N=4", part, findings=holding())),
        "inconclusive": report(case("offset 1e9", unclear(), findings=holding())),
        "many cases": report(*many),
        "many cases, one bad": report(*many, bad),
        "many blocks": report(case("generator", *wide), case("discriminator", *wide)),
        "many wrong blocks": report(case("generator", *wrong, findings=holding(shape, *NOTED))),
        "nasty": report(
            case(
                NASTY, failed(NASTY), unclear(NASTY), findings=[Finding(NASTY, FAIL, NASTY, NASTY)]
            ),
            subject=NASTY,
            kind=NASTY,
        ),
        "not finite": report(case("", special(), findings=holding())),
        "no blocks": report(case("empty")),
        "no cases": report(),
    }
