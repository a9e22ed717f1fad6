"""Hypothesis profiles, and fixtures that several rooms share.

python -m pytest                                    the loaded profile: no deadline
HYPOTHESIS_PROFILE=thorough python -m pytest        thirty times the examples
CI=true python -m pytest                            the same examples every time
"""

import gc
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
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

BESIDE = pytest.StashKey[tuple[subprocess.Popen, Path]]()  # the process, and what it leaves
MANY = 1000  # tests, of which it is worth it
COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", max_examples=8, **COMMON)
settings.register_profile("ci", max_examples=8, derandomize=True, **COMMON)
settings.register_profile("thorough", max_examples=250, **COMMON)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "default")
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """beside.py does its work on another CPU, where there is one; who needs it comes last."""
    if len(items) < MANY or (os.cpu_count() or 1) == 1 or config.option.collectonly:
        return
    file = Path(tempfile.mkdtemp()) / "reports"
    command = [sys.executable, str(Path(__file__).with_name("beside.py")), str(file)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    config.stash[BESIDE] = process, file
    items.sort(key=lambda item: "reports" in getattr(item, "fixturenames", ()))


def pytest_unconfigure(config: pytest.Config) -> None:
    if BESIDE in config.stash:
        process, file = config.stash[BESIDE]
        process.kill()
        process.wait()
        shutil.rmtree(file.parent)


@pytest.fixture(scope="module")
def reports(request: pytest.FixtureRequest) -> list[Report]:
    """The certificate's reports on the whole library, with seed 0."""
    if BESIDE in request.config.stash:
        process, file = request.config.stash[BESIDE]
        if process.wait() == 0:
            of_library: list[Report] = pickle.loads(file.read_bytes())
            return of_library
    return certify(seed=0)


@pytest.fixture(scope="module", autouse=True)
def what_stands_is_not_searched_for_garbage() -> None:
    """Modules, fixtures and reports stand until the end: to search them takes seconds."""
    gc.freeze()


@pytest.fixture
def coarse(monkeypatch) -> None:
    """Pictures of few pixels, which are written sooner."""
    monkeypatch.setattr("scratchgen.plots.pictures.DPI", 40)


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
