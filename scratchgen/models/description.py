"""A model without its arrays, as plain values for a file, and a model built from such values.

    {"model": "VAE", "dtype": "float32", "settings": {"beta": 1.0, ...},
     "networks": {"encoder": {"layer": "Network", ...}, ...}}

A description follows from the fields of the model's class, of its parts and of its layers.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..ground.arguments import float_type, one_of
from ..ground.errors import OptionError
from ..nn import Layer, Network, build, describe
from . import MODELS
from .families import network_names
from .model import Model


def describe_model(model: Model) -> dict[str, Any]:
    """Everything about a model but its arrays, in plain numbers, text, lists and dicts.

    Raises OptionError for a user's own model, layer or part that is not registered.
    """
    if MODELS.get(model.kind) is not type(model):
        raise OptionError(
            f"a {type(model).__name__} is not one of scratchgen's models, so nothing could build "
            f"it again: add the class to scratchgen.models.MODELS, under its own kind"
        )
    earlier: list[Layer] = []  # a layer that networks share is described once
    return {
        "model": model.kind,
        "dtype": model.dtype.name,
        "settings": model.settings(),
        "networks": {name: describe(net, earlier) for name, net in model.networks.items()},
    }


def build_networks(description: Mapping[str, Any]) -> tuple[type[Model], dict[str, Network]]:
    """The class and the networks of a description, which take no memory; or OptionError."""
    kind = MODELS[one_of(description["model"], MODELS, "model")]
    earlier: list[Layer] = []
    networks: dict[str, Network] = {}
    for name in network_names(kind):
        network = build(description["networks"][name], earlier)
        if not isinstance(network, Network):
            raise OptionError(f"the {name} of the {kind.kind} is described as a {network}")
        networks[name] = network
    return kind, networks


def build_model(description: Mapping[str, Any]) -> Model:
    """The model of a description, with arrays of 0, which the caller fills.

    Raises OptionError, or whatever a part raises, where the parts do not fit.
    """
    kind, networks = build_networks(description)
    dtype: np.dtype[Any] = float_type(description["dtype"])
    return kind.from_settings(networks, description["settings"], dtype)
