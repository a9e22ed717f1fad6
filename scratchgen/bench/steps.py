"""The time of a training step of each task, with `sg.fit` and with every other installed tool.

    time of a step = time of an epoch / steps of an epoch                              (1)

The measured time of every tool includes shuffling the examples, gathering each batch and drawing
noise. The first epoch, which compiles kernels, is not measured.
"""

from collections.abc import Sequence
from typing import Any

from . import tasks
from .machine import peaks
from .peers import TOOLS, ours, peer, why_not
from .result import Result, Row, progress, spread_text, time_text
from .settings import Settings
from .timing import Times, fastest, geometric_mean
from .workers import Worker, take_turns

OURS = "scratchgen"
WIDE = 1.5  # ratio of the longest to the shortest time


def measure(settings: Settings, chosen: Sequence[tasks.Task] = tasks.TASKS) -> Result:
    """A row for each task and tool, and ratios."""
    missing = [why for tool in TOOLS if (why := why_not(settings, tool))]
    installed = [tool for tool in TOOLS if not why_not(settings, tool)]
    before = peak_rate(settings)
    results = {}
    for task in chosen:
        progress(task.name)
        results[task.name] = one_task(settings, task, installed if task.compared else [])
    progress("")
    return report(results, max(before, peak_rate(settings)), missing)


def one_task(settings: Settings, task: tasks.Task, installed: Sequence[str]) -> dict[str, Any]:
    """By tool: the times of a step and facts about the tool, or why it failed."""
    few = [str(4 * task.batch)] if settings.quick else []
    steps = tasks.shortened(task, 4 * task.batch).steps if settings.quick else task.steps
    workers: list[Worker] = [ours(settings, OURS, "fit", task.name, *few)]
    workers += [peer(settings, tool, task.name, *few) for tool in installed]
    epochs, failed = take_turns(workers, settings.rounds)
    each = {
        worker.name: {
            **Times(tuple(t / steps for t in epochs[worker.name].seconds)).record(),  # (1)
            **worker.facts,
        }
        for worker in workers
        if worker.name in epochs
    }
    return {"steps": steps, "tools": each, "failed": failed}


def peak_rate(settings: Settings) -> float:
    """Peak operations per second on as many threads as the tasks get; 0 if it is unknown."""
    from ..kernels.formulas import numba_works

    if not numba_works():
        return 0.0
    return peaks(settings).get(str(settings.threads), {}).get("float32", 0.0)


def report(results: dict[str, Any], peak: float, missing: Sequence[str]) -> Result:
    """The results, by task, as a table and ratios."""
    rows: list[Row] = []
    lines = [*missing]
    ratios: dict[str, float] = {}
    shares: dict[str, float] = {}
    wide: list[str] = []
    for name, result in results.items():
        task, tools = tasks.task(name), result["tools"]
        times = {tool: Times(tuple(facts["all"])) for tool, facts in tools.items()}
        for tool, time in times.items():
            share = task.operations() / time.median / peak if peak else 0.0
            if tool == OURS and share:
                shares[name] = share
            first = name if tool == next(iter(times)) else ""
            spread = spread_text(time.least, time.most)
            rows.append((first, _tool(tool, tools[tool]), time_text(time.median), spread,
                         f"{100 * share:.0f} %" if share else "-"))  # fmt: skip
        lines += [f"{name}: {why}" for why in result["failed"].values()]
        wide += [f"{name}, {tool}" for tool, time in times.items() if time.most > WIDE * time.least]
        others = {tool: time for tool, time in times.items() if tool != OURS}
        if others and OURS in times:
            ratios[name] = others[fastest(others)].median / times[OURS].median
    if wide:
        lines.append(
            f"{len(wide)} of {len(rows)} rows vary by more than half: other programs are "
            f"running, and the ratios mean little"
        )
    lines += summary(ratios, shares, results)
    head = ("", "tool", "per step", "range", "of peak")
    data = {"tasks": results, "ratios": ratios, "of_peak": shares, "peak": peak,
            "geometric_mean": geometric_mean(_others(ratios))}  # fmt: skip
    title = "A training step: sg.fit, and other tools"
    return Result(title, head, rows, lines, data, sides="<<>>>")


def summary(
    ratios: dict[str, float], shares: dict[str, float], results: dict[str, Any]
) -> list[str]:
    """The last lines: epoch, efficiency, ratios, and their geometric mean."""
    lines = []
    if OURS in results.get(tasks.EPOCH.name, {"tools": {}})["tools"]:
        epoch = results[tasks.EPOCH.name]
        seconds = epoch["tools"][OURS]["median"] * epoch["steps"]
        lines.append(f"{tasks.EPOCH.name}: an epoch of {epoch['steps']} steps in {seconds:.2f} s")
    for even, odd in zip(tasks.STEP, tasks.ODD, strict=True):
        if even.name in shares and odd.name in shares:
            ratio = shares[odd.name] / shares[even.name]
            lines.append(f"{odd.name}: {ratio:.2f} times the efficiency of {even.name}")
    for name, ratio in ratios.items():
        tools = {tool: facts["median"] for tool, facts in results[name]["tools"].items()}
        best = min((tool for tool in tools if tool != OURS), key=tools.__getitem__)
        lines.append(f"{name}: {ratio:.2f} times as fast as {best}, the fastest of the others")
    if others := _others(ratios):
        mean = geometric_mean(others)
        lines.append(f"geometric mean over vae-example, iwae, gan, critic "
                     f"({len(others)} of {len(tasks.OTHERS)} measured): {mean:.2f}")  # fmt: skip
    return lines


def _others(ratios: dict[str, float]) -> list[float]:
    return [ratios[task.name] for task in tasks.OTHERS if task.name in ratios]


def _tool(tool: str, facts: dict[str, Any]) -> str:
    how = facts.get("how", "")
    return tool if tool == OURS or not how else f"{tool} ({how})"
