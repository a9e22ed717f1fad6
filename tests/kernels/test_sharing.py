"""Threads: how many, and that nothing goes wrong where there can be none."""

import os
import threading

import numpy as np
import pytest
from test_twins import needs_numba, run

import scratchgen as sg
from scratchgen.errors import OptionError
from scratchgen.kernels import sharing

# trains a model that is large enough for two threads, and prints a sum of its weights
TRAIN = """
import numpy as np, scratchgen as sg
def train():
    x = np.random.default_rng(0).random((300, 20, 20, 1), dtype=np.float32)
    model = sg.models.vae((20, 20, 1), hidden=(64,), latent=4, rng=0)
    sg.fit(model, x, epochs=1, batch_size=100, seed=0)
    return model.players["vae"].vector.tobytes().hex()[:4000]
"""


@pytest.fixture(scope="module")
def wanted():
    return run(TRAIN + "print(train())", SCRATCHGEN_THREADS="1")


@needs_numba
@pytest.mark.parametrize("threads", ["2", "3"])
def test_training_does_not_depend_on_the_number_of_threads(threads, wanted):
    assert run(TRAIN + "print(train())", SCRATCHGEN_THREADS=threads) == wanted


@needs_numba
@pytest.mark.parametrize("layer", ["default", "workqueue"])
def test_several_threads_of_python_may_train_at_once(layer, wanted):
    code = """
import threading
found = []
threads = [threading.Thread(target=lambda: found.append(train())) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(found), *set(found))
"""
    out = run(TRAIN + code, SCRATCHGEN_THREADS="2", NUMBA_THREADING_LAYER=layer)
    assert out == f"4 {wanted}"


@needs_numba
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("layer", ["default", "workqueue"])
def test_a_child_of_fork_trains_on_one_thread(layer, wanted):
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
    out = run(
        TRAIN + code, SCRATCHGEN_THREADS="2", NUMBA_THREADING_LAYER=layer, PYTHONUNBUFFERED="1"
    )
    assert out.split() == [wanted, wanted, "7"]


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
def test_a_number_of_threads_that_is_none_is_refused(given, monkeypatch):
    monkeypatch.setattr(sharing, "_of_process", None)
    monkeypatch.setenv("SCRATCHGEN_THREADS", given)
    with pytest.raises(OptionError, match="SCRATCHGEN_THREADS"):
        sharing.threads_now()


@pytest.mark.parametrize("setting", [sg.set_threads, lambda n: sg.threads(n).__enter__()])
@pytest.mark.parametrize("given", [0, 1.5, "2", True])
def test_a_setting_that_is_no_number_is_refused(setting, given):
    with pytest.raises(OptionError, match="wants a whole number of at least 1"):
        setting(given)


def test_who_does_not_get_the_lock_runs_alone(monkeypatch):
    ran = []
    monkeypatch.setattr(sharing, "_in_parallel", lambda task, parts: task(parts))
    monkeypatch.setattr(sharing, "_alone_for", 0)

    def inner(parts):
        ran.append(("inner", parts))

    def outer(parts):
        sharing.run(inner, 4, 1, inner)
        ran.append(("outer", parts))

    sharing.run(outer, 4, 1, outer)
    assert ran == [("inner", 1), ("outer", 4)]


def test_on_a_busy_machine_calls_run_alone_for_a_while(monkeypatch):
    ran, clock = [], iter(range(10**6))
    lasts = {"seconds": 0.0}
    monkeypatch.setattr(sharing, "_in_parallel", lambda task, parts: task(parts))
    times = (now + half * lasts["seconds"] for now in clock for half in (0, 1))
    monkeypatch.setattr(sharing.time, "perf_counter", lambda: next(times))
    monkeypatch.setattr(sharing, "_alone_for", 0)
    monkeypatch.setattr(sharing, "_next_alone", 2)
    monkeypatch.setattr(sharing, "_quick", 0)
    monkeypatch.setattr(sharing, "FIRST", 2)

    def task(parts):
        ran.append(parts)

    for lasts["seconds"] in (2.0, 1e-4, 1e-4, 2e-3, 1e-4):  # the first may have been compiled
        sharing.run(task, 2, 1000, task)
    lasts["seconds"] = 5e-2
    sharing.run(task, 2, 10**6, task)  # long, but so is the work
    assert ran == [2] * 6
    # after two calls that take too long, ever more alone; after as many good ones, fewer
    for lasts["seconds"] in (5e-3, *(1e-4,) * 4, 5e-3, *(1e-4,) * 12, 5e-3, *(1e-4,) * 4):
        sharing.run(task, 2, 1000, task)
    assert ran[6:] == [2, 1, 1, 2, 2, 2, *(1,) * 4, *(2,) * 8, 2, *(1,) * 4]


@pytest.mark.parametrize("count", [0, 1, 7, 1000, 1023])
@pytest.mark.parametrize("parts", [1, 2, 3, 8])
@pytest.mark.parametrize("share", [sharing.share, sharing.share_row])
def test_everything_is_shared_out_once(share, count, parts):
    taken = np.zeros(count, int)
    for part in range(parts):
        start, stop = share(count, part, parts)
        taken[start:stop] += 1
    assert (taken == 1).all()
