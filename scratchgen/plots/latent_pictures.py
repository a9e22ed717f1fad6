"""Pictures of a latent space: what a model decodes along lines, along one latent, or on a grid.

    line     z(t) = (1 - t) a + t b                                        t = 0 ... 1       (1)
    circle   z(t) = [sin((1 - t) w) a + sin(t w) b] / sin w,     cos w = <a, b> / |a| |b|    (2)
    grid     z_ij = (F(u_j), F(u_i)),     u_i = (i + 1/2) / steps                            (3)

(2), spherical interpolation (Shoemake 1985), keeps |z| where |a| = |b|. For many latents nearly all
draws of N(0, I) have a norm near sqrt(Z), and (1) leads through norms that a generator has hardly
seen (White 2016). F in (3) is the inverse of the normal distribution function, so that each z_ij
stands for the same probability under N(0, I) (Kingma and Welling 2014, figure 4).

    sg.plots.latent_walk(vae, x[:4], x[4:8])              from example to example
    sg.plots.latent_walk(gan, rng=0, along="circle")      between draws of the prior
    sg.plots.sweep(vae, x[0])                             a row for each latent
    sg.plots.latent_grid(vae)                             for two latents
"""

from collections.abc import Iterable, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from ..ground.arguments import (
    Array,
    can_be_drawn,
    examples,
    finite,
    one_of,
    real_numbers,
    whole,
)
from ..ground.errors import KindError, OptionError, ShapeError, cut
from ..ground.keywords import explains_keywords
from ..ground.rng import Rng, generator
from .clouds import trajectories
from .figures import FAKE, DisplayedFigure, PathLike, finish, new_figure
from .sheets import sheet

if TYPE_CHECKING:
    from ..models import Model

ROWS = 8  # drawn by default
PARALLEL = 1e-6  # of sin w: below it (2) is (1)


def interpolate(start: Any, stop: Any, steps: int = 10, along: str = "line") -> Array:
    """From start to stop, (N, Z) each, both included: (N, steps, Z), float64.

    A single latent (Z,), or (1, Z), is the start or the stop of every row. `along` is "line" (1) or
    "circle" (2). Where start and stop are parallel there is no one circle, and the line is taken.

    Raises ShapeError, KindError or OptionError.

    >>> interpolate([2.0, 0.0], [0.0, 2.0], steps=3).tolist()
    [[[2.0, 0.0], [1.0, 1.0], [0.0, 2.0]]]
    """
    a, b = (np.atleast_2d(real_numbers(z, "z")).astype(np.float64) for z in (start, stop))
    one_of(along, ("line", "circle"), "interpolation")
    if a.ndim > 2 or a.shape[1:] != b.shape[1:] or (len(b) not in (len(a), 1) and len(a) != 1):
        raise ShapeError(
            f"interpolation from shape {a.shape} to {b.shape}: wants (N, Z) for both, or (Z,) for "
            f"one that is shared by all rows"
        )
    a, b = np.broadcast_arrays(a, b)  # (N, Z) each
    t = np.linspace(0, 1, whole(steps, "steps", least=2))[:, None]  # (T, 1)
    a, b = a[:, None], b[:, None]  # (N, 1, Z) each
    line = (1 - t) * a + t * b  # (N, T, Z)   (1)
    if along == "line":
        return line
    norms = np.linalg.norm(a, axis=2, keepdims=True) * np.linalg.norm(b, axis=2, keepdims=True)
    cosine = (a * b).sum(axis=2, keepdims=True) / np.where(norms > 0, norms, 1)
    w = np.arccos(np.clip(cosine, -1, 1))  # (N, 1, 1)
    curved = (norms > 0) & (np.sin(w) > PARALLEL)  # (N, 1, 1)
    sine = np.where(curved, np.sin(w), 1)
    return np.where(curved, (np.sin((1 - t) * w) * a + np.sin(t * w) * b) / sine, line)  # (2)


@explains_keywords
def latent_walk(
    model: "Model",
    start: Any = None,
    stop: Any = None,
    *,
    steps: int = 10,
    along: str = "line",
    labels: Any = None,
    rng: Rng = None,
    path: PathLike | None = None,
    title: str = "",
) -> DisplayedFigure:
    """What the model decodes on the way from start to stop: a row of `steps` pictures for each.

    Args:
        model: one of sg.models.
        start, stop: latents (N, latent) or (latent,); for a model that encodes also examples
            (N, *shape) or (*shape,), which are encoded; None for draws of the prior. Shapes that
            fit both are those of latents.
        steps: pictures in a row, with both ends.
        along: "line" (1), or "circle" (2).
        labels: (N,), or one for all, for a model that wants labels; each row keeps its label.
        rng: of the draws.
        path: the file to write; None writes none.
        title: of the figure.

    Pictures are drawn as a sheet; for a model of points (2,) each row is a trajectory.

    Raises ShapeError where the shapes do not fit, or where no picture is known for examples of the
    model's shape; KindError, OptionError or FileError for the other arguments.
    """
    _expect_drawable(model)
    ends = [None if z is None else _batch(model, z) for z in (start, stop)]
    rows = max((len(x) for x in ends if x is not None), default=ROWS)
    labels, rng = model.check_labels(labels, rows), generator(rng)
    a, b = (  # (N or 1, Z) each
        model.draw_latents(rows, rng) if x is None else _latents(model, x, labels) for x in ends
    )
    z = interpolate(a, b, steps, along)  # (N, T, Z)
    return _draw(model, z, labels, path, title, [])


@explains_keywords
def sweep(
    model: "Model",
    z: Any = None,
    *,
    latents: Sequence[int] | None = None,
    low: float = -3.0,
    high: float = 3.0,
    steps: int = 10,
    labels: int | None = None,
    path: PathLike | None = None,
    title: str = "",
) -> DisplayedFigure:
    """What each latent does: in each row one goes from `low` to `high`, and the others rest.

    Args:
        model: one of sg.models.
        z: where the others rest, (latent,); for a model that encodes also an example (*shape,),
            which is encoded; None is 0.
        latents: the numbers of those that are swept; None is the first 8.
        low, high, steps: the values that each of them takes.
        labels: the one label of all pictures, for a model that wants labels.
        path, title: as for `latent_walk`, and so are the errors.
    """
    _expect_drawable(model)
    batch = _batch(model, np.zeros(model.latent) if z is None else z)
    if len(batch) != 1:
        raise ShapeError(f"a sweep got z of shape {np.shape(z)}: wants one latent, or one example")
    label = model.check_labels(labels, 1)  # (1,) or None
    rest = _latents(model, batch, label)  # (1, Z)
    swept = _swept(model, latents)
    low, high = finite(low, "low", least=-np.inf), finite(high, "high", least=-np.inf)
    values = np.linspace(low, high, whole(steps, "steps", least=2))  # (T,)
    codes = np.tile(np.asarray(rest, np.float64), (len(swept), len(values), 1))  # (N, T, Z)
    for row, j in enumerate(swept):
        codes[row, :, j] = values
    return _draw(model, codes, label, path, title, [f"z[{j}]" for j in swept])


@explains_keywords
def latent_grid(
    model: "Model",
    *,
    steps: int = 20,
    labels: int | None = None,
    path: PathLike | None = None,
    title: str = "",
) -> DisplayedFigure:
    """What a model of two latents decodes on the grid (3): z[0] grows to the right, z[1] upwards.

    For a model of points (2,) it draws the lines of the grid, decoded. Arguments and errors are
    those of `latent_walk`; ShapeError for any other number of latents.
    """
    _expect_drawable(model)
    if model.latent != 2:
        raise ShapeError(
            f"a grid of a model with {model.latent} latents: wants 2; sweep(model) draws any number"
        )
    normal, n = NormalDist(), whole(steps, "steps", least=2)
    values = np.array([normal.inv_cdf((i + 0.5) / n) for i in range(n)])  # (n,)
    z = np.stack(np.meshgrid(values, values), axis=2)  # (n, n, 2)   (3)
    label = model.check_labels(labels, 1)  # (1,) or None
    if can_be_drawn(model.shape):
        return _draw(model, z[::-1], label, path, title, [])
    x = _decoded(model, z, label)  # (n, n, 2)
    figure, axes = new_figure(6, 6, title)
    for lines in (x, x.swapaxes(0, 1)):
        for line in lines:
            axes.plot(line[:, 0], line[:, 1], color=FAKE, linewidth=0.7)
    axes.set_aspect("equal")
    return finish(figure, path)


def _expect_drawable(model: Any) -> None:
    """KindError for what is no model, ShapeError where no picture is known for its examples."""
    from ..models import Model  # whoever has a model has imported it

    if not isinstance(model, Model):
        raise KindError(f"a picture of latents got {cut(repr(model))}: wants one of sg.models")
    if not can_be_drawn(model.shape) and model.shape != (2,):
        raise ShapeError(
            f"no picture is known for examples of shape {model.shape}: model.decode(z) gives them "
            f"as an array"
        )


def _batch(model: "Model", z: Any) -> Array:
    """z as a batch, all of it finite: latents (N, Z), or examples (N, *shape) to encode."""
    array = real_numbers(z, "z")
    if array.ndim in (1, 2) and array.shape[-1] == model.latent:
        return examples(np.atleast_2d(array), (model.latent,), np.float64, "z")
    if model.encodes and array.shape == model.shape:
        array = array[None]
    if not model.encodes or array.shape[1:] != model.shape:
        shape = ", ".join(map(str, model.shape))
        raise ShapeError(
            f"z has shape {array.shape}: wants latents, (N, {model.latent}) or ({model.latent},)"
            + (f", or examples, (N, {shape}) or {model.shape}" if model.encodes else "")
        )
    return array


def _latents(model: Any, batch: Array, labels: Array | None) -> Array:
    """The latents (N, Z) of a `_batch`; a single example is encoded with the label of each row."""
    if batch.shape[1:] == (model.latent,):
        return batch
    if labels is not None and len(batch) == 1:
        batch = np.repeat(batch, len(labels), axis=0)
    codes: Array = model.encode(batch, None if labels is None else labels[: len(batch)])
    return codes


def _swept(model: "Model", latents: Any) -> list[int]:
    """The numbers of the latents that are swept, at least one."""
    if latents is None:
        return list(range(min(ROWS, model.latent)))
    numbers = latents if isinstance(latents, Iterable) else [latents]
    swept = [whole(j, "latents", most=model.latent - 1) for j in numbers]
    if not swept:
        raise OptionError("latents is empty: wants at least one number, or None for the first 8")
    return swept


def _decoded(model: "Model", z: Array, labels: Array | None) -> Array:
    """z (N, T, Z), with the labels (N,) of its rows, or one (1,) -> examples (N, T, *shape)."""
    rows, steps, size = z.shape
    if labels is not None:
        labels = np.repeat(np.broadcast_to(labels, rows), steps)  # (N T,)
    x = model.decode(z.reshape(rows * steps, size), labels)
    return x.reshape(rows, steps, *model.shape)


def _draw(
    model: "Model",
    z: Array,
    labels: Array | None,
    path: PathLike | None,
    title: str,
    names: Sequence[str],
) -> DisplayedFigure:
    """z (N, T, Z), decoded: rows of pictures, or trajectories through the plane."""
    x = _decoded(model, z, labels)  # (N, T, *shape)
    if can_be_drawn(model.shape):
        return sheet(x.reshape(-1, *model.shape), path, z.shape[1], title, names)
    names = names or [f"row {number}" for number in range(len(x))]
    return trajectories(dict(zip(names, x, strict=True)), path, title)
