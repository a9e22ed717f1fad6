"""The picture of a benchmark: products beside the peak, and training steps beside other tools.

It is given the numbers of bench.json.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .pictures import PathLike, save_figure

COLOURS = {
    "scratchgen": "#0072b2",
    "torch": "#d55e00",
    "jax": "#009e73",
    "tensorflow": "#cc79a7",
}


def draw_bench(found: dict[str, Any], path: PathLike) -> None:
    """A panel for each part that was measured; FileError where the path cannot be written."""
    panels: list[tuple[float, Callable[[Any], None]]] = []
    if "products" in found:
        measured = found["products"]["measured"]
        for n, one in measured.items():
            panels.append((4, functools.partial(_draw_products, threads=n, measured=one)))
    if found.get("kernels", {}).get("measured"):
        panels.append((3, lambda axes: _draw_kernels(axes, found["kernels"]["measured"])))
    if found.get("decoding"):
        panels.append((2, lambda axes: _draw_bars(axes, found["decoding"], "one latent decoded")))
    if found.get("steps"):
        panels.append((5, lambda axes: _draw_steps(axes, found["steps"]["tasks"])))
    if not panels:
        panels.append((1, _draw_nothing))
    heights = [height for height, _ in panels]
    figure = Figure(figsize=(9, 1 + sum(heights)), layout="constrained")
    every = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (_, draw) in zip(every, panels, strict=True):
        draw(axes)
    save_figure(figure, path)


def _draw_products(axes: Any, threads: str, measured: dict[str, Any]) -> None:
    """Rate over operations, a dot for each shape and kind; the peak as a line."""
    for k, (label, marker, colour) in enumerate(
        (("ours", "o", COLOURS["scratchgen"]), ("np.matmul", "x", "0.5"))
    ):
        points = [
            (2.0 * np.prod([float(side) for side in one["shape"]]), times[k])
            for one in [*measured["60"], *measured["200"]]
            for kind, times in one.items()
            if kind != "shape"
        ]
        operations, seconds = np.array(points).T
        axes.scatter(operations, operations / seconds / 1e9, s=10, marker=marker, color=colour,
                     linewidths=1, alpha=0.7, label=label)  # fmt: skip
    if measured["peak"]:
        axes.axhline(measured["peak"] / 1e9, color="k", linestyle="--", linewidth=1, label="peak")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("operations of a product")
    axes.set_ylabel("GFLOP/s")
    axes.set_title(f"products of float32 matrices, {threads} thread{'s' * (threads != '1')}")
    axes.legend(fontsize=8, loc="lower right")


def _draw_kernels(axes: Any, measured: dict[str, dict[str, float]]) -> None:
    """How many times as fast as its formula each loop is."""
    names = list(measured)[::-1]
    ratios = [measured[name]["reference"] / min(_loop_times(measured[name])) for name in names]
    axes.barh(names, ratios, color=COLOURS["scratchgen"])
    axes.axvline(1, color="k", linewidth=1)
    axes.set_xscale("log")
    axes.set_title("kernels: NumPy's time over the loop's")
    axes.tick_params(axis="y", labelsize=8)


def _loop_times(times: dict[str, float]) -> list[float]:
    return [value for name, value in times.items() if name != "reference"]


def _draw_bars(axes: Any, measured: dict[str, Any], title: str) -> None:
    """Medians, with their least and their most."""
    names = list(measured)[::-1]
    medians = np.array([measured[name]["median"] for name in names]) * 1e6
    spread = [
        np.abs(np.array([measured[name][end] for name in names]) * 1e6 - medians)
        for end in ("min", "max")
    ]
    axes.barh(names, medians, xerr=spread, color=COLOURS["scratchgen"], ecolor="0.3")
    axes.set_xlabel("microseconds")
    axes.set_title(title)
    axes.tick_params(axis="y", labelsize=8)


def _draw_steps(axes: Any, tasks: dict[str, Any]) -> None:
    """Each tool's time over ours, by task; the thin lines are from least to most."""
    tools = list(dict.fromkeys(tool for one in tasks.values() for tool in one["tools"]))
    names = [name for name, one in tasks.items() if len(one["tools"]) > 1] or list(tasks)
    height = 0.8 / max(1, len(tools))
    for k, tool in enumerate(tools):
        for row, name in enumerate(names):
            facts, ours = (tasks[name]["tools"].get(one) for one in (tool, "scratchgen"))
            if not facts or not ours:
                continue
            low, median, high = (facts[key] / ours["median"] for key in ("min", "median", "max"))
            axes.barh(row + (k + 0.5) * height - 0.4, median, height, label=None if row else tool,
                      color=COLOURS.get(tool, "0.6"), ecolor="0.3",
                      xerr=[[median - low], [high - median]])  # fmt: skip
    axes.axvline(1, color="k", linewidth=1)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("time of a training step, ours is 1")
    axes.legend(fontsize=8, loc="lower right")
    axes.set_title("training")


def _draw_nothing(axes: Any) -> None:
    axes.set_axis_off()
    axes.text(0.5, 0.5, "nothing was measured that can be drawn", ha="center", va="center")
