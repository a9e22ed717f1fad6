"""Handwritten digits drawn from stroke skeletons, bent, slanted and inked anew in every picture.

A digit is a few strokes through control points c_i of a unit box (x to the right, y down). For
each picture the points are moved, joined by smooth curves p, slanted and turned, fitted to the
paper as q (pixels), and every pixel u is inked by its distance to the curve points q_1 ... q_K.
Mean, width and height are those of all p' of a digit:

    c'   = c + L z,   z ~ N(0, 1),   L L^T = WOBBLE^2 exp(-|c_i - c_j|^2 / (2 REACH^2))      (1)
    p(t) = [1, t, t^2, t^3] M [c'_{i-1}, c'_i, c'_{i+1}, c'_{i+2}]^T,   0 < t < 1            (2)
    p'   = R(turn) [[stretch, -slant], [0, 1]] p                                             (3)
    q    = centre + (fill BOX - 2 r) (p' - mean) / max(width, height)                        (4)
    r_k  = r (1 + press cos(2 pi (k / K + phase))),   r half the thickness of the pen        (5)
    d(u) = min_k |u - q_k| / r_k                                                             (6)
    ink  = clip(1/2 + (1 - d) r / EDGE, 0, 1)                                                (7)

(1) is a Gaussian process over the box: points near each other move together, so strokes that
touch still touch and a loop stays a loop. (2) is the Catmull-Rom spline, which passes through its
control points (Catmull and Rom, "A class of local interpolating splines", 1974). (4) leaves room
for half a stroke on either side, so thick and thin digits are equally large; a digit whose centre
would put ink off the paper is pushed back onto it.
"""

from typing import Literal, NamedTuple, overload

import numpy as np
import numpy.typing as npt

from ..ground.arguments import count
from ..ground.keywords import explains_keywords
from ..ground.rng import Rng, generator

Pictures = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]

SIDE = 28  # pixels, side of the paper
BOX = 20.0  # pixels, side of the square a digit fills
MIDDLE = 14.0  # pixels, mean place of the centre of a digit's strokes, x and y alike
SHIFT = 0.55  # pixels, standard deviation of that place, x and y apart
FILL = (0.9, 1.02)  # fraction of BOX, range
SLANT = (0.2, 0.23)  # boxes to the right per box upward, mean and standard deviation
TURN = 0.08  # radians, standard deviation
STRETCH = 0.2  # standard deviation of the log of width over height
WOBBLE = 0.068  # fraction of the box, standard deviation of a control point's x and y
REACH = 0.33  # fraction of the box, distance up to which control points move together
RADIUS = (1.2, 0.22)  # pixels, half the thickness of a stroke: median, and deviation of its log
PRESS = 0.15  # fraction of RADIUS, largest swing of the thickness along a digit
EDGE = 1.1  # pixels, width of the grey edge of a stroke
SAMPLES = 96  # curve points a digit is drawn with, at least
CHUNK = 256  # pictures drawn at a time

# Digit, frequency of this form relative to its other forms, and its strokes: points "x,y" in
# percent of the box, strokes separated by "/". A stroke that begins on another makes a corner or a
# branch.
FORMS = (
    (0, 2, "50,0 18,18 8,52 22,88 50,100 78,86 92,50 80,14 50,0 30,8"),
    (0, 1, "64,8 36,4 14,30 10,66 30,98 62,90 84,56 78,18 52,4 40,14"),
    (1, 3, "50,0 50,100"),
    (1, 3, "50,0 50,50 50,100"),
    (1, 1, "32,20 50,0 / 50,0 50,50 50,100"),
    (1, 1, "28,22 50,0 / 50,0 50,50 50,100 / 22,100 50,98 80,100"),
    (2, 2, "12,24 28,4 56,0 78,18 70,44 40,74 8,98 / 8,98 40,94 90,98"),
    (2, 2, "14,22 34,2 66,2 80,24 66,56 36,88 14,96 8,84 22,76 46,88 70,98 96,90"),
    (2, 1, "10,14 40,2 74,6 72,30 42,64 10,96 / 10,96 44,94 92,96"),
    (3, 2, "14,12 42,0 74,14 68,38 38,48 / 38,48 76,56 84,80 52,100 10,90"),
    (3, 1, "14,4 48,6 82,2 / 82,2 60,24 40,42 / 40,42 74,50 84,74 52,98 10,94"),
    (3, 1, "16,14 40,0 72,10 70,34 46,46 40,50 54,50 78,62 74,90 40,100 8,92"),
    (4, 2, "22,2 16,30 10,54 / 10,54 44,54 90,48 / 80,0 74,50 68,100"),
    (4, 1, "64,0 36,30 6,62 / 6,62 50,62 96,58 / 64,0 66,50 62,100"),
    (4, 1, "22,0 12,32 18,52 46,54 78,40 / 82,4 74,50 60,100"),
    (5, 2, "30,4 24,26 20,44 / 20,44 46,36 74,50 74,78 46,100 8,92 / 30,4 56,4 90,0"),
    (5, 1, "90,2 58,2 34,10 28,34 50,46 72,62 68,86 42,100 8,92"),
    (6, 1, "58,0 34,24 18,56 20,88 46,100 68,86 66,62 44,56 22,78"),
    (6, 1, "46,0 26,26 14,60 22,92 50,100 74,86 70,62 46,58 20,76"),
    (7, 3, "8,12 40,8 82,6 / 82,6 66,40 50,72 42,100"),
    (7, 1, "8,12 40,8 82,6 / 82,6 66,40 50,72 42,100 / 36,52 58,50 84,48"),
    (7, 1, "10,26 14,8 / 14,8 44,8 80,4 / 80,4 68,42 58,70 54,100"),
    (8, 2, "72,14 48,0 24,14 34,40 58,60 66,82 44,100 24,84 34,60 60,40 76,16 64,2"),
    (8, 1, "64,6 38,4 28,26 48,46 68,28 64,6 46,2 / 48,46 26,64 26,90 47,100 70,88 68,60 48,46"),
    (8, 1, "82,4 52,2 28,18 40,40 60,62 58,88 38,100 24,84 38,58 64,30 84,6"),
    (9, 2, "70,12 46,2 22,20 24,42 46,48 66,30 74,8 / 74,8 70,52 60,100"),
    (9, 1, "68,10 46,0 24,18 26,42 48,48 66,30 72,8 / 72,8 74,44 66,82 46,100 28,92"),
    (9, 1, "72,14 54,0 30,12 24,36 42,46 64,32 72,14 68,46 56,74 46,100"),
)

CATMULL_ROM = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2  # M


class Skeleton(NamedTuple):
    """One form of a digit, ready to be written: C control points, K curve points."""

    points: Reals  # c of (1), (C, 2)
    wobble: Reals  # L of (1), (C, C)
    spline: Reals  # (2) as one matrix from control points to curve points, (K, C)


@overload
def digits(n: int, rng: Rng = None, return_labels: Literal[False] = False) -> Pictures: ...


@overload
def digits(n: int, rng: Rng = None, *, return_labels: Literal[True]) -> tuple[Pictures, Labels]: ...


@explains_keywords
def digits(
    n: int, rng: Rng = None, return_labels: bool = False
) -> Pictures | tuple[Pictures, Labels]:
    """Draw n pictures of handwritten digits, each of the ten equally likely.

    Returns the pictures, (n, 28, 28, 1) float32 with ink 1 on ground 0; with return_labels=True
    the pair (pictures, labels), labels (n,) int64 in 0..9. The same rng seed gives the same
    pictures. Raises OptionError if n is not a whole number >= 0.

    >>> pictures, labels = digits(5, rng=0, return_labels=True)
    >>> pictures.shape, labels.shape
    ((5, 28, 28, 1), (5,))
    """
    n, rng = count(n), generator(rng)
    digit_of_form = np.array([digit for digit, _, _ in FORMS], dtype=np.int64)  # (F,)
    weights = np.array([weight for _, weight, _ in FORMS])  # (F,)
    odds = weights / np.bincount(digit_of_form, weights)[digit_of_form] / 10  # (F,)
    forms = rng.choice(len(FORMS), size=n, p=odds)  # (n,)
    pictures = np.empty((n, SIDE, SIDE, 1), dtype=np.float32)  # (n, 28, 28, 1)
    for form in np.unique(forms):
        skeleton = _skeleton(FORMS[form][2])
        rows = np.flatnonzero(forms == form)
        for start in range(0, len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]  # (N,)
            curves = _write(skeleton, len(chunk), rng)  # (N, K, 2)
            radius = rng.lognormal(np.log(RADIUS[0]), RADIUS[1], (len(chunk), 1, 1))  # (N, 1, 1)
            path = _place(curves, radius, rng)  # (N, K, 2)
            pictures[chunk, :, :, 0] = _ink(path, radius, rng)  # (N, 28, 28)
    if return_labels:
        return pictures, digit_of_form[forms]
    return pictures


def _skeleton(text: str) -> Skeleton:
    """Read the strokes of one row of FORMS and prepare (1) and (2) for them."""
    strokes = [
        np.array([point.split(",") for point in stroke.split()], dtype=np.float64) / 100
        for stroke in text.split("/")
    ]
    points = np.concatenate(strokes)  # (C, 2)
    squared_gaps = ((points[:, None] - points) ** 2).sum(axis=2)  # (C, C)
    covariance = WOBBLE**2 * np.exp(-squared_gaps / (2 * REACH**2))  # (C, C), (1)
    regular = covariance + 1e-9 * np.eye(len(points))  # (C, C), strokes may share points
    return Skeleton(points, np.linalg.cholesky(regular), _spline(strokes))


def _spline(strokes: list[Reals]) -> Reals:
    """The matrix of (2), (K, C): evenly spaced curve points from the control points."""
    spans = [np.hypot(*np.diff(stroke, axis=0).T) for stroke in strokes]  # (length - 1,) each
    spacing = np.concatenate(spans).sum() / SAMPLES
    lengths = [len(stroke) for stroke in strokes]
    selectors = np.split(np.eye(sum(lengths)), np.cumsum(lengths)[:-1])  # (length, C) each
    rows = []
    for stroke_spans, inner in zip(spans, selectors, strict=True):
        before, after = 2 * inner[0] - inner[1], 2 * inner[-1] - inner[-2]  # (C,), straight ends
        controls = np.vstack([before, inner, after])  # (length + 2, C)
        for i, span in enumerate(stroke_spans):
            count = int(np.ceil(span / spacing))
            t = (np.arange(count) + 0.5) / count  # (count,)
            powers = t[:, None] ** np.arange(4)  # (count, 4)
            rows.append(powers @ CATMULL_ROM @ controls[i : i + 4])  # (count, C), (2)
    return np.concatenate(rows)  # (K, C)


def _write(skeleton: Skeleton, n: int, rng: np.random.Generator) -> Reals:
    """Curve points p' of n wobbled, slanted copies, (n, K, 2)."""
    z = rng.standard_normal((n, *skeleton.points.shape))  # (n, C, 2)
    controls = skeleton.points + skeleton.wobble @ z  # (n, C, 2), (1)
    x, y = np.moveaxis(skeleton.spline @ controls, 2, 0)  # (n, K) each, (2)
    stretch = rng.lognormal(0, STRETCH, (n, 1))  # (n, 1)
    slant = rng.normal(*SLANT, (n, 1))  # (n, 1)
    turn = rng.normal(0, TURN, (n, 1))  # (n, 1)
    x = stretch * x - slant * y  # (n, K), (3)
    cos, sin = np.cos(turn), np.sin(turn)  # (n, 1)
    return np.stack([cos * x - sin * y, sin * x + cos * y], axis=2)  # (n, K, 2), (3)


def _place(curves: Reals, radius: Reals, rng: np.random.Generator) -> Reals:
    """Fit n digits, (n, K, 2), to the paper for pens of radius (n, 1, 1): paths, (n, K, 2)."""
    n = len(curves)
    size = rng.uniform(*FILL, (n, 1, 1)) * BOX - 2 * radius  # (n, 1, 1), (4)
    extent = np.ptp(curves, axis=1, keepdims=True).max(axis=2, keepdims=True)  # (n, 1, 1)
    drawn = size * (curves - curves.mean(axis=1, keepdims=True)) / extent  # (n, K, 2), (4)
    margin = radius * (1 + PRESS)  # (n, 1, 1)
    lowest = margin - drawn.min(axis=1, keepdims=True)  # (n, 1, 2)
    highest = SIDE - 1 - margin - drawn.max(axis=1, keepdims=True)  # (n, 1, 2)
    centre = rng.normal(MIDDLE, SHIFT, (n, 1, 2)).clip(lowest, highest)  # (n, 1, 2)
    path: Reals = centre + drawn  # (n, K, 2), (4)
    return path


def _ink(path: Reals, radius: Reals, rng: np.random.Generator) -> Pictures:
    """Ink n digits, paths (n, K, 2) and pen radii (n, 1, 1) in pixels: pictures (n, 28, 28)."""
    n, samples, _ = path.shape
    press = rng.uniform(0, PRESS, (n, 1, 1))  # (n, 1, 1)
    turns = np.arange(samples)[:, None] / samples + rng.random((n, 1, 1))  # (n, K, 1)
    radii = radius * (1 + press * np.cos(2 * np.pi * turns))  # (n, K, 1), (5)
    offsets = (np.arange(SIDE) - path[..., None]) / radii[..., None]  # (n, K, 2, 28)
    across, down = np.moveaxis((offsets**2).astype(np.float32), 2, 0)  # (n, K, 28) each
    nearest = np.full((n, SIDE, SIDE), np.inf, dtype=np.float32)  # (n, 28, 28), d^2
    for k in range(samples):
        np.minimum(nearest, down[:, k, :, None] + across[:, k, None, :], out=nearest)  # (6)
    ink = 0.5 + (1 - np.sqrt(nearest)) * (radius / EDGE).astype(np.float32)  # (n, 28, 28), (7)
    return ink.clip(0, 1)  # (n, 28, 28), (7)
