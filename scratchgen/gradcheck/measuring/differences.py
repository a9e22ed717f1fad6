"""The derivative of a function along a direction, from its values alone, with an error bar.

Of phi(t) = <w, f(x + t u)>, the derivative at t = 0 is wanted.

    D(h) = <w, f(x + h u) - f(x - h u)> / 2h           = phi'(0) + c_1 h^2 + c_2 h^4 + ...     (1)
    T_k0 = D(h_k),   h_k = h_0 / r^k                                                           (2)
    T_km = T_k,m-1 + (T_k,m-1 - T_k-1,m-1) / (r^2m - 1)     takes c_m h^2m away                (3)
    error of T_km: max(|T_km - T_k,m-1|, |T_km - T_k-1,m-1|) + noise of T_km + eps |T_km|      (4)

Small steps drown in rounding, |noise of phi| / h; large ones in curvature. The tableau (3) makes
large steps exact enough, and (4) chooses among all. The difference in (1) is taken entry by entry,
before w sums it up: summing first would round away what is small.

Two ladders of steps with different ratios r are climbed independently, since by chance one alone
can agree with itself about a wrong number. And whatever the tableaux choose must be borne out by
the finer steps, to within their noise and their curvature:

    excess = max over h < H of |D(h) - T| - 10 noise / h - 4 |D(H) - T| (h / H)^2              (5)

with H the finest step that T uses, and h / H in place of its square for one-sided differences. Two
more things speak against T. The four finest steps agree with each other thirty times better than
with T. Or, unless 0 is what is claimed, T is 0 since small steps leave f where it is, to the bit,
and the first change that is seen is no larger than what rounding inside f would make of a slope.

One-sided differences, (f(x + h u) - f(x)) / h and the like, have all powers of h in their error, so
that their tableau divides by r^m - 1. Where the left and the right one disagree, x sits on a kink.
Sources: Richardson 1911; Ridders 1982 for (4).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ...ground.arguments import Array
from ..results import Ladder

COLUMNS = 6  # of a tableau
LADDERS = ((0.08, 2.0), (0.05, 1.6))  # first step and ratio
FEW, MANY = 10, 20  # steps of each ladder: to begin with, and where these do not do
COARSER = 3  # steps above the first, beside the many: for functions that are all noise
FINEST, AGREEING = 4, 30  # so many steps, agreeing so many times better
QUANTUM = 2e-3  # change of phi, in units of |w * f|, that rounding inside f can make: float16
LEAST = 1e-15  # change of phi that rounding of a 1 inside f can make
FINE = (1e-5, 1e-6)  # steps that are taken to contradict, not to measure

EPS = float(np.finfo(np.float64).eps)
Values = Callable[[float], tuple[Array, ...]]  # h -> f(x + h u), output by output


@dataclass
class Side:
    """A derivative and its error, as one tableau has it; the finest and widest step it uses."""

    value: float
    error: float
    step: float
    widest: float


@dataclass
class Slope:
    """phi'(0) as measured: its value and error, from both ladders.

    Attributes:
        value, error: of the better ladder; the error is the worst that anything speaks for.
        scale: sum_j |w_j| |f_j(x + h u) - f_j(x - h u)| / 2h, at the finest step used.
        reach: sum_j |w_j| |f_j(x + h u) - f_j(x - h u)| at the step where it is largest.
        still: the distance 2h up to which all steps have D(h) = 0, exactly; 0 without any.
        hidden: the slope that rounding inside f could hide, where `value` is 0 for that reason.
        widest: the largest step that `value` was made from.
        left, right: one-sided derivatives, from all steps.
    """

    value: float
    error: float
    scale: float
    reach: float
    still: float
    hidden: float
    widest: float
    left: Side
    right: Side
    ladders: tuple[Ladder, ...]

    def is_kink(self, surely: bool = True) -> bool:
        """Whether left and right derivatives differ by more than their errors; surely, by far."""
        apart = abs(self.left.value - self.right.value)
        return apart > (10 if surely else 1) * (self.left.error + self.right.error)


@dataclass
class Climb:
    """The differences of f along one direction, at steps that may be added to."""

    f: Values
    w: tuple[Array, ...]
    centre: tuple[Array, ...]  # f(x)
    noise: float  # of phi
    central: dict[float, float] = field(default_factory=dict)  # h -> D(h)
    right: dict[float, float] = field(default_factory=dict)
    left: dict[float, float] = field(default_factory=dict)
    size: dict[float, float] = field(default_factory=dict)  # h -> the scale at h

    def take(self, h: float) -> None:
        """Evaluate (1) at h, unless that was done before."""
        if h in self.central:
            return
        above = tuple(y.copy() for y in self.f(h))
        below = self.f(-h)
        up = down = both = size = 0.0
        for w, high, low, middle in zip(self.w, above, below, self.centre, strict=True):
            change = high - low
            up += float(np.vdot(w, high - middle))
            down += float(np.vdot(w, middle - low))
            both += float(np.vdot(w, change))
            size += float(np.vdot(abs(w), abs(change)))
        self.central[h] = both / (2 * h)  # (1)
        self.right[h], self.left[h], self.size[h] = up / h, down / h, size / (2 * h)

    def ladder(self, first: float, ratio: float, levels: int) -> list[float]:
        """The steps of a ladder (2), all evaluated."""
        coarser = COARSER if levels == MANY else 0
        steps = [first / ratio**k for k in range(-coarser, levels)]
        for h in steps:
            self.take(h)
        return steps

    def slope(self, levels: int) -> Slope:
        """phi'(0) from FEW or MANY steps of each ladder."""
        for h in FINE:
            self.take(h)
        climbed = [(self.ladder(first, ratio, levels), ratio) for first, ratio in LADDERS]
        sides = [self._side(steps, self.central, ratio, 2) for steps, ratio in climbed]
        one, other = sides
        chosen = min(sides, key=lambda side: side.error)
        error = max(one.error, other.error, abs(one.value - other.value))
        error = max(error, self._against(chosen.value))
        steps, ratio = climbed[0]
        return Slope(
            chosen.value,
            error,
            self.size[chosen.step],
            max((2 * h * size for h, size in self.size.items() if size == size), default=0.0),
            self._still(),
            self._hidden(chosen.value),
            chosen.widest,
            self._side(steps, self.left, ratio, 1),
            self._side(steps, self.right, ratio, 1),
            tuple(
                Ladder(np.array(steps), np.array([self.central[h] for h in steps]))
                for steps, _ in climbed
            ),
        )

    def _against(self, value: float) -> float:
        """How far the finest steps are from `value`, if they agree among themselves; else 0."""
        finest = sorted(self.central)[:FINEST]
        d = np.array([self.central[h] for h in finest])
        off = float(min(abs(d - value)))
        return off if off > AGREEING * float(np.ptp(d)) else 0.0

    def _hidden(self, value: float) -> float:
        """The slope that rounding inside f could hide where it does not move; 0 where it does."""
        changes = [2 * h * abs(d) for h, d in self.central.items() if d != 0]
        still = self._still()
        if value != 0 or not still:
            return 0.0
        squares = (float(np.sum((a * b) ** 2)) for a, b in zip(self.w, self.centre, strict=True))
        quantum = max(LEAST, min(changes, default=0.0))
        allowed = LEAST + QUANTUM * sum(squares) ** 0.5
        return quantum / still if quantum <= allowed else 0.0

    def _still(self) -> float:
        """The distance 2h up to which all steps have D(h) = 0."""
        reached = 0.0
        for h in sorted(self.central):
            if self.central[h] != 0:
                break
            reached = 2 * h
        return reached

    def _side(self, steps: list[float], values: dict[float, float], r: float, power: int) -> Side:
        """What a tableau has chosen, its error no less than what finer steps have against it."""
        side = best(steps, values, r, power, self.noise)
        h, d = np.array(list(values.items())).T
        curved = 4 * abs(values[side.step] - side.value) * (h / side.step) ** power
        excess = abs(d - side.value) - 10 * self.noise / h - curved  # (5)
        against = float(np.max(excess, where=h < side.step, initial=0.0))
        return Side(side.value, max(side.error, against), side.step, side.widest)


def best(
    steps: list[float], values: dict[float, float], ratio: float, power: int, noise: float
) -> Side:
    """The entry of the tableau (3) whose error (4) is smallest; powers of h go up by `power`."""
    found = Side(values[steps[-1]], np.inf, steps[-1], steps[-1])
    above: list[tuple[float, float]] = []  # the row before: value and noise
    for h in steps:
        row = [(values[h], noise / h)]
        for m in range(1, min(len(above), COLUMNS - 1) + 1):
            q = ratio ** (power * m)
            (left, its_noise), (before, old_noise) = row[-1], above[m - 1]
            value = left + (left - before) / (q - 1)  # (3)
            row.append((value, (q * its_noise + old_noise) / (q - 1)))
            error = max(abs(value - left), abs(value - before)) + row[-1][1] + EPS * abs(value)
            if error < found.error:
                found = Side(value, error, h, h * ratio**m)
        above = row
    return found
