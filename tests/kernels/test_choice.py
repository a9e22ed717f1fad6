"""Who computes a product is chosen by measured times, which are kept, shown and overruled.

The times are invented here: no test depends on how fast this machine is.
"""

import json

import numpy as np
import pytest
from test_formulas import run

import scratchgen as sg
from scratchgen import kernels
from scratchgen.ground.errors import OptionError
from scratchgen.kernels import choice, machine_files, product_trials, sharing, thread_count, trials
from scratchgen.kernels.formulas import by_loops, numba_works
from scratchgen.kernels.recording import Call, recording

needs_numba = pytest.mark.skipif(
    not numba_works(), reason="numba is not installed, or switched off: NumPy multiplies"
)
SLOWER, FASTER = 1e-5, 1e-6  # seconds


def times(*by_numpy: str, unsure: tuple[str, ...] = ()) -> dict:
    """Times by which NumPy multiplies those kinds and forms."""
    return {
        "seconds": {
            name: [SLOWER, FASTER] if name in by_numpy else [FASTER, SLOWER]
            for name in choice.MEASURED
        },
        "sure": [name for name in choice.MEASURED if name not in unsure],
        "threads": 2,
        "took": 0.04,
    }


@pytest.fixture(autouse=True)
def no_arm(monkeypatch):
    """The tests are of a CPU on which a tie is the loop's, unless they say another."""
    monkeypatch.setattr(choice, "is_numpys_unless_measured", lambda: False)


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine on which nothing was measured; `machine.times` are what a measurement gives."""

    class Machine:
        def __init__(self):
            self.times, self.measured = times(), []
            self.file = tmp_path / "products-float32.json"

        def measure(self, char):
            self.measured.append(char)
            return self.times

        def restart(self):
            monkeypatch.setattr(choice, "_of_process", {})
            monkeypatch.setattr(choice, "_values", {})

    invented = Machine()
    monkeypatch.delenv("SCRATCHGEN_PRODUCTS", raising=False)
    monkeypatch.setattr(product_trials, "measure", invented.measure)
    monkeypatch.setattr(thread_count, "settle", lambda char, until_sure=False: None)
    monkeypatch.setattr(choice, "has_tiles", lambda: True)
    monkeypatch.setattr(machine_files, "path_of", lambda name: tmp_path / f"{name}.json")
    invented.restart()
    return invented


def by_numpy(rows: int, depth: int, columns: int, form: str = "x w") -> bool:
    return choice.numpy_multiplies(form, "f", rows, depth, columns)


@pytest.mark.parametrize(
    ("sizes", "kind"),
    [
        ((63, 64, 65), "small"),
        ((1, 512, 511), "small"),
        ((64, 64, 64), "square"),
        ((47, 90, 90), "thin"),
        ((48, 90, 90), "square"),
        ((1, 512, 512), "thin"),
        ((100, 399, 200), "square"),
        ((100, 400, 200), "long"),
        ((784, 128, 128), "long"),
        ((768, 768, 768), "square"),
    ],
)
def test_a_product_is_of_the_kind_that_its_sides_say_in_any_order(sizes, kind):
    rows, depth, columns = sizes
    for turned in (sizes, (depth, columns, rows), (columns, rows, depth)):
        assert choice.kind_of(*turned) == kind


def test_the_products_that_are_timed_are_of_the_kinds_that_they_stand_for():
    for kind, shape in product_trials.SHAPES.items():
        assert choice.kind_of(*shape) == kind


@pytest.mark.parametrize("unsure", [(), ("long x w",)])
@pytest.mark.parametrize("numpy", [0.5, 0.9, 0.92, 1.0, 2.0])
def test_numpy_multiplies_where_it_is_clearly_faster_and_that_is_sure(numpy, unsure):
    values = times(unsure=unsure)
    values["seconds"]["long x w"] = [1e-5, numpy * 1e-5]
    expected = {"long x w"} if numpy <= 0.9 and not unsure else set()
    assert choice.by_measurement(values) == expected


def test_a_product_that_was_not_timed_is_the_loops():
    values = times(unsure=("long x w",))
    values["seconds"]["long x w"] = [1e-5, None]
    assert choice.by_measurement(values) == set()


def test_on_arm_the_loop_multiplies_only_where_it_is_clearly_faster(monkeypatch):
    monkeypatch.setattr(choice, "is_numpys_unless_measured", lambda: True)
    values = times(unsure=("long dy w^T",))
    values["seconds"] = {name: [1e-5, 1.05e-5] for name in choice.MEASURED}
    assert choice.by_measurement(values) == choice.ALL
    for name in ("square x w", "long dy w^T", "thin x^T dy"):
        values["seconds"][name] = [1e-5, 2e-5]
    ours = choice.ALL - choice.by_measurement(values)
    assert ours == {"square x w", "thin x^T dy", "small x^T dy"}


def test_each_kind_and_form_has_its_own_choice(machine):
    machine.times = times("square x w", "thin dy w^T")
    assert by_numpy(100, 100, 100)
    assert not by_numpy(100, 100, 100, "dy w^T")
    assert not by_numpy(100, 100, 400)
    assert by_numpy(20, 512, 512, "dy w^T")
    assert machine.measured == ["f"]


def test_small_products_are_the_loops_and_nothing_is_measured_for_them(machine):
    machine.times = times(*choice.MEASURED)
    assert not by_numpy(20, 20, 20)
    assert machine.measured == []
    assert by_numpy(20, 512, 512)
    assert not by_numpy(20, 20, 20)


def test_what_was_measured_is_kept_for_the_next_process(machine):
    machine.times = times("square x w")
    assert by_numpy(100, 100, 100)
    machine.restart()
    machine.times = times()
    assert by_numpy(100, 100, 100)
    assert machine.measured == ["f"]


def damaged(content: dict) -> list[bytes]:
    """Files that hold something else than `content`."""
    values = content["values"]
    changed = [
        {"values": None},
        {"values": {**values, "seconds": {}}},
        {"values": {**values, "seconds": {name: [-1, 1] for name in choice.MEASURED}}},
        {"values": {**values, "seconds": {name: ["a", 1] for name in choice.MEASURED}}},
        {"values": {**values, "seconds": {name: [None, 1] for name in choice.MEASURED}}},
        {"values": {**values, "sure": ["round x w"]}},
        {"values": {**values, "sure": 3}},
        {"conditions": {"numpy": "0.1"}},
    ]
    text = json.dumps(content).encode()
    others = [json.dumps({**content, **change}).encode() for change in changed]
    return [b"", b"\xff\xfe", b"null", b"[" * 90_000, text[: len(text) // 2], *others]


def test_a_damaged_file_and_one_of_other_conditions_are_measured_again(machine):
    machine.times = times("square x w")
    assert by_numpy(100, 100, 100)
    content = machine.file.read_bytes()
    for i, wrong in enumerate(damaged(json.loads(content)), start=2):
        machine.file.write_bytes(wrong)
        machine.restart()
        assert by_numpy(100, 100, 100), wrong[:100]
        assert len(machine.measured) == i, wrong[:100]
        assert machine.file.read_bytes() == content


def test_without_a_folder_each_process_measures(machine, monkeypatch):
    monkeypatch.setattr(machine_files, "path_of", lambda name: None)
    machine.times = times("square x w")
    assert by_numpy(100, 100, 100)
    assert "square x w" in choice.text_of("f")
    assert len(machine.measured) == 1
    machine.restart()
    machine.times = times()
    assert not by_numpy(100, 100, 100)


def test_a_file_that_cannot_be_written_is_no_error(machine, monkeypatch, tmp_path):
    monkeypatch.setattr(machine_files, "path_of", lambda name: tmp_path / "missing" / name)
    machine.times = times("square x w")
    assert by_numpy(100, 100, 100)


def test_of_two_processes_that_measure_at_the_same_time_the_first_to_write_decides(machine):
    machine.times = times()

    def slower(char):
        machine_files.keep("products-float32", times("square x w"))  # the other process
        return machine.times

    product_trials.measure = slower
    assert by_numpy(100, 100, 100)


def test_times_that_are_not_sure_stay_until_they_are_asked_for_again(machine):
    machine.times = times("square x w", unsure=("square x w",))
    assert not by_numpy(100, 100, 100)
    machine.times = times("square x w")
    machine.restart()
    assert not by_numpy(100, 100, 100)
    choice.measured("f", until_sure=True)
    machine.times = times()
    choice.measured("f", until_sure=True)
    machine.restart()
    assert by_numpy(100, 100, 100)


def test_with_the_products_the_number_of_threads_is_measured_again_too(machine, monkeypatch):
    asked = []
    settle = lambda _char, until_sure=False: asked.append(until_sure)  # noqa: E731
    monkeypatch.setattr(thread_count, "settle", settle)
    choice.measured("f")
    choice.measured("f", until_sure=True)
    assert asked == [False, True]
    assert machine.measured == ["f"]


def test_the_variable_overrules_the_times(machine, monkeypatch):
    machine.times = times("square x w")
    monkeypatch.setenv("SCRATCHGEN_PRODUCTS", "ours")
    assert not by_numpy(100, 100, 100)
    machine.restart()
    monkeypatch.setenv("SCRATCHGEN_PRODUCTS", "numpy")
    assert by_numpy(100, 100, 400)
    assert by_numpy(2, 2, 2)
    assert machine.measured == []
    machine.restart()
    monkeypatch.setenv("SCRATCHGEN_PRODUCTS", "mine")
    with pytest.raises(OptionError, match="SCRATCHGEN_PRODUCTS=mine: wants ours or numpy"):
        by_numpy(100, 100, 100)


def test_a_block_overrules_the_times_and_the_variable(machine, monkeypatch):
    monkeypatch.setenv("SCRATCHGEN_PRODUCTS", "ours")
    with choice.products_by("numpy"):
        assert by_numpy(2, 2, 2)
        with choice.products_by(["long x w"]):
            assert by_numpy(100, 100, 400)
            assert not by_numpy(100, 100, 100)
            assert choice.now("f") == ["long x w"]
        assert choice.now("f") == "numpy"
    assert not by_numpy(2, 2, 2)


def test_without_vectors_of_ours_numpy_multiplies_whatever_is_wanted(machine, monkeypatch):
    monkeypatch.setattr(choice, "has_tiles", lambda: False)
    with choice.products_by("ours"):
        assert by_numpy(100, 100, 100)
        assert choice.now("f") == "numpy"
    assert machine.measured == []


def test_the_choice_is_shown_with_its_times_and_how_sure_they_are(machine, monkeypatch):
    machine.times = times("square x w", "thin x w", unsure=("thin x w",))
    assert choice.text_of("f") == (
        "NumPy's for square x w, else ours; NumPy's time / ours 0.10 to 10.00; 1 of 9 not sure, "
        "because CPUs were busy"
    )
    machine.restart()
    monkeypatch.setenv("SCRATCHGEN_PRODUCTS", "numpy")
    assert choice.text_of("f") == "numpy, by SCRATCHGEN_PRODUCTS"
    monkeypatch.setattr(choice, "has_tiles", lambda: False)
    assert choice.text_of("f") == "numpy: this CPU has no vectors for tiles"


@pytest.mark.parametrize("record", ["ours", "numpy", ["long x w", "square x^T dy"]])
def test_a_record_says_what_was_chosen(record):
    assert choice.to_record(choice.from_record(record)) == record


@pytest.mark.parametrize("wrong", ["mine", None, 3, ["long"], [["long x w"]], {"long x w": 1}])
def test_what_is_no_record_is_refused(wrong):
    with pytest.raises(OptionError, match="wants ours, numpy, or a list"):
        choice.from_record(wrong)


@needs_numba
@pytest.mark.parametrize("record", ["ours", "numpy", ["square x^T dy"]])
def test_products_run_as_they_were_chosen(record):
    rng = np.random.default_rng(0)
    x, w, dy = (rng.standard_normal(shape) for shape in ((70, 80), (80, 90), (70, 90)))
    into = np.zeros((80, 90))
    with by_loops(), sg.products_by(record), recording() as notes:
        kernels.times(x, w)
        kernels.add_outer(x, dy, into)
        kernels.times_transpose(dy, w)
    numpy = choice.from_record(record)
    by_loop = [isinstance(event, Call) for event in notes.events]
    assert by_loop == [f"square {form}" not in numpy for form in product_trials.FORMS]


@pytest.mark.parametrize("form", product_trials.FORMS)
@needs_numba
def test_both_sides_of_a_trial_compute_the_same(form):
    trial = product_trials.trial(form, (20, 60, 40), "d")
    result = trial.call.args[3]
    trial.numpy()
    expected = result.copy()
    assert expected.any()
    for way in (trial.alone, trial.together(2)):
        result[:] = np.nan
        way()
        np.testing.assert_allclose(result, expected, rtol=1e-12)


@needs_numba
def test_a_measurement_without_time_can_be_kept_and_leaves_all_products_to_the_loop(monkeypatch):
    monkeypatch.setattr(product_trials, "SECONDS", 0.0)
    for char in "fd":
        values = product_trials.measure(char)
        assert choice.is_measurement(json.loads(json.dumps(values)))
        assert values["seconds"].keys() == set(choice.MEASURED)
        assert values["sure"] == []
        assert choice.by_measurement(values) == choice.NONE


def invented(**ways: list[float]) -> product_trials.Trial:
    return product_trials.Trial(None, None, times=ways)


def test_the_loops_time_is_that_of_its_faster_way():
    each = invented(alone=[2.0, 2.1], again=[2.2, 2.2], together=[4.0, 3.0, 3.1], numpy=[2.0, 2.1])
    assert each.seconds() == (1.0, 2.0)
    assert each.is_sure()


SURE = {"alone": [2.0, 2.0], "again": [2.0, 2.0], "together": [3.0, 3.0], "numpy": [1.0, 1.0]}


@pytest.mark.parametrize(
    "disturbed",
    [
        {"alone": [2.0, 3.0]},  # the shortest was seen only once
        {"numpy": [1.0]},
        {"numpy": []},
        {"together": [2.0, 3.0]},
        {"together": [9.0, 9.0]},  # threads waited
        {"again": [3.0, 3.0]},  # somebody came
        {"again": [1.0, 1.0]},  # somebody went
        {"again": []},
    ],
)
def test_times_that_others_disturbed_are_not_sure(disturbed):
    assert invented(**SURE).is_sure()
    assert not invented(**{**SURE, **disturbed}).is_sure()


def test_times_while_another_thread_of_python_had_the_threads_are_not_sure():
    each = invented(**SURE)
    assert each.is_sure()
    each.was_alone = True
    assert not each.is_sure()


def test_ways_take_turns_until_the_time_is_up(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(trials.time, "perf_counter", lambda: next(clock))
    ran = []
    ways = {name: lambda name=name: ran.append(name) for name in "ab"}
    assert trials.in_turns(ways, seconds=5) == {"a": [1, 1, 1, 1], "b": [1, 1]}
    assert "".join(ran) == "aabbaa"


COUNTS = {"8": 3.0, "4": 2.0}


@pytest.fixture
def eight_cpus(monkeypatch, tmp_path):
    """Eight CPUs on four cores, and invented times for 8 and 4 threads."""
    measured = []

    def measure(counts, char):
        measured.append(counts)
        return {"seconds": dict(COUNTS), "sure": True}

    monkeypatch.setattr(sharing, "most_by_default", lambda: 8)
    monkeypatch.setattr(sharing, "_default", None)
    monkeypatch.setattr(sharing, "_of_process", 0)
    monkeypatch.setattr(sharing, "available", lambda n: n)
    monkeypatch.setattr(thread_count, "cores", lambda: 4)
    monkeypatch.setattr(thread_count, "measure", measure)
    monkeypatch.setattr(machine_files, "path_of", lambda name: tmp_path / f"{name}.json")
    return measured


def test_the_number_of_threads_is_measured_once_and_kept(eight_cpus, monkeypatch):
    assert sharing.threads_now() == 8
    thread_count.settle("f")
    assert sharing.threads_now() == 4
    monkeypatch.setattr(sharing, "_default", None)
    thread_count.settle("d")
    assert sharing.threads_now() == 4
    assert eight_cpus == [[8, 4]]


def test_a_number_of_threads_that_somebody_names_overrules_the_measured_one(
    eight_cpus, monkeypatch
):
    thread_count.settle("f")
    with sg.threads(3):
        assert sharing.threads_now() == 3
    monkeypatch.setattr(sharing, "_of_process", None)
    monkeypatch.setenv("SCRATCHGEN_THREADS", "5")
    assert sharing.threads_now() == 5
    sg.set_threads(6)
    thread_count.settle("f")
    assert sharing.threads_now() == 6


@pytest.mark.parametrize(
    ("seconds", "sure", "expected"),
    [
        ({"8": 3.0, "4": 2.0}, True, 4),
        ({"8": 3.0, "4": 2.0}, False, 8),
        ({"8": 3.0, "4": 2.9}, True, 8),  # a tie
        ({"8": 3.0, "6": 1.9, "4": 2.0}, True, 6),
        ({"8": 3.0, "4": 4.0}, True, 8),
    ],
)
def test_fewer_threads_are_taken_where_they_are_clearly_faster(seconds, sure, expected, eight_cpus):
    assert thread_count.taken({"seconds": seconds, "sure": sure}) == expected


@pytest.mark.parametrize(
    "values",
    [{"seconds": {}, "sure": True}, {"seconds": {"4": 1.0}, "sure": True}, {"sure": False}],
)
def test_a_damaged_number_of_threads_is_measured_again(values, eight_cpus):
    machine_files.keep(thread_count.NAME, values)
    thread_count.settle("f")
    assert sharing.threads_now() == 4
    assert eight_cpus == [[8, 4]]


def test_with_few_cpus_no_number_of_threads_is_measured(eight_cpus, monkeypatch):
    monkeypatch.setattr(sharing, "most_by_default", lambda: 3)
    assert thread_count.settle("f") is None
    assert eight_cpus == []
    assert sharing.threads_now() == 3


@needs_numba
def test_numbers_of_threads_can_be_measured():
    values = thread_count.measure([2, 1], "f")
    assert set(values["seconds"]) <= {"1", "2"}


ALONE = """
import os
del os.environ["SCRATCHGEN_PRODUCTS"]
from scratchgen.kernels import choice, machine_files, product_trials
from scratchgen.kernels.native.caching import folder
product_trials.SECONDS = 0.0
"""


@needs_numba
def test_the_file_lies_beside_the_compiled_kernels(tmp_path):
    code = f"""{ALONE}
print(choice.now("f"))
path = machine_files.path_of("products-float32")
print(path.exists(), path.parent == folder())
"""
    assert run(code, NUMBA_CACHE_DIR=str(tmp_path)).split() == ["ours", "True", "True"]


@needs_numba
def test_a_cpu_without_vectors_of_ours_leaves_products_to_numpy():
    code = f'{ALONE}print(choice.now("f"), choice.no_loop_because())'
    line = run(code, SCRATCHGEN_VECTOR_BITS="0")
    assert line == "numpy this CPU has no vectors for tiles"
