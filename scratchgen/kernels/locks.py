"""A child of fork() has none of its parent's threads, so it must not wait for their locks.

LOCK = Lock()           for a `with` in any thread, more than once in the same thread
"""

import os
import threading
from typing import Any


class Lock:
    """A reentrant lock that nobody holds in a child of fork()."""

    def __init__(self) -> None:
        self._renew()
        if hasattr(os, "register_at_fork"):  # Windows has none
            os.register_at_fork(after_in_child=self._renew)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: Any) -> None:
        self._lock.release()

    def _renew(self) -> None:
        self._lock = threading.RLock()
