"""`scratchgen explain`: a network layer by layer, and, with data, what happens in it.

The first part reads the model: layers, formulas, shapes, counts. The second is a trace of one batch
in which nothing moves: the mean and the spread of what every layer gives, and the norms of the
gradients that come back.
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
from . import folders

EXAMPLES = 256
COLUMNS = 8  # whose scaling is shown
HEAD = ("", "layer", "formula", "output", "parameters")
LEGEND = (
    "flat: share of units always 0 (ReLU), of numbers at the ends (Tanh, Sigmoid)",
    "|dL/dy|: norm of dL/d(what the layer gives), L being what the player minimises",
    "|dL/dp|: norm of dL/d(the layer's parameters), all passes of the player together",
)
HEALTHY = (
    "no warnings: nothing is dead, saturated, vanishing, exploding, NaN, infinite or collapsed"
)
SLOPE = "in the penalty's pass |dL/dy| is that of D itself, summed over the examples: its slope"


def explain(options: argparse.Namespace) -> int:
    """Print a model layer by layer, and with --data what happens in it."""
    model, _ = folders.find_model(options.run)
    lines = structure(model)
    if options.data is not None:
        seed = chosen_seed(options.seed)
        lines += ["", *on_data(model, options.data, options.n or EXAMPLES, seed)]
    else:
        for value, word in ((options.seed, "--seed"), (options.n, "-n")):
            if value is not None:
                raise OptionError(f"{word} {value} is of the examples shown: name --data too")
    to_stdout(*lines)
    return 0


def on_data(model: Model, source: str, n: int, seed: int) -> list[str]:
    """What happens in the model on n examples of the data called `source`."""
    x, labels = examples(model, source, n, seed)
    with np.errstate(all="ignore"):  # what is not finite is shown
        trace = model.trace(x, stream(seed, "noise"), labels)
    shown = f"{len(x):,} examples of {source}, seed {seed}"
    text = f"On {shown}, as in a step of training, but nothing moves:"
    problem = scale_problem(model, x, source)
    found = [
        *([problem] if problem else []),
        *symptoms(trace),
        *collapse(model, x, stream(seed, "samples"), labels),
    ]
    used = folders.latents_in_use(model, x, labels)
    return [*paragraph(text), "", *live(trace), "", *used, *warnings(found)]


def examples(model: Model, source: str, n: int, seed: int) -> tuple[Array, Array | None]:
    """n examples of the data, drawn with that seed, and their labels if the model joins them."""
    x, labels = folders.read_data_of(model, source)
    model.check_as_given(x, source)
    shown = stream(seed, "examples").permutation(len(x))[:n]  # (n,)
    chosen = None if labels is None else labels[shown]
    return x[shown], folders.labels_of(model, chosen, source, len(shown))


def structure(model: Model) -> list[str]:
    """What the model is: what each player minimises, and the table of each network."""
    size = f"{model.parameter_count():,} parameters, {model.dtype}"
    lines = [*paragraph(str(model)), size]
    lines += scaling(model)
    for player in model.players:
        lines += ["", f"{player} minimises, mean per example:"]
        lines += [line for text in model.objective_text(player) for line in paragraph(text, "  ")]
    met: dict[Layer, str] = {}
    for name, network in model.networks.items():
        shape = network.in_shape
        lines += ["", *paragraph(f"{name}: {shape} -> {network.out_shape(shape)}")]
        lines += _table(name, list(places(network, shape, name)), met)
    return lines


def scaling(model: Model) -> list[str]:
    """How its scaler scales each column; nothing where it has none."""
    if model.scaler is None:
        return []
    text = f"x is scaled by a {model.scaler}, (x - offset) / scale; all below is of scaled x:"
    numbers = zip(model.scaler.offset, model.scaler.scale, strict=True)
    rows = [(f"{j}", f"{offset:.6g}", f"{scale:.6g}") for j, (offset, scale) in enumerate(numbers)]
    more = [f"  and {len(rows) - COLUMNS} more"] if len(rows) > COLUMNS else []
    head = ("column", "offset", "scale")
    return ["", *paragraph(text), *columns([head, *rows[:COLUMNS]], ">>>"), *more]


@dataclass(frozen=True)
class Place:
    """A layer where it stands, and the shape of what it gives there."""

    name: str
    layer: Layer
    gives: Shape


def places(layer: Layer, shape: Shape, name: str) -> Iterator[Place]:
    """Every layer within `layer`, which is given examples of `shape`, those within them too."""
    children = zip(layer.children(), layer.child_shapes(shape), strict=True)
    for i, (child, given) in enumerate(children):
        yield Place(f"{name}.{i}", child, child.out_shape(given))
        yield from places(child, given, f"{name}.{i}")


def _table(network: str, rows: list[Place], met: dict[Layer, str]) -> list[str]:
    """The table of one network; `met` holds the layers with rows so far, and gets these."""
    cells, remarks, total = [HEAD], [], 0
    for place in rows:
        layer = place.layer
        count, text, remark = _counted(place, met)
        met.setdefault(layer, place.name)
        total += count
        short = place.name.removeprefix(f"{network}.")
        cells.append((short, label(layer), layer.formula, str(place.gives), text))
        remarks += paragraph(remark, "  ")
    cells.append(("", "total", "", "", f"{total:,}"))
    return columns(cells, "<<<<>") + remarks


def _counted(place: Place, met: dict[Layer, str]) -> tuple[int, str, str]:
    """What the layer adds to the count, the text of its cell, and a remark where one is due."""
    layer, count = place.layer, own_count(place.layer)
    text = f"{count:,}" if count else ""
    if layer in met and (count or layer.borrows()):
        return 0, "shared", f"{place.name} is the same layer as {met[layer]}, counted there"
    if layer.borrows():
        owners = sorted({met.get(of, str(of)) for of, _ in layer.borrows().values()})
        remark = f"{place.name} is tied: it uses weights of {', '.join(owners)}"
        return count, f"{text}, tied" if text else "tied", remark
    return count, text, ""


def own_count(layer: Layer) -> int:
    """How many numbers are trained in the layer itself; those of layers within have own rows."""
    return sum(math.prod(shape) for shape, _ in layer.parameters().values())


def live(trace: Trace) -> list[str]:
    """What happened in each player's turn: a table of each pass."""
    slopes = any(name.endswith(".penalty") for name in trace.passes)
    legend = [*LEGEND, SLOPE] if slopes else LEGEND
    return [*trace.lines(), "", *(line for text in legend for line in paragraph(text))]


def warnings(found: list[str]) -> list[str]:
    """What is wrong, or that nothing is."""
    texts = [f"warning: {text}" for text in found] or [HEALTHY]
    return [line for text in texts for line in paragraph(text)]
