"""Results do not depend on the number of threads, and nothing fails without threads."""

import functools
import os
import re
import subprocess
import sys
import threading

import numpy as np
import pytest
from test_formulas import needs_numba, run

import scratchgen as sg
from scratchgen.ground.errors import OptionError
from scratchgen.kernels import sharing

# train() trains a model that is large enough for two threads, and returns its first weights
TRAIN = """
import numpy as np, scratchgen as sg
def train():
    x = np.random.default_rng(0).random((300, 20, 20, 1), dtype=np.float32)
    model = sg.models.vae((20, 20, 1), hidden=(64,), latent=4, rng=0)
    sg.fit(model, x, epochs=1, batch_size=100, seed=0)
    return model.vector.tobytes().hex()[:4000]
"""


@pytest.fixture(scope="module")
def expected():
    return run(TRAIN + "print(train())", SCRATCHGEN_THREADS="1")


# with a layer named, numba is imported and starts the threads; otherwise its library for OpenMP is
LAYERS = [{}, {"NUMBA_THREADING_LAYER": "default"}, {"NUMBA_THREADING_LAYER": "workqueue"}]


@needs_numba
@pytest.mark.parametrize("threads", ["2", "3"])
def test_training_does_not_depend_on_the_number_of_threads(threads, expected):
    assert run(TRAIN + "print(train())", SCRATCHGEN_THREADS=threads) == expected


@needs_numba
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_several_python_threads_may_train_at_the_same_time(layer, expected):
    code = """
import threading
found = []
threads = [threading.Thread(target=lambda: found.append(train())) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(found), *set(found))
"""
    out = run(TRAIN + code, SCRATCHGEN_THREADS="2", **layer)
    assert out == f"4 {expected}"


@needs_numba
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_a_users_own_loops_of_numba_keep_their_number_of_threads(layer, expected):
    code = "train(); import numba; print(numba.get_num_threads())"
    out = run(TRAIN + code, SCRATCHGEN_THREADS="2", NUMBA_NUM_THREADS="3", **layer)
    assert out == "3"


@needs_numba
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_a_forked_process_trains_on_one_thread(layer, expected):
    code = """
import os, warnings
warnings.simplefilter("ignore")  # Python warns of forks beside threads
print(train())
if child := os.fork():
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
else:
    print(train(), flush=True)
    os._exit(7)
"""
    out = run(TRAIN + code, SCRATCHGEN_THREADS="2", PYTHONUNBUFFERED="1", **layer)
    assert out.split() == [expected, expected, "7"]


@needs_numba
@pytest.mark.parametrize("spin_count", [None, "777"])
def test_threads_that_wait_give_up_soon_unless_a_variable_says_otherwise(spin_count):
    """GNU's OpenMP prints its settings."""
    environment = {**os.environ, "SCRATCHGEN_THREADS": "2", "OMP_DISPLAY_ENV": "verbose"}
    environment |= {} if spin_count is None else {"GOMP_SPINCOUNT": spin_count}
    code = """
from scratchgen.kernels import sharing
sharing.run(print, 2)
import os
print(os.environ.get("GOMP_SPINCOUNT"))
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2", str(spin_count)]  # the variable is restored
    shown = re.findall("GOMP_SPINCOUNT = '(.*)'", done.stderr)
    if not shown:
        pytest.skip("numba does not use GNU's OpenMP here")
    assert shown == [spin_count or "10000"]


def test_the_number_of_threads_is_a_setting(monkeypatch):
    monkeypatch.setattr(sharing, "_of_process", None)
    monkeypatch.setenv("SCRATCHGEN_THREADS", "3")
    assert sharing.threads_now() == 3
    sg.set_threads(2)
    seen = []
    with sg.threads(5):
        seen.append(sharing.threads_now())
        with sg.threads(1):
            seen.append(sharing.threads_now())
        other = threading.Thread(target=lambda: seen.append(sharing.threads_now()))
        other.start()
        other.join()
    assert (seen, sharing.threads_now()) == ([5, 1, 2], 2)


@pytest.mark.parametrize("given", ["0", "-1", "two", "1.5", "", "257"])
def test_the_number_of_threads_in_the_environment_must_be_a_whole_number_above_0(
    given, monkeypatch
):
    monkeypatch.setattr(sharing, "_of_process", None)
    monkeypatch.setenv("SCRATCHGEN_THREADS", given)
    with pytest.raises(OptionError, match="SCRATCHGEN_THREADS"):
        sharing.threads_now()


@pytest.mark.parametrize("setting", [sg.set_threads, lambda n: sg.threads(n).__enter__()])
@pytest.mark.parametrize("given", [0, 1.5, "2", True])
def test_a_number_of_threads_must_be_a_whole_number_above_0(setting, given):
    with pytest.raises(OptionError, match="wants a whole number of at least 1"):
        setting(given)


def test_a_thread_that_does_not_get_the_lock_runs_alone(monkeypatch):
    ran = []
    monkeypatch.setattr(sharing, "launch", lambda: True)
    monkeypatch.setattr(sharing, "available", lambda n: n)

    def inner(parts):
        ran.append(("inner", parts))

    def outer(parts):
        sharing.run(inner, 4, sharing.FasterWay())
        ran.append(("outer", parts))

    sharing.run(outer, 4, sharing.FasterWay())
    assert ran == [("inner", 1), ("outer", 4)]


def ways_taken(ways, calls, alone, together, first=0.0):
    """The way of each call, T or A; the first call after a change of way takes `first` more."""
    taken = []
    for _ in range(calls):
        way = "T" if ways.choose() else "A"
        changed = bool(taken) and taken[-1] != way
        ways.took((together if way == "T" else alone) + first * changed)
        taken.append(way)
    return "".join(taken)


@pytest.mark.parametrize("first", [0.0, 50.0])
def test_the_faster_way_is_taken_and_the_other_tried_less_and_less_often(first):
    ways = sharing.FasterWay()
    taken = ways_taken(ways, 60_000, alone=2.0, together=1.0, first=first)
    assert taken.startswith("T" * 8 + "AAAA" + "T" * 16 + "AAAA" + "T" * 32 + "AAAA")
    assert taken.count("A") < 300
    assert taken[-1034:].count("A") >= 4  # but it is tried for ever

    # other programs use the CPUs now: the way changes at the first call that is worse on average
    taken = ways_taken(ways, 3000, alone=2.0, together=50.0, first=first)
    assert taken.startswith("T" + "A" * 8 + "TT" + "A" * 16 + "TT" + "A" * 32)
    assert taken.count("T") < 20

    # other programs have ended
    taken = ways_taken(ways, 30_000, alone=2.0, together=1.0, first=first)
    assert "A" not in taken[1100:1104]  # at the first trial
    assert taken[1100:].count("A") < 200


def test_a_single_slow_call_does_not_change_much():
    ways = sharing.FasterWay()
    ways_taken(ways, 5000, alone=2.0, together=1.0)
    assert ways_taken(ways, 1, alone=2.0, together=100.0) == "T"
    taken = ways_taken(ways, 500, alone=2.0, together=1.0)
    assert taken.startswith("A" * 8 + "T" * 12 + "AAAA" + "T" * 16)


def test_a_task_gets_several_parts_and_one_part_in_a_trial(monkeypatch):
    ran = []
    monkeypatch.setattr(sharing, "launch", lambda: True)
    monkeypatch.setattr(sharing, "available", lambda n: n)
    ways = sharing.FasterWay()
    for _ in range(13):
        sharing.run(ran.append, 3, ways)
    assert len(ran) == 13
    assert ran[:12] == [3] * 8 + [1] * 4


@pytest.mark.parametrize("count", [0, 1, 7, 1000, 1023])
@pytest.mark.parametrize("parts", [1, 2, 3, 8])
@pytest.mark.parametrize("share", [sharing.share, sharing.share_row])
def test_every_number_belongs_to_exactly_one_part(share, count, parts):
    taken = np.zeros(count, int)
    for part in range(parts):
        start, stop = share(count, part, parts)
        taken[start:stop] += 1
    assert (taken == 1).all()


@needs_numba
def test_without_a_threading_layer_a_task_runs_on_one_thread_with_a_warning(monkeypatch):
    def missing():
        raise ValueError("No threading layer could be loaded.\nHINT:\n...")

    monkeypatch.setattr("scratchgen.kernels.native.threads.pool", missing)
    monkeypatch.setenv("NUMBA_THREADING_LAYER", "tbb")
    monkeypatch.setattr(sharing, "launch", functools.cache(sharing.launch.__wrapped__))
    ran = []
    with pytest.warns(RuntimeWarning, match="NUMBA_THREADING_LAYER=tbb: No threading"):
        sharing.run(ran.append, 2)
    sharing.run(ran.append, 2)  # without a second warning
    assert ran == [1, 1]
