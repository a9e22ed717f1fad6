"""Profiles of Hypothesis, and fixtures that several rooms share.

python -m pytest                                    8 drawn examples a test, new ones every time
HYPOTHESIS_PROFILE=thorough python -m pytest        250 examples a test
CI=true python -m pytest                            8 examples a test, the same every time

With pytest-xdist, all tests run in one process for each CPU; `-n 0` keeps them in one process.
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

# The matrices of the tests are small, so more threads gain nothing, and lose much beside other
# programs. This has to be set before NumPy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("SCRATCHGEN_THREADS", "1")
# No result of a test depends on what was measured on this machine.
os.environ.setdefault("SCRATCHGEN_PRODUCTS", "ours")

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import scratchgen as sg
from scratchgen.data import sources
from scratchgen.gradcheck.certificate import certify
from scratchgen.gradcheck.reports.report import Report
from scratchgen.kernels import compiling
from scratchgen.kernels.sharing import usable_cpus

BESIDE = pytest.StashKey[
    tuple[subprocess.Popen, Path]
]()  # the process, and the file that it writes
REPORTS = "SCRATCHGEN_TESTS_REPORTS"  # the name of that file, for the worker processes
WORKER = "PYTEST_XDIST_WORKER"  # set in each worker process
MOST_PROCESSES = 8
COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", max_examples=8, **COMMON)
settings.register_profile("ci", max_examples=8, derandomize=True, **COMMON)
settings.register_profile("thorough", max_examples=250, **COMMON)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "default")
)


def starts_all_tests(config: pytest.Config) -> bool:
    """Whether this process was started for all tests, on a machine with more than one CPU."""
    is_for_all = config.args_source == pytest.Config.ArgsSource.TESTPATHS
    option = config.option
    runs_some = option.keyword or option.collectonly or option.showfixtures
    return is_for_all and not runs_some and WORKER not in os.environ and usable_cpus() > 1


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Distribute all tests over several processes, file by file, unless somebody watches one."""
    option = config.option
    is_watched = option.usepdb or option.trace or option.capture == "no"
    is_undecided = getattr(option, "numprocesses", 0) is None and option.dist == "no"
    if starts_all_tests(config) and is_undecided and not is_watched:
        option.numprocesses = min(usable_cpus(), MOST_PROCESSES)
        option.dist, option.loadscopereorder = "loadfile", False


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start beside.py, which works while the tests run."""
    if not starts_all_tests(session.config):
        return
    file = Path(tempfile.mkdtemp()) / "reports"
    command = [sys.executable, str(Path(__file__).with_name("beside.py")), str(file)]
    environment = {**os.environ, "PYTHONPATH": str(Path(sg.__file__).parent.parent)}
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, env=environment, **silent)
    session.config.stash[BESIDE] = process, file
    os.environ[REPORTS] = str(file)  # for all processes
    threading.Thread(target=mark_end, args=(process, file), daemon=True).start()


def mark_end(process: subprocess.Popen, file: Path) -> None:
    """If the process ends without reports, write None, so that nobody waits for them."""
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
    """Run files that need no compiled kernels first, and files that need the reports last."""
    last = {item.path for item in items if "reports" in getattr(item, "fixturenames", ())}

    def rank(item: pytest.Item) -> tuple[bool, bool]:
        return item.path in last, "gradcheck" not in item.path.parts

    items.sort(key=rank)


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
def clock_of_checks_stands_still() -> Iterator[None]:
    """A check must reach the same verdict however busy the machine is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scratchgen.gradcheck.pairs.budget.CLOCK", lambda: 0.0)
        yield


@pytest.fixture(scope="session", autouse=True)
def compiling_is_silent() -> Iterator[None]:
    """Tests that read stderr must find the same whether or not kernels have to be compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiling, "_announce", lambda folder: None)
        yield


@pytest.fixture(scope="module", autouse=True)
def lasting_objects_are_no_garbage() -> None:
    """Modules, fixtures and reports live until the end, and searching them takes seconds."""
    gc.freeze()


@pytest.fixture
def ctrl_c_interrupts() -> Iterator[None]:
    """SIGINT interrupts, although a shell that starts tests in the background turns that off."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def coarse(monkeypatch) -> None:
    """Pictures have few pixels, and are written sooner."""
    monkeypatch.setattr("scratchgen.plots.figures.DPI", 40)


@pytest.fixture
def slow_machine(monkeypatch) -> None:
    """By the clock, everything takes hours; matplotlib warns if some things take a second."""
    hours = itertools.count(step=3600.0)
    monkeypatch.setattr("time.perf_counter", lambda: next(hours))


@pytest.fixture(scope="session")
def pictures() -> np.ndarray:
    """200 digits (200, 28, 28, 1)."""
    return sg.data.digits(200, rng=0)


@pytest.fixture(scope="session")
def pictures_with_labels() -> tuple[np.ndarray, np.ndarray]:
    """120 digits (120, 28, 28, 1), and their labels (120,)."""
    return sg.data.digits(120, rng=0, return_labels=True)


@pytest.fixture
def few_digits(monkeypatch) -> None:
    """`digits`, by name, are 300 pictures instead of 10,000."""
    monkeypatch.setitem(sources.DRAWN, "digits", (sg.data.digits, 300))


@pytest.fixture(scope="session")
def points() -> np.ndarray:
    """300 points of the ring, (300, 2)."""
    return sg.data.ring(300, rng=0)


@pytest.fixture
def small_vae() -> sg.models.VAE:
    """A VAE of pictures, untrained."""
    return sg.models.vae((28, 28, 1), latent=3, hidden=(16,), rng=0)


@pytest.fixture
def small_gan() -> sg.models.GAN:
    """A GAN of points, untrained."""
    return sg.models.gan((2,), latent=2, hidden=(16, 12), rng=0)
