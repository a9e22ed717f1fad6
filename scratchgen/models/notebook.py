"""A model as a notebook shows it: a sentence, a table of its layers, and some of its samples.

Samples are drawn with a random generator of their own, so that showing a model changes no other.
Only models of pictures and of points in the plane have a picture, if they can sample.
"""

import base64
import math
from html import escape

import numpy as np

from ..ground.arguments import Array, is_picture
from ..ground.png_files import png
from ..nn import Network, parameter_count
from .applied import Applied

PICTURES, POINTS = 16, 300  # how many samples are shown
MOST_PIXELS = 128 * 128  # of a picture; larger pictures take too long
FARTHEST = 1e30  # larger numbers would overflow where they are scaled
SIDE, GAP = 240, 2  # of the plane, and between pictures, in pixels


def model_html(model: Applied, parameters: int) -> str:
    """The model as HTML, without scripts; all text in it is escaped."""
    head = f"<p><b>{escape(_text(model))}</b>, {parameters:,} parameters</p>"
    return f"<div>{head}{_table(model)}{_samples(model)}</div>"


def _table(model: Applied) -> str:
    """A table of all layers: network, layer, shape of the output, number of parameters."""
    names = ("network", "layer", "output", "parameters")
    rows = ["".join(f"<th>{name}</th>" for name in names)]
    for name, network in model.networks.items():
        rows += [_row(name, *cells) for cells in _layers(network)]
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def _layers(network: Network) -> list[tuple[str, str, str]]:
    """Each layer, the shape of its output, and how many parameters it has."""
    shapes = network.shapes()[1:]
    return [
        (_text(layer), str(shape), f"{parameter_count(layer):,}")
        for layer, shape in zip(network.layers, shapes, strict=True)
    ]


def _text(thing: object) -> str:
    """`thing` in words: the name of its class where a user's own `__str__` fails."""
    try:
        return str(thing)
    except Exception:
        return type(thing).__name__


def _row(*cells: str) -> str:
    return "".join(f"<td>{escape(cell)}</td>" for cell in cells)


def _samples(model: Applied) -> str:
    """A picture of samples, or "" for a model without such a picture."""
    try:
        if is_picture(model.shape):
            height, width, channels = (*model.shape, 1)[:3]
            if channels in (1, 3) and height * width <= MOST_PIXELS:
                return _sheet(_drawn(model, PICTURES).reshape(-1, height, width, channels))
        elif model.shape == (2,):
            return _plane(_drawn(model, POINTS))
    except Exception:  # a user's own family may fail in any way, and is shown without samples
        return ""
    return ""


def _drawn(model: Applied, n: int) -> Array:
    """n samples (n, *shape), of all classes in turn; a number that is not finite becomes 0."""
    labels = np.arange(n) % model.n_labels if model.n_labels else None
    with np.errstate(all="ignore"):
        x = np.asarray(model.sample(n, np.random.default_rng(0), labels), np.float64)
    x = np.nan_to_num(x, nan=0.0, posinf=0.0, neginf=0.0)
    return x.clip(-FARTHEST, FARTHEST).reshape(n, *model.shape)


def _sheet(x: Array) -> str:
    """Pictures x (n, H, W, C) side by side, as an inline PNG, from black to white."""
    n, height, width, channels = x.shape
    columns = math.ceil(n / 2)
    low, high = min(0.0, x.min()), max(1.0, x.max())
    grey = ((x - low) / (high - low) * 255).round().astype(np.uint8)  # (n, H, W, C)
    across, down = columns * (width + GAP), math.ceil(n / columns) * (height + GAP)
    sheet = np.full((down, across, channels), 255, np.uint8)
    for i, picture in enumerate(grey):
        top, left = i // columns * (height + GAP), i % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = picture
    scale = max(1, 400 // across)
    data = base64.b64encode(png(sheet)).decode()
    size = f'width="{across * scale}" height="{down * scale}"'
    return (
        f'<img alt="{n} samples" {size} style="image-rendering: pixelated" '
        f'src="data:image/png;base64,{data}"/>'
    )


def _plane(x: Array) -> str:
    """Points x (n, 2) as an SVG, with one scale for both axes."""
    middle = (x.min(axis=0) + x.max(axis=0)) / 2
    reach = float(np.abs(x - middle).max()) or 1.0
    at = SIDE / 2 + (x - middle) / reach * (SIDE / 2 - 4) * (1, -1)  # y grows upwards
    dots = "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="1.5"/>' for a, b in at)
    title = f"<title>{len(x)} samples</title>"
    return f'<svg width="{SIDE}" height="{SIDE}" fill="steelblue">{title}{dots}</svg>'
