"""Optimizers and schedules from options: the model's own, changed as the options say.

--optimizer adamw --weight-decay 0.1      AdamW(weight_decay=0.1) instead of the model's own
--lr-warm-up 100 --lr-schedule cosine     Chain(WarmUp(rate, 100), Cosine(rate, the rest))
--clip-norm 1                             ClipNorm(the optimizer, 1)
"""

import argparse
import dataclasses
from collections.abc import Callable
from typing import Any

from .. import optim
from ..ground.errors import OptionError
from ..models import Model
from ..optim import Chain, ClipNorm, Constant, Cosine, LinearDecay, Schedule, StepDecay, WarmUp

# The values of --optimizer and --lr-schedule; a schedule takes a rate and a number of moves.
OPTIMIZERS = {name: kind for name, kind in optim.OPTIMIZERS.items() if kind is not ClipNorm}
SCHEDULES: dict[str, Callable[[float, int], Schedule]] = {
    "constant": lambda rate, _: Constant(rate),
    "linear": LinearDecay,
    "step": lambda rate, moves: StepDecay(rate, max(1, moves // 3)),
    "cosine": Cosine,
}


def choose_optimizers(options: argparse.Namespace, model: Model, steps: int) -> dict[str, Any]:
    """The optimizer of each player."""
    chosen: dict[str, Any] = dict(model.optimizers(steps, options.learning_rate))
    for player, optimizer in chosen.items():
        if options.optimizer:
            kind: Any = OPTIMIZERS[options.optimizer]
            rate = options.learning_rate
            optimizer = kind() if rate is None else kind(rate)
        optimizer = dataclasses.replace(optimizer, **_settings(options, optimizer))
        if options.lr_schedule or options.lr_warm_up:
            moves = max(1, model.moves(player, steps))
            schedule = _schedule(options, optimizer, moves)
            optimizer = dataclasses.replace(optimizer, learning_rate=schedule)
        if options.clip_norm:
            optimizer = ClipNorm(optimizer, options.clip_norm)
        chosen[player] = optimizer
    return chosen


def _settings(options: argparse.Namespace, optimizer: Any) -> dict[str, Any]:
    """The settings of the optimizer that options give; OptionError for one that it lacks."""
    given = {name: getattr(options, name) for name in ("momentum", "weight_decay", "centred")}
    given = {name: value for name, value in given.items() if value is not None}
    known = {field.name for field in dataclasses.fields(optimizer)}
    for name in given:
        if name not in known:
            owners = [key for key, kind in OPTIMIZERS.items() if hasattr(kind, name)]
            raise OptionError(
                f"--{name.replace('_', '-')} is for --optimizer {' or '.join(owners)}, not for "
                f"{type(optimizer).__name__}"
            )
    return given


def _schedule(options: argparse.Namespace, optimizer: Any, moves: int) -> Any:
    """A warm-up to the optimizer's rate, if any, and then the named schedule or its own."""
    before = optimizer.learning_rate
    rate = getattr(before, "rate", before)
    own = "linear" if isinstance(before, LinearDecay) else "constant"
    warm_up = options.lr_warm_up or 0
    if warm_up >= moves:
        raise OptionError(f"--lr-warm-up {warm_up} is not below the {moves:,} moves of the run")
    rest = moves - warm_up
    schedule = SCHEDULES[options.lr_schedule or own](rate, rest)
    return Chain(WarmUp(rate, warm_up), schedule) if warm_up else schedule
