"""scratchgen: VAEs and GANs in plain NumPy, every forward and every backward pass by hand.

>>> import scratchgen as sg
>>> x = sg.data.digits(256, rng=0)
>>> model = sg.models.vae(x.shape[1:], latent=20, hidden=(128,), rng=0)
>>> history = sg.fit(model, x, epochs=2, batch_size=128, seed=0)
>>> model.sample(64, rng=1).shape
(64, 28, 28, 1)

The source is meant to be read: docs/reading-order.md says where to start. This file only opens
doors: a room is imported when it is first asked for, so that `import scratchgen` is instant.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import (
        data,
        distributions,
        export,
        gradcheck,
        losses,
        metrics,
        models,
        nn,
        optim,
        plots,
        train,
    )
    from .export import load, save
    from .gradcheck import (
        assert_gradients,
        check,
        check_cached,
        check_optimizer,
        check_pair,
        check_second_order,
    )
    from .ground import errors, parts, rng
    from .ground.errors import ScratchgenError
    from .ground.versions import __version__, show_versions
    from .kernels import products_by, set_threads, threads
    from .train import fit

__all__ = [
    "ScratchgenError",
    "__version__",
    "assert_gradients",
    "check",
    "check_cached",
    "check_optimizer",
    "check_pair",
    "check_second_order",
    "data",
    "distributions",
    "errors",
    "export",
    "fit",
    "gradcheck",
    "load",
    "losses",
    "metrics",
    "models",
    "nn",
    "optim",
    "parts",
    "plots",
    "products_by",
    "rng",
    "save",
    "set_threads",
    "show_versions",
    "threads",
    "train",
]

_HOMES = {  # name -> the module that it is defined in
    "ScratchgenError": "ground.errors",
    "__version__": "ground.versions",
    "assert_gradients": "gradcheck",
    "check": "gradcheck",
    "check_cached": "gradcheck",
    "check_optimizer": "gradcheck",
    "check_pair": "gradcheck",
    "check_second_order": "gradcheck",
    "fit": "train",
    "load": "export",
    "products_by": "kernels",
    "save": "export",
    "set_threads": "kernels",
    "show_versions": "ground.versions",
    "threads": "kernels",
}
_MODULES = {"errors": "ground.errors", "parts": "ground.parts", "rng": "ground.rng"}


def __getattr__(name: str) -> Any:
    """Import the module that `name` is, or is defined in."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    path = _HOMES.get(name) or _MODULES.get(name, name)
    module = importlib.import_module(f"{__name__}.{path}")
    value = getattr(module, name) if name in _HOMES else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
