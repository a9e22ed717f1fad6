"""What `scratchgen explain` does: it shows a model layer by layer and, with data, its gradients.

The first part reads the model: layers, formulas, shapes, counts. The second traces one batch
without moving any weight: the mean and the spread of every layer's output, and the norms of the
gradients.
"""

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..ground.arguments import Array, Shape
from ..ground.errors import OptionError
from ..ground.printing import to_stdout
from ..ground.rng import chosen_seed, stream
from ..ground.tables import columns, paragraph
from ..models import Model, Trace, collapse, symptoms
from ..models.trace import label
from ..nn import Layer
from ..train.scales import scale_problem
from .folders import find_model
from .reading_data import labels_for, read_data_for
from .training_report import count_latents

EXAMPLES = 256
COLUMNS = 8  # of x; the scaling of more is not shown
HEAD = ("", "layer", "formula", "output", "parameters")
LEGEND = (
    "flat: share of units that are always 0 (ReLU) or of outputs at a limit (Tanh, Sigmoid)",
    "|dL/dy|: norm of dL/d(output of the layer); the player minimises L",
    "|dL/dp|: norm of dL/d(parameters of the layer), summed over all passes of the player",
)
HEALTHY = (
    "no warnings: nothing is dead, saturated, vanishing, exploding, NaN, infinite or collapsed"
)
SLOPE = "in the penalty's pass L is the sum of D over the examples, so |dL/dy| measures D's slope"


def explain(options: argparse.Namespace) -> int:
    """Print a model layer by layer, and with --data its values and gradients on them."""
    model, _ = find_model(options.run)
    lines = structure(model)
    if options.data is not None:
        seed = chosen_seed(options.seed)
        lines += ["", *on_data(model, options.data, options.n or EXAMPLES, seed)]
    else:
        for value, option in ((options.seed, "--seed"), (options.n, "-n")):
            if value is not None:
                raise OptionError(f"{option} {value} chooses examples, so it needs --data DATA too")
    to_stdout(*lines)
    return 0


def on_data(model: Model, source: str, n: int, seed: int) -> list[str]:
    """The values and gradients in the model on n examples of the data called `source`."""
    x, labels = examples(model, source, n, seed)
    with np.errstate(all="ignore"):  # NaN and inf are shown
        trace = model.trace(x, stream(seed, "noise"), labels)
    batch = f"{len(x):,} examples of {source}, seed {seed}"
    text = f"One training step on {batch}, without moving any weight:"
    problem = scale_problem(model, x, source)
    problems = [
        *([problem] if problem else []),
        *symptoms(trace),
        *collapse(model, x, stream(seed, "samples"), labels),
    ]
    latents = count_latents(model, x, labels)
    return [*paragraph(text), "", *passes(trace), "", *latents, *warnings(problems)]


def examples(model: Model, source: str, n: int, seed: int) -> tuple[Array, Array | None]:
    """n examples of the data, chosen by the seed, and their labels if the model joins labels."""
    x, labels = read_data_for(model, source)
    model.check_as_given(x, source)
    chosen = stream(seed, "examples").permutation(len(x))[:n]  # (n,)
    labels = None if labels is None else labels[chosen]
    return x[chosen], labels_for(model, labels, source, len(chosen))


def structure(model: Model) -> list[str]:
    """What each player minimises, and the table of each network."""
    size = f"{model.parameter_count():,} parameters, {model.dtype}"
    lines = [*paragraph(str(model)), size]
    lines += scaling(model)
    for player in model.players:
        lines += ["", f"{player} minimises, mean per example:"]
        lines += [line for text in model.objective_text(player) for line in paragraph(text, "  ")]
    names: dict[Layer, str] = {}  # of the layers that have a row
    for name, network in model.networks.items():
        shape = network.in_shape
        lines += ["", *paragraph(f"{name}: {shape} -> {network.out_shape(shape)}")]
        lines += _table(name, list(places(network, shape, name)), names)
    return lines


def scaling(model: Model) -> list[str]:
    """How the model scales each column of x; no lines if it has no scaler."""
    if model.scaler is None:
        return []
    text = f"x is scaled by a {model.scaler}, (x - offset) / scale; everything below uses scaled x:"
    numbers = zip(model.scaler.offset, model.scaler.scale, strict=True)
    rows = [(f"{j}", f"{offset:.6g}", f"{scale:.6g}") for j, (offset, scale) in enumerate(numbers)]
    more = [f"  and {len(rows) - COLUMNS} more"] if len(rows) > COLUMNS else []
    head = ("column", "offset", "scale")
    return ["", *paragraph(text), *columns([head, *rows[:COLUMNS]], ">>>"), *more]


@dataclass(frozen=True)
class Place:
    """A layer at its place in a network, and the shape of its output there."""

    name: str
    layer: Layer
    out_shape: Shape


def places(layer: Layer, shape: Shape, name: str) -> Iterator[Place]:
    """All layers within `layer`, at every depth; `layer` takes examples of `shape`."""
    children = zip(layer.children(), layer.child_shapes(shape), strict=True)
    for i, (child, in_shape) in enumerate(children):
        yield Place(f"{name}.{i}", child, child.out_shape(in_shape))
        yield from places(child, in_shape, f"{name}.{i}")


def _table(network: str, rows: list[Place], names: dict[Layer, str]) -> list[str]:
    """The table of one network; adds its layers to `names`, which holds all layers with rows."""
    cells, remarks, total = [HEAD], [], 0
    for place in rows:
        layer = place.layer
        count, text, remark = _counted(place, names)
        names.setdefault(layer, place.name)
        total += count
        short = place.name.removeprefix(f"{network}.")
        cells.append((short, label(layer), layer.formula, str(place.out_shape), text))
        remarks += paragraph(remark, "  ")
    cells.append(("", "total", "", "", f"{total:,}"))
    return columns(cells, "<<<<>") + remarks


def _counted(place: Place, names: dict[Layer, str]) -> tuple[int, str, str]:
    """How many parameters the layer adds, the text of its cell, and a remark or ""."""
    layer, count = place.layer, own_count(place.layer)
    text = f"{count:,}" if count else ""
    if layer in names and (count or layer.borrows()):
        return 0, "shared", f"{place.name} is the same layer as {names[layer]}, counted there"
    if layer.borrows():
        owners = sorted({names.get(owner, str(owner)) for owner, _ in layer.borrows().values()})
        remark = f"{place.name} is tied: it uses weights of {', '.join(owners)}"
        return count, f"{text}, tied" if text else "tied", remark
    return count, text, ""


def own_count(layer: Layer) -> int:
    """The parameters of the layer itself; layers within it have their own rows."""
    return sum(math.prod(shape) for shape, _ in layer.parameters().values())


def passes(trace: Trace) -> list[str]:
    """The tables of all passes in each player's turn, and what their columns mean."""
    slopes = any(name.endswith(".penalty") for name in trace.passes)
    legend = [*LEGEND, SLOPE] if slopes else LEGEND
    return [*trace.lines(), "", *(line for text in legend for line in paragraph(text))]


def warnings(problems: list[str]) -> list[str]:
    """A warning for each problem, or a line that says there are none."""
    texts = [f"warning: {text}" for text in problems] or [HEALTHY]
    return [line for text in texts for line in paragraph(text)]
