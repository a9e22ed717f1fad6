"""Configurations of earlier formats are translated into the present format.

2    version 0.1.0: a game is a string, its prior is N(0, I), and settings repeat the sizes of
     the networks
3    the same, for a model with a scaler
4    what models/description.py gives
"""

from typing import Any

from ..ground.errors import OptionError

FORMAT = 4
EARLIER = (2, 3)
SCALED = 3
# sizes that are settings in earlier formats -> the networks that take examples of that size
SIZES = {"shape": ("encoder", "discriminator"), "latent": ("decoder", "generator")}


def translated(described: dict[str, Any]) -> dict[str, Any]:
    """A configuration of any known format, in the present format.

    Raises OptionError where the settings of an earlier format do not fit that format, or the
    networks. Other faults are found when the model is built.
    """
    settings = described.get("settings")
    if described.get("format") not in EARLIER or not isinstance(settings, dict):
        return described
    is_scaled = described["format"] == SCALED
    if ("scaler" in settings) != is_scaled or (is_scaled and settings["scaler"] is None):
        raise OptionError("the settings do not fit the format")
    sizes = {"shape": settings.get("shape"), "latent": [settings.get("latent")]}
    for name, size in sizes.items():
        if any(shape != size for shape in _shapes(described.get("networks"), SIZES[name])):
            raise OptionError(f"the settings do not fit the networks, whose {name} is another")
    settings = {name: value for name, value in settings.items() if name not in SIZES}
    if "loss" in settings:
        if not isinstance(settings["loss"], str):
            raise OptionError("the loss is not the name of a game")
        settings |= {"loss": {"name": settings["loss"]}, "prior": {"name": "standard_normal"}}
    settings.setdefault("scaler", None)
    return {**described, "format": FORMAT, "settings": settings}


def _shapes(networks: Any, names: tuple[str, ...]) -> list[Any]:
    """The input shapes of the networks of those names, as far as the model has them."""
    given = networks if isinstance(networks, dict) else {}
    return [given[name].get("in_shape") for name in names if isinstance(given.get(name), dict)]
