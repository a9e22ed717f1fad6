"""The derivative of a function along a direction, from its values alone, with an error bar.

Let phi(t) = <w, f(x + t u)>, for a direction u and weights w of the outputs. We want phi'(0).

    D(h) = <w, f(x + h u) - f(x - h u)> / 2h           = phi'(0) + c_1 h^2 + c_2 h^4 + ...     (1)
    T_k0 = D(h_k),   h_k = h_0 / r^k                                                           (2)
    T_km = T_k,m-1 + (T_k,m-1 - T_k-1,m-1) / (r^2m - 1)     removes c_m h^2m                   (3)
    error of T_km: max(|T_km - T_k,m-1|, |T_km - T_k-1,m-1|) + noise of T_km + eps |T_km|      (4)

The error of D(h) at small steps is rounding, its noise: that of phi, divided by h. At large steps
it is curvature, c_1 h^2. The tableau (3) combines each entry with the one above it, so that column
m has no h^2 ... h^2m: that makes large steps accurate. The noise of an entry is at most what (3)
makes of the noises of the two. (4) chooses the best entry. The difference in (1) is taken entry by
entry, and only then summed with w: summing first would round small changes away.

Two ladders of steps, with different ratios r, are measured independently, because a single ladder
can agree with itself on a wrong number by chance. The finer steps must confirm the entry T that was
chosen, to within their noise and their curvature:

    excess = max over h < H of |D(h) - T| - 10 noise / h - 4 |D(H) - T| (h / H)^2              (5)

H is the finest step that T uses. (One-sided differences have h / H in place of its square.) Two
more observations speak against T:

- The four finest steps agree with each other thirty times better than with T.
- T is 0 because small steps leave f unchanged to the bit. At the first step that changes f, the
  change is no larger than rounding inside f can make it. If the backward pass then claims another
  slope than 0, rounding may hide it.

The error of a one-sided difference, (f(x + h u) - f(x)) / h, contains all powers of h, so its
tableau divides by r^m - 1. Where the left and the right derivative differ, x lies on a kink.
Sources: Richardson 1911; Ridders 1982 for (4).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ...ground.arguments import Array
from ..results import Ladder

EPS = float(np.finfo(np.float64).eps)
LADDERS = ((0.08, 2.0), (0.05, 1.6))  # h_0 and r of (2)
FEW, MANY = 10, 20  # steps of each ladder: at first, and where these are not enough
Values = Callable[[float], tuple[Array, ...]]  # h -> f(x + h u), output by output


@dataclass
class Side:
    """The best entry of one tableau: its value and error, its finest and its widest step."""

    value: float
    error: float
    step: float
    widest: float


def best_entry(
    steps: list[float], values: dict[float, float], ratio: float, power: int, noise: float
) -> Side:
    """The entry of the tableau (3) with the smallest error (4); `power`: 2 if central, else 1."""
    chosen = Side(values[steps[-1]], np.inf, steps[-1], steps[-1])
    above: list[tuple[float, float]] = []  # the previous row: values and their noise
    for h in steps:
        row = [(values[h], noise / h)]
        for m in range(1, min(len(above), COLUMNS - 1) + 1):
            q = ratio ** (power * m)
            (left, left_noise), (upper, upper_noise) = row[-1], above[m - 1]
            value = left + (left - upper) / (q - 1)  # (3)
            row.append((value, (q * left_noise + upper_noise) / (q - 1)))
            error = (
                max(abs(value - left), abs(value - upper)) + row[-1][1] + EPS * abs(value)
            )  # (4)
            if error < chosen.error:
                chosen = Side(value, error, h, h * ratio**m)
        above = row
    return chosen


@dataclass
class Slope:
    """phi'(0) as measured by both ladders.

    Attributes:
        value, error: the value of the better ladder, and the largest error that any test suggests.
        scale: sum_j |w_j| |f_j(x + h u) - f_j(x - h u)| / 2h, at the finest step in use.
        largest_change: sum_j |w_j| |f_j(x + h u) - f_j(x - h u)|, the largest over all steps.
        flat_up_to: the distance 2h up to which all steps have D(h) = 0, exactly; 0 without any.
        hidden: the slope that rounding inside f could hide, where `value` is 0 for that reason.
        widest: the largest step that enters `value`.
        left, right: one-sided derivatives, from all steps.
        ladders: the steps of each ladder, with D(h).
    """

    value: float
    error: float
    scale: float
    largest_change: float
    flat_up_to: float
    hidden: float
    widest: float
    left: Side
    right: Side
    ladders: tuple[Ladder, ...]

    def is_kink(self, surely: bool = True) -> bool:
        """Whether left and right slopes differ by more than their errors; `surely`: ten times."""
        gap = abs(self.left.value - self.right.value)
        return gap > (10 if surely else 1) * (self.left.error + self.right.error)


@dataclass
class LineDifferences:
    """The differences of f along one direction, at as many steps as a verdict needs."""

    f: Values
    w: tuple[Array, ...]
    centre: tuple[Array, ...]  # f(x)
    noise: float  # of phi
    central: dict[float, float] = field(default_factory=dict)  # h -> D(h)
    right: dict[float, float] = field(default_factory=dict)
    left: dict[float, float] = field(default_factory=dict)
    size: dict[float, float] = field(default_factory=dict)  # h -> the scale at h

    def evaluate(self, h: float) -> None:
        """(1) at h, unless it is known already."""
        if h in self.central:
            return
        above = tuple(y.copy() for y in self.f(h))
        below = self.f(-h)
        up = down = across = size = 0.0
        for w, high, low, middle in zip(self.w, above, below, self.centre, strict=True):
            change = high - low
            up += float(np.vdot(w, high - middle))
            down += float(np.vdot(w, middle - low))
            across += float(np.vdot(w, change))
            size += float(np.vdot(abs(w), abs(change)))
        self.central[h] = across / (2 * h)  # (1)
        self.right[h], self.left[h], self.size[h] = up / h, down / h, size / (2 * h)

    def ladder(self, first: float, ratio: float, levels: int) -> list[float]:
        """The steps of a ladder (2), all evaluated."""
        coarser = COARSER if levels == MANY else 0
        steps = [first / ratio**k for k in range(-coarser, levels)]
        for h in steps:
            self.evaluate(h)
        return steps

    def slope(self, levels: int) -> Slope:
        """phi'(0) from FEW or MANY steps of each ladder."""
        for h in FINE:
            self.evaluate(h)
        ladders = [(self.ladder(first, ratio, levels), ratio) for first, ratio in LADDERS]
        sides = [self._side(steps, self.central, ratio, 2) for steps, ratio in ladders]
        first, second = sides
        chosen = min(sides, key=lambda side: side.error)
        error = max(first.error, second.error, abs(first.value - second.value))
        error = max(error, self._contradiction(chosen.value))
        steps, ratio = ladders[0]
        changes = (2 * h * size for h, size in self.size.items() if not math.isnan(size))
        return Slope(
            value=chosen.value,
            error=error,
            scale=self.size[chosen.step],
            largest_change=max(changes, default=0.0),
            flat_up_to=self._flat_up_to(),
            hidden=self._hidden(chosen.value),
            widest=chosen.widest,
            left=self._side(steps, self.left, ratio, 1),
            right=self._side(steps, self.right, ratio, 1),
            ladders=tuple(
                Ladder(np.array(steps), np.array([self.central[h] for h in steps]))
                for steps, _ in ladders
            ),
        )

    def _contradiction(self, value: float) -> float:
        """How far the finest steps are from `value`, where they agree with each other; else 0."""
        finest = sorted(self.central)[:FINEST]
        d = np.array([self.central[h] for h in finest])
        off = float(min(abs(d - value)))
        return off if off > AGREEING * float(np.ptp(d)) else 0.0

    def _hidden(self, value: float) -> float:
        """The slope that rounding inside f could hide where f does not change; 0 where it does."""
        changes = [2 * h * abs(d) for h, d in self.central.items() if d != 0]
        flat = self._flat_up_to()
        if value != 0 or not flat:
            return 0.0
        squares = (float(np.sum((a * b) ** 2)) for a, b in zip(self.w, self.centre, strict=True))
        quantum = max(LEAST, min(changes, default=0.0))
        allowed = LEAST + QUANTUM * sum(squares) ** 0.5
        return quantum / flat if quantum <= allowed else 0.0

    def _flat_up_to(self) -> float:
        """The largest 2h such that D = 0 at h and all smaller steps."""
        reached = 0.0
        for h in sorted(self.central):
            if self.central[h] != 0:
                break
            reached = 2 * h
        return reached

    def _side(self, steps: list[float], values: dict[float, float], r: float, power: int) -> Side:
        """The best entry of a tableau, with an error no smaller than the excess of finer steps."""
        side = best_entry(steps, values, r, power, self.noise)
        h, d = np.array(list(values.items())).T
        curvature = 4 * abs(values[side.step] - side.value) * (h / side.step) ** power
        excess = abs(d - side.value) - 10 * self.noise / h - curvature  # (5)
        largest = float(np.max(excess, where=h < side.step, initial=0.0))
        return Side(side.value, max(side.error, largest), side.step, side.widest)


COLUMNS = 6  # of a tableau
COARSER = 3  # steps above the first, with MANY: for functions that are mostly noise
FINE = (1e-5, 1e-6)  # steps that may contradict a result, but do not enter it

# what speaks against T, as the top of this file says
FINEST, AGREEING = 4, 30  # how many steps, and how many times better they must agree
QUANTUM = 2e-3  # change of phi, in units of |w * f|, that rounding inside f can cause: float16
LEAST = 1e-15  # change of phi that rounding a 1 inside f can cause
