"""Hypothesis profiles, and fixtures that several rooms share.

python -m pytest                                    the loaded profile: no deadline
HYPOTHESIS_PROFILE=thorough python -m pytest        thirty times the examples
CI=true python -m pytest                            the same examples every time
"""

import gc
import os
import subprocess
import sys

# The matrices of the tests are small: more threads would gain nothing, and lose much where other
# programs run. It must be said before NumPy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("SCRATCHGEN_THREADS", "1")

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import scratchgen as sg
from scratchgen.data import sources
from scratchgen.kernels.twins import compiles

WARMUP = pytest.StashKey[subprocess.Popen | None]()
COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", max_examples=8, **COMMON)
settings.register_profile("ci", max_examples=8, derandomize=True, **COMMON)
settings.register_profile("thorough", max_examples=250, **COMMON)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "default")
)


def pytest_configure(config: pytest.Config) -> None:
    """Kernels that are not compiled yet are compiled beside the tests, on another CPU."""
    config.stash[WARMUP] = None
    if compiles() and (os.cpu_count() or 1) > 1 and not config.option.collectonly:
        command = [sys.executable, "-m", "scratchgen", "warmup"]
        nowhere = subprocess.DEVNULL
        config.stash[WARMUP] = subprocess.Popen(command, stdout=nowhere, stderr=nowhere)


def pytest_unconfigure(config: pytest.Config) -> None:
    if warmup := config.stash.get(WARMUP, None):
        warmup.terminate()
        warmup.wait()


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
