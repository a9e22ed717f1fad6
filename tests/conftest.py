"""Hypothesis profiles, and fixtures that several rooms share.

python -m pytest                                    the loaded profile: no deadline
HYPOTHESIS_PROFILE=thorough python -m pytest        thirty times the examples
CI=true python -m pytest                            the same examples every time

All tests run in a process for each CPU where pytest-xdist is installed; -n 0 keeps them in one.
"""

import gc
import itertools
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

# The matrices of the tests are small: more threads would gain nothing, and lose much where other
# programs run. It must be said before NumPy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("SCRATCHGEN_THREADS", "1")

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import scratchgen as sg
from scratchgen.data import sources
from scratchgen.gradcheck.certificate import certify
from scratchgen.gradcheck.reports.report import Report
from scratchgen.kernels import compiling
from scratchgen.kernels.sharing import usable_cpus

BESIDE = pytest.StashKey[tuple[subprocess.Popen, Path]]()  # the process, and what it leaves
REPORTS = "SCRATCHGEN_TESTS_REPORTS"  # the file's name, for pytest's processes
WORKER = "PYTEST_XDIST_WORKER"  # set in each of these
MOST_PROCESSES = 8
COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", max_examples=8, **COMMON)
settings.register_profile("ci", max_examples=8, derandomize=True, **COMMON)
settings.register_profile("thorough", max_examples=250, **COMMON)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "default")
)


def is_of_all(config: pytest.Config) -> bool:
    """Whether this is the process that was asked for all tests, and where there are CPUs for it."""
    asked_for_all = config.args_source == pytest.Config.ArgsSource.TESTPATHS
    option = config.option
    few = option.keyword or option.collectonly or option.showfixtures
    return asked_for_all and not few and WORKER not in os.environ and usable_cpus() > 1


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """All tests are shared out to several processes, file by file, unless somebody looks on."""
    option = config.option
    looked_at = option.usepdb or option.trace or option.capture == "no"
    left_open = getattr(option, "numprocesses", 0) is None and option.dist == "no"
    if is_of_all(config) and left_open and not looked_at:
        option.numprocesses = min(usable_cpus(), MOST_PROCESSES)
        option.dist, option.loadscopereorder = "loadfile", False


def pytest_sessionstart(session: pytest.Session) -> None:
    """beside.py does its work meanwhile."""
    if not is_of_all(session.config):
        return
    file = Path(tempfile.mkdtemp()) / "reports"
    command = [sys.executable, str(Path(__file__).with_name("beside.py")), str(file)]
    here = {**os.environ, "PYTHONPATH": str(Path(sg.__file__).parent.parent)}
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(command, env=here, stdout=nowhere, stderr=nowhere)
    session.config.stash[BESIDE] = process, file
    os.environ[REPORTS] = str(file)  # for all processes
    threading.Thread(target=publish_end, args=(process, file), daemon=True).start()


def publish_end(process: subprocess.Popen, file: Path) -> None:
    """If it has ended without reports, say so, to those who wait for them."""
    process.wait()
    if file.parent.exists() and not file.exists():
        file.write_bytes(pickle.dumps(None))


def pytest_unconfigure(config: pytest.Config) -> None:
    if BESIDE in config.stash:
        process, file = config.stash[BESIDE]
        process.kill()
        process.wait()
        shutil.rmtree(file.parent)
        del os.environ[REPORTS]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that need no compiled kernels come first, those that need the reports last."""
    last = {item.path for item in items if "reports" in getattr(item, "fixturenames", ())}

    def turn(item: pytest.Item) -> tuple[bool, bool]:
        return item.path in last, "gradcheck" not in item.path.parts

    items.sort(key=turn)


@pytest.fixture(scope="module")
def reports() -> list[Report]:
    """The certificate's reports on the whole library, with seed 0."""
    if REPORTS not in os.environ:
        return certify(seed=0)
    file = Path(os.environ[REPORTS])
    while not file.exists():
        time.sleep(0.1)
    of_library: list[Report] | None = pickle.loads(file.read_bytes())
    return certify(seed=0) if of_library is None else of_library


@pytest.fixture(scope="session", autouse=True)
def seconds_never_pass_for_a_check() -> Iterator[None]:
    """What a check has time for must not depend on what else the machine has to do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scratchgen.gradcheck.pairs.budget.CLOCK", lambda: 0.0)
        yield


@pytest.fixture(scope="session", autouse=True)
def compiling_goes_without_saying() -> Iterator[None]:
    """Tests that read stderr find the same whether kernels are compiled already or not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiling, "_announce", lambda folder: None)
        yield


@pytest.fixture(scope="module", autouse=True)
def what_stands_is_not_searched_for_garbage() -> None:
    """Modules, fixtures and reports stand until the end: to search them takes seconds."""
    gc.freeze()


@pytest.fixture
def ctrl_c_interrupts() -> Iterator[None]:
    """It does even where a shell started the tests in the background, and so without it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def coarse(monkeypatch) -> None:
    """Pictures of few pixels, which are written sooner."""
    monkeypatch.setattr("scratchgen.plots.figures.DPI", 40)


@pytest.fixture
def slow_machine(monkeypatch) -> None:
    """By its clock, everything takes hours; matplotlib warns of some things that take a second."""
    hours = itertools.count(step=3600.0)
    monkeypatch.setattr("time.perf_counter", lambda: next(hours))


@pytest.fixture(scope="session")
def pictures() -> np.ndarray:
    """200 digits (200, 28, 28, 1)."""
    return sg.data.digits(200, rng=0)


@pytest.fixture(scope="session")
def pictures_with_labels() -> tuple[np.ndarray, np.ndarray]:
    """120 digits (120, 28, 28, 1), and which they are (120,)."""
    return sg.data.digits(120, rng=0, return_labels=True)


@pytest.fixture
def few_digits(monkeypatch) -> None:
    """The digits that are loaded by name are 300, in the place of 10,000."""
    monkeypatch.setitem(sources.DRAWN, "digits", (sg.data.digits, 300))


@pytest.fixture(scope="session")
def points() -> np.ndarray:
    """300 points of the ring (300, 2)."""
    return sg.data.ring(300, rng=0)


@pytest.fixture
def small_vae() -> sg.models.VAE:
    """A VAE of pictures, untrained."""
    return sg.models.vae((28, 28, 1), latent=3, hidden=(16,), rng=0)


@pytest.fixture
def small_gan() -> sg.models.GAN:
    """A GAN of points, untrained."""
    return sg.models.gan((2,), latent=2, hidden=(16, 12), rng=0)
