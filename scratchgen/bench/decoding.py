"""The time to decode one latent vector, 20-128-784, with and without numba, and by onnxruntime."""

from . import instruction_sets
from .peers import ours, python_for, why_not
from .result import Result, Row, spread_text, time_text
from .settings import Settings
from .timing import Times
from .workers import Worker, take_turns

COUNT = 5000  # vectors per turn
NEEDS = ("onnxruntime", "onnx")
CALLS = {  # the argument of ours.py, and the environment
    "model.decode": ("model", {"SCRATCHGEN_JIT": "0"}),
    "model.prepared_decoder(batch=1)": ("jit", {}),
    "model.prepared_decoder(batch=1), no numba": ("decoder", {"SCRATCHGEN_JIT": "0"}),
}


def measure(settings: Settings) -> Result:
    """A row for each call."""
    count = settings.some(COUNT, 50)
    workers: list[Worker] = [
        ours(settings, name, "decode", how, str(count), **environment)
        for name, (how, environment) in CALLS.items()
    ]
    lines: list[str] = []
    if instruction_sets.in_force():
        lines.append("onnxruntime: not compared, because nothing keeps it from using AVX-512")
    elif missing := why_not(settings, *NEEDS):
        lines.append(missing)
    else:
        command = [python_for(settings.pythons, *NEEDS), "-m", "peers.onnx_peer", str(count)]
        workers.append(Worker("onnxruntime", command, settings.environment()))
    turns, failed = take_turns(workers, settings.rounds)
    times = {name: Times(tuple(t / count for t in turn.seconds)) for name, turn in turns.items()}
    return report(times, [*lines, *failed.values()])


def report(times: dict[str, Times], lines: list[str]) -> Result:
    """The times as a table, with the ratio of onnxruntime's time to each."""
    rows: list[Row] = []
    theirs = times.get("onnxruntime")
    for name, time in times.items():
        ratio = f"{theirs.median / time.median:.2f}" if theirs else "-"
        rows.append((name, time_text(time.median), spread_text(time.least, time.most), ratio))
    head = ("", "per vector", "range", "ratio")
    if theirs:
        lines = [*lines, "ratio: onnxruntime's time / this time"]
    data = {name: time.record() for name, time in times.items()}
    return Result("One latent vector decoded, 20-128-784", head, rows, lines, data)
