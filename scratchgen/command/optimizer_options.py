"""Optimizers and schedules from the words of a command: the model's own, but for what was asked.

--optimizer adamw --weight-decay 0.1      AdamW(weight_decay=0.1) in place of the model's choice
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

# What --optimizer may name, and --lr-schedule: of a rate, and the moves that it lasts.
OPTIMIZERS = {name: kind for name, kind in optim.OPTIMIZERS.items() if kind is not ClipNorm}
SCHEDULES: dict[str, Callable[[float, int], Schedule]] = {
    "constant": lambda rate, _: Constant(rate),
    "linear": LinearDecay,
    "step": lambda rate, moves: StepDecay(rate, max(1, moves // 3)),
    "cosine": Cosine,
}


def chosen_optimizers(options: argparse.Namespace, model: Model, steps: int) -> dict[str, Any]:
    """The model's own optimizers, but for what was asked for."""
    chosen: dict[str, Any] = dict(model.optimizers(steps, options.learning_rate))
    for player, one in chosen.items():
        if options.optimizer:
            kind: Any = OPTIMIZERS[options.optimizer]
            one = kind() if options.learning_rate is None else kind(options.learning_rate)
        one = dataclasses.replace(one, **_rule(options, one))
        if options.lr_schedule or options.lr_warm_up:
            moves = max(1, model.moves(player, steps))
            one = dataclasses.replace(one, learning_rate=_schedule(options, one, moves))
        if options.clip_norm:
            one = ClipNorm(one, options.clip_norm)
        chosen[player] = one
    return chosen


def _rule(options: argparse.Namespace, optimizer: Any) -> dict[str, Any]:
    """The settings of an optimizer's rule that were asked for; OptionError if it has no such."""
    asked = {name: getattr(options, name) for name in ("momentum", "weight_decay", "centred")}
    asked = {name: value for name, value in asked.items() if value is not None}
    known = {field.name for field in dataclasses.fields(optimizer)}
    for name in asked:
        if name not in known:
            having = [key for key, kind in OPTIMIZERS.items() if hasattr(kind, name)]
            raise OptionError(
                f"--{name.replace('_', '-')} is of --optimizer {' or '.join(having)}, not of "
                f"{type(optimizer).__name__}"
            )
    return asked


def _schedule(options: argparse.Namespace, optimizer: Any, moves: int) -> Any:
    """From the optimizer's first rate: warm-up, if any, and then the schedule that was named.

    Where none was named, the one that the optimizer has.
    """
    before = optimizer.learning_rate
    rate = getattr(before, "rate", before)
    own = "linear" if isinstance(before, LinearDecay) else "constant"
    warm_up = options.lr_warm_up or 0
    if warm_up >= moves:
        raise OptionError(f"--lr-warm-up {warm_up} is not below the {moves:,} moves of the run")
    rest = moves - warm_up
    made = SCHEDULES[options.lr_schedule or own](rate, rest)
    return Chain(WarmUp(rate, warm_up), made) if warm_up else made
