"""Draws the curves of detectability.py: share found over the size of the error, by tool and n."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

SHOWN = (10, 100, 1_000, 100_000)
STYLES: dict[str, tuple[str, str, float]] = {
    "ours": ("#0b6e4f", "-", 3.0),
    "torch slow": ("#c8553d", "-", 1.6),
    "torch fast": ("#e09f3e", "-", 1.6),
    "jax": ("#5b5f97", "-", 1.6),
    "1e-5, rel 1e-5": ("#8d99ae", "-", 1.6),
    "1e-5, rel 1e-7": ("#8d99ae", ":", 1.6),
}
NAMES = {
    "ours": "scratchgen",
    "torch slow": "torch gradcheck",
    "torch fast": "torch, fast mode",
    "jax": "jax check_grads",
    "1e-5, rel 1e-5": "plain, h = 1e-5, 1e-5",
    "1e-5, rel 1e-7": "plain, h = 1e-5, 1e-7",
}


def draw(shares: dict[Any, np.ndarray], tools: list[str], errors: Any, out: Path) -> None:
    """A row of panels, one per n."""
    sizes = [n for n in SHOWN if ("ours", n) in shares]
    figure = Figure(figsize=(10.5, 3.9), layout="constrained")
    axes = figure.subplots(1, len(sizes), sharey=True, squeeze=False)[0]
    for axis, n in zip(axes, sizes, strict=True):
        for tool in reversed(tools):
            if (tool, n) in shares:
                color, line, width = STYLES[tool]
                share = 100 * shares[tool, n][: len(errors)]
                axis.plot(errors, share, line, color=color, linewidth=width, label=NAMES[tool])
        axis.set_xscale("log")
        axis.invert_xaxis()
        axis.set_title(f"1 of {n:,}", fontsize=13)
        axis.set_xticks([1, 1e-4, 1e-8, 1e-12])
        axis.tick_params(labelsize=11)
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("found, % of trials", fontsize=12)
    figure.supxlabel("relative size of the error in one entry of the gradient", fontsize=12)
    lines, labels = axes[0].get_legend_handles_labels()
    figure.legend(
        lines[::-1], labels[::-1], loc="outside upper center", ncols=3, frameon=False, fontsize=12
    )
    figure.savefig(out, dpi=130)
