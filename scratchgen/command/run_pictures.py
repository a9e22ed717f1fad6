"""The pictures of a run: losses, samples, reconstructions, latents; they need matplotlib."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..ground.arguments import Array, Shape, can_be_drawn, is_picture
from ..ground.errors import ShapeError
from .reading_data import labels_in_turn

MOST_LATENTS = 2_000  # points in the picture of latents
SEED = 0  # of the samples in pictures


def draw_pictures(
    folder: Path,
    model: Any,
    history: Mapping[str, Sequence[float]],
    x: Array,
    labels: Array | None,
) -> None:
    """Draw all pictures that fit the model into the folder."""
    from .. import plots

    name = str(model).split(":")[0]
    if any(history.values()):
        plots.losses(history, folder / "losses.png", f"{name}: what was minimised")
    if can_be_drawn(model.shape):
        x_new = model.sample(100, rng=SEED, labels=labels_in_turn(model, 100))
        plots.sheet(x_new, folder / "samples.png", title="samples")
    elif len(model.shape) == 1:
        x_new = draw_examples(model, 1_000)
        plots.show_data(x_new, folder / "samples.png", title="samples")
    if model.shape == (2,):
        points = draw_examples(model, len(x))
        plots.density(x, points, folder / "density.png", f"{name}: real against generated")
    if model.encodes:
        colours = None if labels is None else labels[:MOST_LATENTS]
        joined = colours if model.n_labels else None
        if can_draw_reconstructions(model.shape):
            first = None if joined is None else joined[:50]
            draw_reconstructions(model, x[:50], folder / "reconstructions.png", first)
        mu = model.encode(x[:MOST_LATENTS], joined)
        plots.latents(mu, folder / "latent.png", colours, "posterior means")


def draw_examples(model: Any, n: int) -> Array:
    """n new examples (n, *shape): for vectors draws of p(x|z), for pictures its means."""
    labels = labels_in_turn(model, n)
    noise = {"noise": True} if model.has_likelihood and not is_picture(model.shape) else {}
    return model.sample(n, rng=SEED, labels=labels, **noise)


def can_draw_reconstructions(shape: Shape) -> bool:
    """Whether `draw_reconstructions` has a picture for examples of that shape."""
    return can_be_drawn(shape) or shape == (2,)


def draw_reconstructions(model: Any, x: Array, path: Path, labels: Array | None = None) -> None:
    """Data and their reconstructions: pictures in pairs, or points joined by lines."""
    from .. import plots

    if not can_draw_reconstructions(model.shape):
        raise ShapeError(
            f"reconstructions of shape {model.shape} cannot be drawn: write them as an array, with "
            f"-o {path.stem}.npy"
        )
    x_hat = model.reconstruct(x, labels)
    if can_be_drawn(model.shape):
        plots.pairs(x, x_hat, path, "data above, reconstructions below")
    else:
        plots.cloud_pairs(x, x_hat, path, "data and reconstructions")
