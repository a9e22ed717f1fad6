"""Configurations of earlier formats, in the words of today.

2    of version 0.1.0; a game is named by a string, and settings repeat the sizes of networks
3    the same, of a model with a scaler
4    what models/description.py gives
"""

from typing import Any

FORMAT = 4
EARLIER = (2, 3)
SIZES = ("shape", "latent")  # which the networks have too


def translated(described: dict[str, Any]) -> dict[str, Any]:
    """A configuration of any known format as one of the present format.

    What is no such configuration is left to whoever reads it.
    """
    settings = described.get("settings")
    if described.get("format") not in EARLIER or not isinstance(settings, dict):
        return described
    settings = {name: value for name, value in settings.items() if name not in SIZES}
    if isinstance(settings.get("loss"), str):
        settings["loss"] = {"name": settings["loss"]}
    settings.setdefault("scaler", None)
    return {**described, "format": FORMAT, "settings": settings}
