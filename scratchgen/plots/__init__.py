"""Pictures; needs matplotlib, which only this room imports."""

from ..ground.versions import require

require("matplotlib", "scratchgen.plots")

from .benchmarks import draw_bench  # noqa: E402 - only once it is known that matplotlib is there
from .gradient_reports import draw_report  # noqa: E402
from .pictures import (  # noqa: E402
    cloud,
    cloud_pairs,
    density,
    latents,
    losses,
    pairs,
    panels,
    sheet,
    show_data,
    walks,
)

__all__ = [
    "cloud",
    "cloud_pairs",
    "density",
    "draw_bench",
    "draw_report",
    "latents",
    "losses",
    "pairs",
    "panels",
    "sheet",
    "show_data",
    "walks",
]
