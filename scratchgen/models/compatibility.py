"""Checks that the parts of a model fit each other; errors say which do not, and what to do."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..data.scaling import Scaler
from ..ground.arguments import Array, Shape
from ..ground.errors import DataError, KindError, OptionError, ShapeError
from ..ground.parts import choose
from ..losses import PENALTIES, Penalty
from ..nn import Layer, Network, distinct_leaves

Bounds = (
    tuple[float, float, str] | None
)  # (low, high, reason), of the numbers that a model generates


def expect_players(players: Any, name: str) -> None:
    """OptionError unless `players` maps each player to a tuple of names of networks."""
    networks = players.values() if isinstance(players, Mapping) else [None]
    if not all(isinstance(names, tuple | list) for names in networks):
        raise OptionError(
            f"the players of {name} are {players!r}: wants the networks that each moves, such as "
            f'{{"vae": ("encoder", "decoder")}}'
        )


def expect_networks(networks: Mapping[str, Any]) -> None:
    """KindError unless each is a Network."""
    for name, network in networks.items():
        if not isinstance(network, Network):
            raise KindError(
                f"{name}={network!r}: wants a Network, such as Network((2,), Dense(2, 8)) of sg.nn"
            )


def latent_of(network: Network, name: str) -> int:
    """The size of the z that the network takes; OptionError unless it takes a vector."""
    if len(network.in_shape) != 1:
        raise OptionError(f"the {name} takes {network.in_shape}: wants (latent,)")
    return network.in_shape[0]


def expect_output(network: Network, name: str, shape: Shape, reason: str) -> None:
    """ShapeError unless `network` returns examples of `shape`, with the reason why it should."""
    out = network.out_shape(network.in_shape)
    if out != shape:
        reshape = "Flatten()" if len(shape) == 1 else f"Reshape({shape})"
        advice = f"end it in {math.prod(shape)} numbers"
        if math.prod(out) == math.prod(shape):
            advice = f"put {reshape} at its end"
        elif len(shape) > 1:
            advice += f" and {reshape}"
        raise ShapeError(f"the {name} gives {out}, wants {shape}, because {reason}: {advice}")


def expect_own_layers(
    networks: Mapping[str, Network], players: Mapping[str, tuple[str, ...]]
) -> None:
    """OptionError if networks of different players share a layer with parameters or state.

    Networks that the same players move may share layers.
    """
    movers = {
        name: tuple(player for player, moved in players.items() if name in moved)
        for name in networks
    }
    network_of: dict[Layer, str] = {}  # the first network with that layer
    for name, network in networks.items():
        for layer in distinct_leaves(network):
            if not (layer.parameters() or layer.state()):
                continue
            first = network_of.setdefault(layer, name)
            if movers[first] != movers[name]:
                raise OptionError(
                    f"{layer} is in the {first}, which is moved by {_listed(movers[first])}, "
                    f"and in the {name}, which is moved by {_listed(movers[name])}: build a layer "
                    f"for each"
                )
    for name, network in networks.items():
        for layer in distinct_leaves(network):
            for lender, _ in layer.borrows().values():
                if lender not in network_of:
                    continue
                players_of_lender = movers[network_of[lender]]
                if players_of_lender != movers[name]:
                    raise OptionError(
                        f"{layer} of the {name} uses the weights of a {lender} that is not trained "
                        f"with it, but by {' and '.join(players_of_lender)}: put that layer object "
                        f"into a network of {' and '.join(movers[name])}"
                    )


def fitting_penalty(choice: Any, discriminator: Network) -> Penalty | None:
    """The penalty, chosen by name or not; OptionError if the discriminator has no tangent."""
    penalty: Penalty | None = choose(choice, PENALTIES, Penalty)
    if penalty is not None and (reason := discriminator.why_no_tangent()):
        raise OptionError(
            f"penalty={penalty.name}: the discriminator cannot be penalised because {reason}"
        )
    return penalty


def _listed(players: tuple[str, ...]) -> str:
    """`autoencoder and generator`, or `nobody`."""
    return " and ".join(players) or "nobody"


def fitting_scaler(
    scaler: Any, kind: str, shape: Shape, bounds: Bounds, is_density: bool
) -> Scaler | None:
    """The scaler, if it fits the model; otherwise KindError, OptionError or ShapeError."""
    if scaler is None:
        return None
    if not isinstance(scaler, Scaler):
        raise KindError(
            f"scaler={scaler!r}: wants sg.data.Scaler.standard(x) or sg.data.Scaler.min_max(x),"
            f" fitted on the data x to train on"
        )
    if len(shape) > 1:
        raise OptionError(
            f"a {scaler} is for vectors (D,), and this {kind} is of {shape}: divide "
            f"pictures, whose numbers share a unit, by the largest; or take "
            f"x.reshape(len(x), -1) and a model of ({math.prod(shape)},)"
        )
    if shape != (scaler.width,):
        raise ShapeError(
            f"the {scaler} has {scaler.width} columns, and this {kind} is of {shape}: "
            f"fit it on the data to train on"
        )
    if not bounds and not is_density:
        raise OptionError(
            f"a {scaler} does not go with this {kind}, because classes are no "
            f"measurements: leave it out, or take another likelihood"
        )
    if bounds and scaler.name == "standard":
        raise OptionError(
            f"a {scaler} does not go with this {kind}, because {bounds[2]}, and scaled "
            f"numbers would leave [{bounds[0]:g}, {bounds[1]:g}]: take a min_max scaler"
        )
    return scaler


def expect_range(y: Array, what: str, bounds: Bounds, scaler: Scaler) -> None:
    """DataError for scaled data y (N, D) outside the range that the model can generate."""
    if not bounds:
        return
    low, high, reason = bounds
    bad = np.flatnonzero(((y < low) | (y > high)).any(axis=0))
    if len(bad):
        j = bad[0]
        least, most = (scaler.undo(np.full((1, scaler.width), edge))[0, j] for edge in (low, high))
        column = scaler.undo(y[:, [j] * scaler.width])[:, j]
        raise DataError(
            f"column {j} of {what} goes from {column.min():g} to {column.max():g}, wants values in "
            f"[{least:g}, {most:g}], the range that the {scaler} was fitted on, because {reason}: "
            f"cut them with np.clip, or fit the scaler on data of the whole range"
        )
