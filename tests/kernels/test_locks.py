"""A child of fork() does not wait for a lock that a thread of its parent holds."""

import os
import threading

import pytest

from scratchgen.kernels.locks import Lock


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork()")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_lock_is_free_in_a_child_of_fork():
    lock, held, done = Lock(), threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if child == 0:
        os._exit(0 if lock._lock.acquire(blocking=False) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert not lock._lock.acquire(blocking=False)
    done.set()
    thread.join()


def test_a_thread_may_take_a_lock_that_it_holds():
    lock = Lock()
    with lock, lock:
        pass
