"""One latent vector decoded, 20-128-784: ours with numba and without, and onnxruntime."""

from .peers import ours, python_for, why_not
from .result import Result, Row, spread_text, time_text
from .settings import Settings
from .timing import Times
from .workers import Worker, take_turns

COUNT = 5000  # vectors a turn
NEEDS = ("onnxruntime", "onnx")
WAYS = {  # what is called, and the environment
    "model.decode": ("model", {"SCRATCHGEN_JIT": "0"}),
    "model.prepared_decoder(batch=1)": ("jit", {}),
    "model.prepared_decoder(batch=1), no numba": ("decoder", {"SCRATCHGEN_JIT": "0"}),
}


def measure(settings: Settings) -> Result:
    """A row for each way."""
    count = settings.some(COUNT, 50)
    workers: list[Worker] = [
        ours(settings, name, "decode", how, str(count), **environment)
        for name, (how, environment) in WAYS.items()
    ]
    lines: list[str] = []
    if missing := why_not(settings, *NEEDS):
        lines.append(missing)
    else:
        command = [python_for(settings.pythons, *NEEDS), "-m", "peers.onnx_peer", str(count)]
        workers.append(Worker("onnxruntime", command, settings.environment()))
    turns, failed = take_turns(workers, settings.rounds)
    times = {name: Times(tuple(t / count for t in one.seconds)) for name, one in turns.items()}
    return report(times, [*lines, *failed.values()])


def report(times: dict[str, Times], lines: list[str]) -> Result:
    """As a table, and onnxruntime's time over each of ours."""
    rows: list[Row] = []
    theirs = times.get("onnxruntime")
    for name, time in times.items():
        ratio = f"{theirs.median / time.median:.2f}" if theirs else "-"
        rows.append((name, time_text(time.median), spread_text(time.least, time.most), ratio))
    head = ("", "a vector", "from - to", "ratio")
    if theirs:
        lines = [*lines, "ratio: onnxruntime's time over this one"]
    data = {name: time.record() for name, time in times.items()}
    return Result("One latent vector decoded, 20-128-784", head, rows, lines, data)
