"""A training step of each task, through `sg.fit`, and of every other tool that is installed.

    time of a step = time of an epoch / steps of an epoch                              (1)

Every tool shuffles the examples each epoch, gathers each batch, and draws its noise, all within the
time that counts. The first epoch, in which kernels are compiled, does not count.
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
WIDE = 1.5  # from the least to the most


def measure(settings: Settings, chosen: Sequence[tasks.Task] = tasks.TASKS) -> Result:
    """A row for each task and tool, and the ratios."""
    missing = [why for tool in TOOLS if (why := why_not(settings, tool))]
    there = [tool for tool in TOOLS if not why_not(settings, tool)]
    before = peak_rate(settings)
    found = {}
    for task in chosen:
        progress(task.name)
        found[task.name] = one_task(settings, task, there if task.compared else [])
    progress("")
    return report(found, max(before, peak_rate(settings)), missing)


def one_task(settings: Settings, task: tasks.Task, there: Sequence[str]) -> dict[str, Any]:
    """By tool: the times of a step, how it worked; and by tool why it did not."""
    few = [str(4 * task.batch)] if settings.quick else []
    steps = tasks.shortened(task, 4 * task.batch).steps if settings.quick else task.steps
    workers: list[Worker] = [ours(settings, OURS, "fit", task.name, *few)]
    workers += [peer(settings, tool, task.name, *few) for tool in there]
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
    """Operations a second on as many threads as the tasks get; 0 where it is not known."""
    from ..kernels.formulas import numba_works

    if not numba_works():
        return 0.0
    return peaks(settings).get(str(settings.threads), {}).get("float32", 0.0)


def report(found: dict[str, Any], peak: float, missing: Sequence[str]) -> Result:
    """What was measured, by task, as a table and ratios."""
    rows: list[Row] = []
    lines = [*missing]
    ratios: dict[str, float] = {}
    shares: dict[str, float] = {}
    wide: list[str] = []
    for name, one in found.items():
        task, tools = tasks.task(name), one["tools"]
        times = {tool: Times(tuple(facts["all"])) for tool, facts in tools.items()}
        for tool, time in times.items():
            share = task.operations() / time.median / peak if peak else 0.0
            if tool == OURS and share:
                shares[name] = share
            first = name if tool == next(iter(times)) else ""
            spread = spread_text(time.least, time.most)
            rows.append((first, _tool(tool, tools[tool]), time_text(time.median), spread,
                         f"{100 * share:.0f} %" if share else "-"))  # fmt: skip
        lines += [f"{name}: {why}" for why in one["failed"].values()]
        wide += [f"{name}, {tool}" for tool, time in times.items() if time.most > WIDE * time.least]
        others = {tool: time for tool, time in times.items() if tool != OURS}
        if others and OURS in times:
            ratios[name] = others[fastest(others)].median / times[OURS].median
    if wide:
        lines.append(
            f"{len(wide)} of {len(rows)} rows vary by more than half: other programs run here, "
            f"and the ratios say little"
        )
    lines += summary(ratios, shares, found)
    head = ("", "tool", "a step", "from - to", "of peak")
    data = {"tasks": found, "ratios": ratios, "of_peak": shares, "peak": peak,
            "geometric_mean": geometric_mean(_others(ratios))}  # fmt: skip
    title = "A training step: sg.fit, and other tools"
    return Result(title, head, rows, lines, data, sides="<<>>>")


def summary(ratios: dict[str, float], shares: dict[str, float], found: dict[str, Any]) -> list[str]:
    """The last lines: epoch, efficiency, ratios, and their geometric mean."""
    lines = []
    if OURS in found.get(tasks.EPOCH.name, {"tools": {}})["tools"]:
        one = found[tasks.EPOCH.name]
        seconds = one["tools"][OURS]["median"] * one["steps"]
        lines.append(f"{tasks.EPOCH.name}: an epoch of {one['steps']} steps in {seconds:.2f} s")
    for even, odd in zip(tasks.STEP, tasks.ODD, strict=True):
        if even.name in shares and odd.name in shares:
            ratio = shares[odd.name] / shares[even.name]
            lines.append(f"{odd.name}: {ratio:.2f} times the efficiency of {even.name}")
    for name, ratio in ratios.items():
        tools = {tool: facts["median"] for tool, facts in found[name]["tools"].items()}
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
