"""A schedule is a function from the step, counted from 0, to a learning rate.

    Constant        rate                                                        (1)
    LinearDecay     rate (1 - t / T) for t < T, then 0                          (2)
    StepDecay       rate factor^floor(t / every)                                (3)
    Cosine          least + (rate - least) (1 + cos(pi t / T)) / 2 for t < T,
                    then least                                                  (4)
    WarmUp          rate (t + 1) / T for t < T, then rate                       (5)
    Chain           one after the other, each counting its own steps from 0     (6)

t is the step, T is `steps`. Any function of a step can be a schedule, if it returns a finite number
of at least 0.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any, Self

import numpy as np

from ..ground.arguments import finite, whole
from ..ground.errors import OptionError
from ..ground.parts import Part, Registry, setting

Schedule = Callable[[int], float]
RATE, REACHED = "learning rate at the start", "learning rate at the end"
STEPS = "number of steps"


@dataclass(frozen=True)
class Constant(Part):
    """The same `rate` at every step; with 0 nothing moves.

    `steps` is its length as a part of a Chain; None is for ever.

    >>> Constant(0.1)(1000)
    0.1
    """

    rate: float = setting(check=finite, text=RATE, option="lr")
    steps: int | None = setting(None, whole, STEPS, least=1)

    def __call__(self, step: int) -> float:
        return self.rate  # (1)


@dataclass(frozen=True)
class LinearDecay(Part):
    """From `rate` at step 0 in a straight line down to 0 at step `steps`.

    >>> [LinearDecay(0.1, 4)(step) for step in (0, 2, 4)]
    [0.1, 0.05, 0.0]
    """

    rate: float = setting(check=finite, text=RATE, option="lr", above=True)
    steps: int = setting(check=whole, text=STEPS, least=1)

    def __call__(self, step: int) -> float:
        return self.rate * max(0.0, 1 - step / self.steps)  # (2)


@dataclass(frozen=True)
class StepDecay(Part):
    """`rate`, which is multiplied by `factor`, a number in (0, 1], every `every` steps.

    >>> [StepDecay(1.0, every=10, factor=0.5)(step) for step in (0, 9, 10, 20)]
    [1.0, 1.0, 0.5, 0.25]
    """

    rate: float = setting(check=finite, text=RATE, option="lr", above=True)
    every: int = setting(check=whole, text="steps between two changes", least=1)
    factor: float = setting(0.1, finite, "factor of each change", above=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.factor > 1:
            raise OptionError(
                f"StepDecay: factor={self.factor!r}: wants a number in (0, 1], such as 0.1"
            )

    def __call__(self, step: int) -> float:
        return self.rate * self.factor ** (step // self.every)  # (3)


@dataclass(frozen=True)
class Cosine(Part):
    """From `rate` at step 0 down to `least` at step `steps`, along half a wave; then `least`.

    Loshchilov and Hutter 2017 (SGDR), equation 5, without the restarts.

    >>> [round(Cosine(0.1, 4)(step), 3) for step in (0, 1, 2, 3, 4, 5)]
    [0.1, 0.085, 0.05, 0.015, 0.0, 0.0]
    """

    rate: float = setting(check=finite, text=RATE, option="lr", above=True)
    steps: int = setting(check=whole, text=STEPS, least=1)
    least: float = setting(0.0, finite, "learning rate at the end")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.least > self.rate:
            raise OptionError(
                f"Cosine: least={self.least!r}: wants at most the rate, which is {self.rate!r}"
            )

    def __call__(self, step: int) -> float:
        if step >= self.steps:
            return self.least
        wave = (1 + math.cos(math.pi * step / self.steps)) / 2  # from 1 to 0
        return self.least + (self.rate - self.least) * wave  # (4)


@dataclass(frozen=True)
class WarmUp(Part):
    """In a straight line up to `rate`, reached in the last of `steps` steps; then `rate`.

    The gradual warm-up of Goyal et al. 2017. The rate of the first step is rate / steps, not 0.

    >>> [WarmUp(1.0, 4)(step) for step in (0, 1, 2, 3, 4)]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """

    rate: float = setting(check=finite, text=REACHED, option="lr", above=True)
    steps: int = setting(
        check=whole, text="steps in which the rate rises", option="lr-warm-up", least=1
    )

    def __call__(self, step: int) -> float:
        return self.rate * (min(step + 1, self.steps) / self.steps)  # (5)


@dataclass(frozen=True, init=False)
class Chain(Part):
    """Schedules one after the other; each except the last takes its own `steps`.

    Any function with an attribute `steps` may come before the last, so chains nest.

    >>> chain = Chain(WarmUp(1.0, 2), Cosine(1.0, 4))
    >>> [round(chain(step), 3) for step in range(7)]
    [0.5, 1.0, 1.0, 0.854, 0.5, 0.146, 0.0]
    >>> chain.steps
    6
    """

    schedules: tuple[Schedule, ...]

    def __init__(self, *schedules: Schedule) -> None:
        """OptionError for no schedules, what is no schedule, and an endless one before the last."""
        object.__setattr__(self, "schedules", schedules)
        if not schedules:
            raise OptionError(
                "Chain() of no schedules: wants at least one, as in "
                "Chain(WarmUp(1e-3, 500), Cosine(1e-3, 4500))"
            )
        for part in schedules:
            if not is_schedule(part):
                raise OptionError(
                    f"Chain got {part!r}: wants schedules one by one, as in "
                    f"Chain(WarmUp(1e-3, 500), Cosine(1e-3, 4500))"
                )
        for part in schedules[:-1]:
            if _steps_of(part) is None:
                raise OptionError(
                    f"Chain: {_name_of(part)} has no steps and is not the last, so the schedule "
                    f"after it would never begin: put it last, or give it steps, as in "
                    f"Constant(1e-3, steps=500)"
                )
            whole(_steps_of(part), f"Chain: steps of {_name_of(part)}", least=1)

    @classmethod
    def of_settings(cls, settings: dict[str, Any]) -> Self:
        schedules = settings["schedules"]
        return cls(*schedules) if isinstance(schedules, tuple) else cls(schedules)

    @property
    def steps(self) -> int | None:
        """The length of the whole; None if the last part is endless."""
        steps = [_steps_of(part) for part in self.schedules]
        return None if steps[-1] is None else sum(steps)

    def __call__(self, step: int) -> float:
        for part in self.schedules[:-1]:
            if step < _steps_of(part):
                return part(step)  # (6)
            step -= _steps_of(part)
        return self.schedules[-1](step)


def is_schedule(value: Any) -> bool:
    """Whether `value` can be called with a step; the class `Cosine` cannot."""
    return callable(value) and not isinstance(value, type)


def rate_at(schedule: Schedule, step: int, what: str) -> float:
    """The rate of a step, counted from 0.

    OptionError, with the schedule and the step, unless it is a finite number of at least 0.
    """
    returned: Any = schedule(step)
    is_scalar = isinstance(returned, np.ndarray) and returned.ndim == 0  # as np.where returns
    rate = returned[()] if is_scalar else returned
    try:
        return finite(rate if isinstance(rate, Real) else None, "rate")
    except OptionError:
        raise OptionError(
            f"{what}: the schedule {_name_of(schedule)} returned {returned!r} at step {step}, "
            f"wants a finite number of at least 0: mend the schedule, or take one of "
            f"scratchgen.optim, such as LinearDecay(1e-3, 1000)"
        ) from None


SCHEDULES = Registry(
    "schedule",
    "scratchgen.optim.SCHEDULES",
    {
        "constant": Constant,
        "linear": LinearDecay,
        "step": StepDecay,
        "cosine": Cosine,
        "warm_up": WarmUp,
        "chain": Chain,
    },
)


def _steps_of(schedule: Schedule) -> Any:
    return getattr(schedule, "steps", None)


def _name_of(schedule: Schedule) -> str:
    return getattr(schedule, "__name__", repr(schedule))
