"""Compiled kernels on disk: used again, and never trusted more than they deserve."""

import os
from pathlib import Path

import pytest
from test_twins import run

from scratchgen.kernels.twins import numba_works

pytestmark = pytest.mark.skipif(
    not numba_works(), reason="numba is not installed, or switched off: nothing is compiled"
)

KERNEL = """
import numpy as np, sys
from scratchgen import kernels
from scratchgen.kernels.twins import twins
x, into = np.ones((3, 4), np.float32), np.zeros(4, np.float32)
with twins():
    kernels.sum_rows(x, into)
print(into.tolist())
"""
RIGHT = "[3.0, 3.0, 3.0, 3.0]"


@pytest.fixture
def cache(tmp_path):
    return {"NUMBA_CACHE_DIR": str(tmp_path)}


def files(cache: dict) -> dict[Path, bytes]:
    found = Path(cache["NUMBA_CACHE_DIR"]).rglob("*.nb[ic]")
    return {path: path.read_bytes() for path in sorted(found)}


def test_what_was_compiled_is_used_again_and_what_is_damaged_is_not(cache):
    assert run(KERNEL, **cache) == RIGHT
    written = files(cache)
    assert written
    times = {path: path.stat().st_mtime_ns for path in written}
    assert run(KERNEL, **cache) == RIGHT
    assert {path: path.stat().st_mtime_ns for path in written} == times
    for path, content in written.items():
        path.write_bytes(content[: len(content) // 2])
    assert run(KERNEL, **cache) == RIGHT


def test_a_disk_that_is_full_does_not_stop_training(cache):
    code = f"""
from numba.core import caching
def full(*_):
    raise OSError(28, "No space left on device")
caching.IndexDataCacheFile.save = full
{KERNEL}
"""
    assert run(code, **cache) == RIGHT
    assert not files(cache)


def test_without_a_home_or_a_place_to_write_kernels_are_compiled_each_time():
    code = f"""
from scratchgen.kernels.native import caching
assert caching.folder() is None, caching.folder()
{KERNEL}
"""
    nowhere = {"XDG_CACHE_HOME": "", "NUMBA_CACHE_DIR": "", "HOME": "/dev/null"}
    assert run(code, **nowhere, NUMBA_THREADING_LAYER="workqueue") == RIGHT


def test_the_folder_is_named_by_the_sources_of_all_kernels(monkeypatch, tmp_path):
    from scratchgen.kernels.native import caching

    before = caching._key()
    assert before == caching._key()
    read = Path.read_bytes
    monkeypatch.setattr(
        Path, "read_bytes", lambda path: read(path) + (b"#" if path.name == "rows.py" else b"")
    )
    assert caching._key() != before


def test_the_place_is_the_one_that_is_asked_for(monkeypatch, tmp_path):
    from scratchgen.kernels.native import caching

    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        folder = caching.folder.__wrapped__()
        assert folder.is_relative_to(tmp_path / name)
        monkeypatch.delenv(name)
    if os.name == "posix":
        assert caching.folder.__wrapped__().is_relative_to(tmp_path / "HOME" / ".cache")
