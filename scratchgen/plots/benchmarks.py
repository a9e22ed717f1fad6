"""The picture of a benchmark: products beside the peak, and training steps beside other tools."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .figures import DisplayedFigure, PathLike, finish

COLOURS = {
    "scratchgen": "#0072b2",
    "torch": "#d55e00",
    "jax": "#009e73",
    "tensorflow": "#cc79a7",
}


def draw_bench(result: dict[str, Any], path: PathLike | None = None) -> DisplayedFigure:
    """A panel for each part of a result, the content of bench.json, that was measured.

    Raises FileError where the path cannot be written.
    """
    panels: list[tuple[float, Callable[[Any], None]]] = []
    if "products" in result:
        measured = result["products"]["measured"]
        for threads, rates in measured.items():
            products = functools.partial(_draw_products, threads=threads, measured=rates)
            panels.append((4, products))
    if result.get("kernels", {}).get("measured"):
        panels.append((3, lambda axes: _draw_kernels(axes, result["kernels"]["measured"])))
    if result.get("decoding"):
        panels.append((2, lambda axes: _draw_bars(axes, result["decoding"], "one latent decoded")))
    if result.get("steps"):
        panels.append((5, lambda axes: _draw_steps(axes, result["steps"]["tasks"])))
    if not panels:
        panels.append((1, _say_nothing_was_measured))
    heights = [height for height, _ in panels]
    figure = DisplayedFigure(figsize=(9, 1 + sum(heights)), layout="constrained")
    column = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (_, draw) in zip(column, panels, strict=True):
        draw(axes)
    return finish(figure, path)


def _draw_products(axes: Any, threads: str, measured: dict[str, Any]) -> None:
    """The rate over the operations, a dot for each shape and kind; the peak as a line."""
    for k, (label, marker, colour) in enumerate(
        (("ours", "o", COLOURS["scratchgen"]), ("np.matmul", "x", "0.5"))
    ):
        points = [
            (2.0 * np.prod([float(side) for side in row["shape"]]), times[k])
            for row in [*measured["60"], *measured["200"]]
            for kind, times in row.items()
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
    """Medians, with lines from the shortest time to the longest."""
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
    """Each tool's time over ours, by task; thin lines go from the shortest time to the longest."""
    tools = list(dict.fromkeys(tool for task in tasks.values() for tool in task["tools"]))
    names = [name for name, task in tasks.items() if len(task["tools"]) > 1] or list(tasks)
    height = 0.8 / max(1, len(tools))
    for k, tool in enumerate(tools):
        for row, name in enumerate(names):
            times, ours = (tasks[name]["tools"].get(key) for key in (tool, "scratchgen"))
            if not times or not ours:
                continue
            low, median, high = (times[key] / ours["median"] for key in ("min", "median", "max"))
            axes.barh(row + (k + 0.5) * height - 0.4, median, height, label=None if row else tool,
                      color=COLOURS.get(tool, "0.6"), ecolor="0.3",
                      xerr=[[median - low], [high - median]])  # fmt: skip
    axes.axvline(1, color="k", linewidth=1)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("time of a training step, ours is 1")
    axes.legend(fontsize=8, loc="lower right")
    axes.set_title("training")


def _say_nothing_was_measured(axes: Any) -> None:
    axes.set_axis_off()
    axes.text(0.5, 0.5, "no measurement to draw", ha="center", va="center")
