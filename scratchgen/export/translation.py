"""Configurations of earlier formats, in the words of today.

2    of version 0.1.0: a game is named by a string, its z are from N(0, I), and settings repeat the
     sizes of the networks
3    the same, of a model with a scaler
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
    """A configuration of any known format as one of the present format.

    What is wrong with the rest of it is left to whoever builds the model. Raises OptionError where
    the settings of an earlier format do not fit that format, or the networks.
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
            raise OptionError(f"the settings do not fit the networks, which have another {name}")
    settings = {name: value for name, value in settings.items() if name not in SIZES}
    if "loss" in settings:
        if not isinstance(settings["loss"], str):
            raise OptionError("the loss is not the name of a game")
        settings |= {"loss": {"name": settings["loss"]}, "prior": {"name": "standard_normal"}}
    settings.setdefault("scaler", None)
    return {**described, "format": FORMAT, "settings": settings}


def _shapes(networks: Any, names: tuple[str, ...]) -> list[Any]:
    """What the networks of those names take; a model of a user's own may have none of them."""
    given = networks if isinstance(networks, dict) else {}
    return [given[name].get("in_shape") for name in names if isinstance(given.get(name), dict)]
