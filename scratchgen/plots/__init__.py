"""Pictures; this room alone needs matplotlib."""

from ..ground.versions import require

require("matplotlib", "scratchgen.plots")

from .animations import Animation  # noqa: E402 - only where matplotlib is installed
from .benchmarks import draw_bench  # noqa: E402
from .clouds import cloud, cloud_pairs, density, panels, trajectories  # noqa: E402
from .data_pictures import show_data  # noqa: E402
from .gradient_reports import draw_report  # noqa: E402
from .histories import losses  # noqa: E402
from .latent_codes import latents  # noqa: E402
from .latent_pictures import interpolate, latent_grid, latent_walk, sweep  # noqa: E402
from .sheets import pairs, sheet  # noqa: E402

__all__ = [
    "Animation",
    "cloud",
    "cloud_pairs",
    "density",
    "draw_bench",
    "draw_report",
    "interpolate",
    "latent_grid",
    "latent_walk",
    "latents",
    "losses",
    "pairs",
    "panels",
    "sheet",
    "show_data",
    "sweep",
    "trajectories",
]
