"""Why no fixed step is enough: the error of a difference over its step, for four functions.

    python demos/v_curve.py             prints a table, leaves v_curve.png

The error of the central difference D(h) = (f(x + h) - f(x - h)) / 2h has two parts: truncation,
which is proportional to h^2, and rounding, which is proportional to 1/h:

    |D(h) - f'(x)| ~ |f'''(x)| h^2 / 6 + eps |f(x)| / h                          (1)

The bottom of this V depends on the function, and moves by a factor of up to a million. The checker
extrapolates from the same differences; the band is its error bar.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

import scratchgen as sg
from scratchgen.gradcheck.measuring.differences import MANY, LineDifferences, Slope
from scratchgen.gradcheck.measuring.rounding import forward_noise
from scratchgen.gradcheck.pairs.function_pairs import VJPPair

H = np.logspace(0, -10, 201)
FIXED = 1e-5  # the step that many checkers take
ONE = (np.ones(()),)


@dataclass
class Example:
    """A function of one number, its derivative, and the x at which they are compared."""

    title: str
    f: Any
    slope: Any
    x: float


EXAMPLES = (
    Example("a smooth function: exp at 1", np.exp, np.exp, 1.0),
    Example("an offset: x^2 + 10^6 at 1", lambda x: x**2 + 1e6, lambda x: 2 * x, 1.0),
    Example("a small scale: log at 0.0001", np.log, lambda x: 1 / x, 1e-4),
    Example(
        "float32 inside: exp at 1",
        lambda x: np.exp(np.asarray(x, np.float32)).astype(float),
        np.exp,
        1.0,
    ),
)


def central(f, x: float, h: float) -> float:
    """The central difference D(h)."""
    return (f(x + h) - f(x - h)) / (2 * h)


def measured(example: Example) -> Slope:
    """The checker's slope, extrapolated from differences of the same function."""
    pair = VJPPair(example.f, np.multiply, (example.x,))  # only its forward is used

    def f(h: float):
        return pair.forward({**pair.blocks, name: pair.blocks[name] * (1 + h)}).outputs

    (name,) = pair.blocks
    rng = np.random.default_rng(0)
    noise = forward_noise(pair, pair.blocks, name, pair.blocks[name], ONE, rng)
    return LineDifferences(f, ONE, f(0.0), noise).slope(MANY)


def main() -> None:
    """Print the table, and write the picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6.4), layout="constrained")
    print(
        f"{'relative errors':30}{'h = 1e-5':>9}{'best h':>8}{'at best':>8}{'checker':>9}{'bar':>8}"
    )
    with np.errstate(all="ignore"):
        for axes, example in zip(figure.subplots(2, 2, sharey=True).flat, EXAMPLES, strict=True):
            f, x = example.f, example.x
            truth = float(example.slope(x))
            errors = np.array([abs(central(f, x, h) / truth - 1) for h in H])
            errors[~np.isfinite(errors)] = np.nan
            slope = measured(example)
            error = abs(slope.value / (truth * x) - 1)  # along u = x
            bar = 10 * slope.error / abs(truth * x)
            fixed = abs(central(f, x, FIXED) / truth - 1)
            step, least = bottom(errors)
            print(f"{example.title:30}{fixed:9.0e}{step:8.0e}{least:8.0e}{error:9.0e}{bar:8.0e}")
            draw(axes, example, errors, fixed, bar)
    figure.supxlabel("step h")
    figure.supylabel("relative error of the derivative")
    figure.savefig("v_curve.png", dpi=150)


def bottom(errors: np.ndarray) -> tuple[float, float]:
    """The step at the bottom of the V, and the error there: medians over nine steps."""
    windows = np.lib.stride_tricks.sliding_window_view(np.nan_to_num(errors, nan=np.inf), 9)
    medians = np.median(windows, axis=1)
    best = int(medians.argmin())
    return float(H[best + 4]), float(medians[best])


def draw(axes, example: Example, errors: np.ndarray, fixed: float, bar: float) -> None:
    """Draw a V, the step that many checkers take, and the checker's error bar as a band."""
    axes.loglog(
        H, np.maximum(errors, 1e-17), ".", color="#1b6ca8", ms=3, label="a central difference"
    )
    axes.axhspan(1e-17, bar, color="#2a9d5c", alpha=0.25, lw=0, label="the checker's error bar")
    axes.plot([FIXED], [max(fixed, 1e-17)], "o", color="#d1495b", ms=8, label="h = 0.00001")
    axes.set(title=example.title, ylim=(1e-17, 1e2), xlim=(1.5, 6e-11))
    axes.grid(alpha=0.2)
    if example is EXAMPLES[0]:
        axes.legend(loc="upper center", fontsize=8)


if __name__ == "__main__":
    print(f"scratchgen {sg.__version__}, NumPy {np.__version__}")
    main()
