"""The bench: what it computes is right, and what it prints can be read. No time is asserted."""

import json
import math
import re
import sys

import numpy as np
import pytest

from scratchgen.bench import (
    decoding,
    elements,
    machine,
    peers,
    products,
    shares,
    start,
    steps,
    tasks,
)
from scratchgen.bench.settings import Settings, pinned
from scratchgen.bench.timing import Times, fastest, geometric_mean, in_turns, rotated
from scratchgen.bench.workers import Worker, take_turns
from scratchgen.command import entry as cli
from scratchgen.command.benchmark import PARTS
from scratchgen.command.parser import build_parser
from scratchgen.ground.versions import is_installed
from scratchgen.kernels.cases import case, with_loops
from scratchgen.kernels.formulas import compiles

QUICK = Settings(rounds=1, quick=True)


def within_a_terminal(text: str) -> bool:
    return max(map(len, text.splitlines())) <= 79


def test_the_median_is_of_all_rounds_and_the_spread_from_the_least_to_the_most():
    times = Times((3.0, 1.0, 10.0, 2.0))
    assert (times.median, times.least, times.most) == (2.5, 1.0, 10.0)


def test_the_geometric_mean_of_a_ratio_and_its_inverse_is_one():
    assert geometric_mean([4.0, 0.25]) == 1.0
    assert geometric_mean([1.0, 8.0]) == pytest.approx(math.sqrt(8))
    assert math.isnan(geometric_mean([]))


def test_the_fastest_tool_has_the_smallest_median():
    assert fastest({"a": Times((1.0, 9.0, 9.0)), "b": Times((5.0, 5.0, 5.0))}) == "b"
    assert fastest({}) == ""


def test_every_call_has_as_many_turns_and_each_goes_first_in_turn():
    calls = []
    times = in_turns({name: lambda n=name: calls.append(n) for name in "ab"}, 3, least=1e-9)
    assert {name: len(entry.seconds) for name, entry in times.items()} == {"a": 3, "b": 3}
    assert [rotated("ab", number)[0] for number in range(3)] == ["a", "b", "a"]


def worker(name: str, code: str) -> Worker:
    """A process that runs `code` with `turns`."""
    start = "from scratchgen.bench.workers import Turns; turns = Turns()\n"
    return Worker(name, [sys.executable, "-c", start + code], Settings().environment())


def test_a_worker_gets_ready_and_works_in_its_turns_and_its_output_is_no_answer():
    steady = "turns.send(how='fast'); print('noise')\nwhile turns.wait(): turns.send(seconds=0.5)"
    ends = "turns.send(how='once')\nturns.wait()\nraise SystemExit('out of fuel')"
    workers = [
        worker("steady", steady),
        worker("ends", ends),
        worker("never", "raise OSError('no')"),
    ]
    times, failed = take_turns(workers, rounds=2, pause=0)
    assert times == {"steady": Times((0.5, 0.5))}
    assert workers[0].facts == {"how": "fast"}
    assert failed == {"ends": "ends: out of fuel", "never": "never: OSError: no"}


def measured(**tools: float) -> dict:
    """The result of a task, with these medians of a step."""
    return {
        "steps": 469,
        "tools": {
            tool: {**Times((0.9 * t, t, 1.1 * t)).record(), "how": "best"}
            for tool, t in tools.items()
        },
        "failed": {},
    }


def test_ratios_are_those_of_the_fastest_peer_and_their_mean_is_over_four_tasks():
    names = [task.name for task in tasks.OTHERS]
    results = {name: measured(scratchgen=1e-3, torch=8e-3, jax=2e-3) for name in names[:2]}
    results |= {name: measured(scratchgen=1e-3, torch=8e-3, jax=9e-3) for name in names[2:]}
    results[tasks.STEP[0].name] = measured(scratchgen=1e-3, torch=3e-3)
    result = steps.report(results, 0.0, ["tensorflow: not installed"])
    assert result.data["geometric_mean"] == pytest.approx(4.0)
    assert result.data["ratios"][names[0]] == pytest.approx(2.0)
    text = " ".join(result.text().split())
    assert within_a_terminal(result.text())
    assert "tensorflow: not installed" in text
    assert "2.00 times as fast as jax" in text
    assert "8.00 times as fast as torch" in text
    assert f"{tasks.STEP[0].name}: 3.00 times" in text
    assert "an epoch of 469 steps in 0.47 s" in text
    assert text.endswith("vae-example, iwae, gan, critic (4 of 4 measured): 4.00")


def test_the_efficiency_of_odd_sizes_is_reported_beside_that_of_even_sizes():
    even, odd = tasks.STEP[2], tasks.ODD[2]
    results = {even.name: measured(scratchgen=1e-3), odd.name: measured(scratchgen=1e-3)}
    result = steps.report(results, even.operations() / 1e-3 / 0.5, [])
    assert result.data["of_peak"][even.name] == pytest.approx(0.5)
    ratio = odd.operations() / even.operations()
    assert f"{ratio:.2f} times the efficiency of {even.name}" in " ".join(result.text().split())


def test_the_operations_of_a_step_are_those_of_its_products():
    """784-128-40 and 20-128-784: forward, two products back, but one in the first layer."""
    layers = [784 * 128, 128 * 40, 20 * 128, 128 * 784]
    assert tasks.STEP[2].operations() == 2 * 512 * (3 * sum(layers) - layers[0])


def test_the_sixty_shapes_and_the_two_hundred_are_within_their_bounds_and_always_the_same():
    sixty, many = products.sixty(), products.two_hundred()
    assert (len(sixty), len(many)) == (60, 200)
    assert all(128 <= side <= 1024 for shape in sixty for side in shape)
    assert all(1 <= side <= 2048 for shape in many for side in shape)
    assert sixty == products.sixty()
    assert many == products.two_hundred()
    assert len({*sixty}) == 60
    assert min(map(min, many)) < 4
    assert max(map(max, many)) > 1500


def test_the_summary_of_products_names_the_worst_shape():
    good = {"shape": [128, 128, 128], **{kind: [1e-5, 2e-5] for kind in products.KINDS}}
    bad = {**good, "shape": [200, 300, 400], "x w": [4e-4, 3e-4]}
    peak = 2.0 * 128**3 / 1e-5
    totals = products.summary([good, bad], peak)
    assert totals["ratio"]["median"] == pytest.approx(2.0)
    assert totals["ratio"]["worst"] == pytest.approx(0.75)
    assert (totals["ratio"]["shape"], totals["ratio"]["kind"]) == ([200, 300, 400], "x w")
    assert totals["of_peak"]["worst"] == pytest.approx(2.0 * 200 * 300 * 400 / 4e-4 / peak)
    result = products.report({"1": {"peak": peak, "60": [good, bad], "200": [good]}})
    assert within_a_terminal(result.text())
    assert "worst 0.75 at N 200, I 300, O 400, x w" in " ".join(result.text().split())


def test_our_products_and_numpys_are_equal():
    for kind, (ours, theirs) in products.calls((5, 3, 4)).items():
        expected = theirs().copy()
        into = ours.keywords.get("into")
        product = ours() if into is None else ours() or into
        np.testing.assert_allclose(product, expected, rtol=1e-5, err_msg=kind)


@pytest.fixture
def few_kernels(monkeypatch):
    """What is timed of the kernels: all of them would take a minute to compile."""
    few = {name: with_loops()[name] for name in ("sum_blocks", "take_rows", "ReLU.times_slope")}
    monkeypatch.setattr(elements, "with_loops", lambda: few)
    return few


def test_kernels_with_a_loop_are_timed(few_kernels):
    result = elements.measure(QUICK)
    assert within_a_terminal(result.text())
    if compiles():
        assert set(result.data["measured"]) == {*few_kernels, "standard_normal"}
    else:
        assert "no kernel has a compiled loop" in result.text()


def test_a_case_has_about_the_requested_size():
    for name, kernel in with_loops().items():
        if name in elements.OF_FEW_NUMBERS:
            continue
        first = case(name, 128, 10, "float32", 0)[0]
        assert 640 <= first.size <= 2560, name
        assert kernel.operands.arguments


def test_threads_that_share_a_cpu_are_named():
    assert machine.missing_cpus({1: 100.0, 2: 190.0, 4: 301.0}) == []
    (line,) = machine.missing_cpus({1: 100.0, 2: 93.0})
    assert line.startswith("2 threads reach 0.93 times the peak of one: they did not get 2 CPUs")


def test_a_step_is_taken_apart():
    result = shares.measure(QUICK)
    assert within_a_terminal(result.text())
    if not compiles():
        assert "no compiled loops to measure" in result.text()
        return
    assert len(result.data["tasks"]) == 2
    for title, measured in result.data["tasks"].items():
        task, names = tasks.task(title), [name for name, _ in measured]
        products = (name.removeprefix("product ") for name in names if name.startswith("product"))
        sides = [list(map(int, product.split(" x "))) for product in products]
        assert sum(2 * n * i * o for n, i, o in sides) == task.operations()
        assert f"log_prob_{task.likelihood} {task.batch} x {task.widths()['decoder'][-1]}" in names
        assert names[0] == "Python: fill_standard_normal"
        assert names[-1] == "whole"
        assert all(seconds > 0 for _, seconds in measured)
    parameters = 209464  # of the encoder 105640, and 8 zeros after it to the end of a cache line
    bernoulli = result.data["tasks"][tasks.STEP[0].name]
    assert f"adam_step {parameters + 8}" in [name for name, _ in bernoulli]


def test_a_peer_that_is_not_installed_is_named():
    why = peers.why_not(Settings(), "no_such_package")
    assert why.startswith("no_such_package: not installed here")
    assert "--peers-python" in why
    assert peers.has(sys.executable, "numpy")
    assert not peers.has("no/such/python", "numpy")


def test_a_step_is_measured_through_fit(monkeypatch):
    monkeypatch.setenv("SCRATCHGEN_JIT", "0")
    monkeypatch.setattr(steps, "TOOLS", ("no_such_package",))
    result = steps.measure(QUICK, [tasks.OTHERS[2]])
    (task,) = result.data["tasks"].values()
    assert task["failed"] == {}
    assert task["steps"] == 4
    assert task["tools"]["scratchgen"]["median"] > 0
    assert "no_such_package: not installed here" in result.text()


def test_decoding_is_reported_beside_onnxruntime():
    times = {"model.decode": Times((4e-6,)), "onnxruntime": Times((8e-6,))}
    text = decoding.report(times, []).text()
    assert "2.00" in text
    assert within_a_terminal(text)


def test_starts_are_reported_with_their_range_and_in_units_of_a_loop_beside_the_aim():
    warm = Times((0.2, 0.3, 0.4))
    times = {"import": Times((0.0011, 0.0012, 0.0021)), "first step, warm cache": warm}
    text = start.report(times, Times((0.6,))).text()
    assert re.search(r"1.20 ms +1.10-2.10 ms +0.002 *$", text, re.MULTILINE)
    assert re.search(r"300 ms +200-400 ms +0.5 +0.4$", text, re.MULTILINE)
    assert within_a_terminal(text)


def test_the_command_measures_the_machine(capsys):
    assert cli.main(["bench", "--quick", "machine"]) == 0
    text = capsys.readouterr().out
    assert within_a_terminal(text)
    assert "CPU" in text
    assert "NumPy" in text
    if not compiles():
        assert "no peak is measured" in text


def test_the_command_knows_its_parts_and_takes_no_other(capsys):
    for part in PARTS:
        assert build_parser().parse_args(["bench", part]).part == part
    with pytest.raises(SystemExit):
        cli.main(["bench", "kernel"])
    assert "did you mean 'kernels'?" in " ".join(capsys.readouterr().err.split())


@pytest.mark.skipif(not is_installed("matplotlib"), reason="matplotlib is not installed")
def test_a_file_that_cannot_be_written_is_named_before_anything_is_measured(tmp_path, capsys):
    (tmp_path / "bench.json").mkdir()
    assert cli.main(["bench", "--quick", "kernels", "--out", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    unbroken = "".join(captured.err.split())  # a long path is broken anywhere
    assert "bench.jsoncannotbewritten(Isadirectory)" in unbroken
    assert captured.out == ""


@pytest.mark.skipif(not is_installed("matplotlib"), reason="matplotlib is not installed")
def test_out_writes_the_numbers_and_a_picture(tmp_path, few_kernels, capsys):
    assert cli.main(["bench", "--quick", "kernels", "--out", str(tmp_path / "b")]) == 0
    results = json.loads((tmp_path / "b" / "bench.json").read_text())
    assert results["threads"] == 2
    assert (tmp_path / "b" / "bench.png").stat().st_size > 1000
    assert "bench.json and bench.png are in" in capsys.readouterr().out


@pytest.mark.skipif(not is_installed("matplotlib"), reason="matplotlib is not installed")
def test_everything_measured_can_be_drawn(tmp_path, slow_machine):
    from scratchgen import plots

    entry = {"shape": [8, 8, 8], **{kind: [1e-6, 2e-6] for kind in products.KINDS}}
    tools = measured(scratchgen=1e-3, torch=2e-3, another=3e-3)
    results = {
        "products": {"measured": {"1": {"peak": 1e11, "60": [entry], "200": [entry]}}},
        "kernels": {"measured": {"adam_step": {"reference": 2e-6, "1": 1e-6, "2": 5e-7}}},
        "decoding": {"onnxruntime": Times((1e-5, 2e-5)).record()},
        "steps": {"tasks": {"vae": tools, "gan": measured(torch=1e-3)}},
    }
    plots.draw_bench(results, tmp_path / "bench.png")
    assert (tmp_path / "bench.png").stat().st_size > 10_000


def test_a_process_is_pinned_only_while_the_bench_runs():
    import os

    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system pins no process")
    before = os.sched_getaffinity(0)
    with pinned(1) as cpus:
        assert os.sched_getaffinity(0) == set(cpus)
        assert len(cpus) == 1
    assert os.sched_getaffinity(0) == before
