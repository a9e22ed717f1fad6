"""scratchgen: VAEs and GANs in plain NumPy, every forward and every backward pass by hand.

>>> import scratchgen as sg
>>> x = sg.data.digits(256, rng=0)
>>> model = sg.models.vae(x.shape[1:], latent=20, hidden=(128,), rng=0)
>>> history = sg.fit(model, x, epochs=2, batch_size=128, seed=0)
>>> model.sample(64, rng=1).shape
(64, 28, 28, 1)

The source is meant to be read: docs/reading-order.md says where to start.
"""

import importlib
from types import ModuleType

from . import data, distributions, errors, export, losses, metrics, models, nn, optim, train
from .errors import ScratchgenError
from .export import load, save
from .train import fit
from .versions import __version__, show_versions

__all__ = [
    "ScratchgenError",
    "__version__",
    "data",
    "distributions",
    "errors",
    "export",
    "fit",
    "load",
    "losses",
    "metrics",
    "models",
    "nn",
    "optim",
    "plots",
    "save",
    "show_versions",
    "train",
]


def __getattr__(name: str) -> ModuleType:
    """`sg.plots`, which needs matplotlib, is imported when it is first asked for."""
    if name == "plots":
        return importlib.import_module(f"{__name__}.plots")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
