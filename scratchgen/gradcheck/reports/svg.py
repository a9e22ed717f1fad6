"""Curves, points and error maps as SVG, for HTML pages."""

import html
import math
from collections.abc import Sequence

import numpy as np

from ...ground.arguments import Array
from .error_maps import ErrorMap
from .picture_data import Curve, Points
from .wording import one_digit, shorten

BLUE, ORANGE, AMBER, GREY = "#0072b2", "#d55e00", "#b07800", "#666"
WIDTH, HEIGHT = 360, 250
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 24, 36  # margins of a plane
CELL, GAP = 14, 18


def escape(text: object) -> str:
    """Any value as text that is safe in HTML."""
    valid = "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in str(text)
    )
    return html.escape(valid.encode("utf-8", "replace").decode())


class Plane:
    """A plot with axes, which turns data into SVG; `log` makes both axes logarithmic."""

    def __init__(self, title: str, x: tuple[float, float], y: tuple[float, float], log: bool):
        self.x, self.y, self.log = x, y, log
        self.parts = [
            f'<rect x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" '
            f'height="{HEIGHT - TOP - BOTTOM}" fill="#fff" stroke="#999"/>',
            _text(LEFT, 15, shorten(title, 48), "title"),
        ]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The pixel coordinates of a data point."""
        across, up = _share(x, self.x, self.log), _share(y, self.y, self.log)
        return (
            LEFT + across * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM),
        )

    def label(self, x: str, y: str) -> None:
        """Ticks and labels of both axes."""
        for value in ticks(*self.x, self.log):
            self.parts.append(
                _text(self.at(value, self.y[0])[0], HEIGHT - BOTTOM + 13, one_digit(value), "x")
            )
        for value in ticks(*self.y, self.log):
            self.parts.append(
                _text(LEFT - 4, self.at(self.x[0], value)[1] + 3, one_digit(value), "y")
            )
        self.parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 5, x, "x"))
        middle = (TOP + HEIGHT - BOTTOM) / 2
        self.parts.append(
            f'<text class="x" transform="rotate(-90 11 {middle})" x="11" y="{middle}">'
            f"{escape(y)}</text>"
        )

    def band(self, low: float, high: float, colour: str) -> None:
        """A coloured band between two values of y."""
        bottom, top = (min(max(value, self.y[0]), self.y[1]) for value in (low, high))
        (x, y), (_, end) = self.at(self.x[0], top), self.at(self.x[0], bottom)
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{WIDTH - LEFT - RIGHT}" '
            f'height="{max(0.0, end - y):.1f}" fill="{colour}"/>'
        )

    def line(self, x: Array, y: Array, colour: str, dashes: str = "none") -> None:
        """A line through points."""
        places = " ".join(
            "{:.1f},{:.1f}".format(*self.at(*point)) for point in zip(x, y, strict=True)
        )
        self.parts.append(
            f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="1.5" '
            f'stroke-dasharray="{dashes}"/>'
        )

    def dots(self, x: Array, y: Array, colour: str, crosses: bool = False) -> None:
        """A dot or a cross at each point."""
        for point in zip(x, y, strict=True):
            across, down = self.at(*point)
            self.parts.append(
                f'<path d="M{across - 3:.1f} {down - 3:.1f}l6 6m0 -6l-6 6" stroke="{colour}" '
                f'stroke-width="1.5"/>'
                if crosses
                else f'<circle cx="{across:.1f}" cy="{down:.1f}" r="2.2" fill="{colour}"/>'
            )

    def svg(self, words: str) -> str:
        """The whole picture; `words` describe it for screen readers."""
        return _svg(WIDTH, HEIGHT, words, self.parts)


def ticks(low: float, high: float, log: bool) -> list[float]:
    """About five round numbers from `low` to `high`."""
    if log:
        first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        step = max(1, math.ceil((last - first) / 5))
        return [10.0**power for power in range(first, last + 1, step)]
    unit = 10.0 ** math.floor(math.log10((high - low) / 3))
    unit *= next(k for k in (1, 2, 5, 10) if (high - low) / (k * unit) <= 5)
    return [k * unit for k in range(math.ceil(low / unit), math.floor(high / unit) + 1)]


def curve_svg(curve: Curve) -> str:
    """Distances over steps on logarithmic axes, with the bands of the verdict."""
    families = [(h[keep], d[keep]) for h, d in curve.families if (keep := _loggable(h, d)).any()]
    sizes = [d for _, d in families] + [np.array([curve.distance, curve.bar, 10 * curve.bar])]
    y = decades(np.concatenate(sizes))
    x = decades(np.concatenate([h for h, _ in families])) if families else (1e-6, 1.0)
    plane = Plane(f"{curve.title}: {curve.verdict}", x, y, log=True)
    if curve.bar > 0:
        plane.band(0, curve.bar, "#dcebf5")
        plane.band(curve.bar, 10 * curve.bar, "#fdf1d3")
    for (h, distance), colour, crosses in zip(
        families, (BLUE, ORANGE), (False, True), strict=False
    ):
        plane.line(h, distance, colour)
        plane.dots(h, distance, colour, crosses)
    if 0 < curve.distance < math.inf:
        plane.line(np.array(x), np.full(2, curve.distance), "#222", "5 3")
    plane.label("step h", "|D(h) - claimed|")
    return plane.svg(
        f"{curve.title}: distance of the extrapolated derivative {one_digit(curve.distance)}, "
        f"error bar {one_digit(curve.bar)}"
    )


def points_svg(points: Points) -> str:
    """Claimed over measured derivatives; right ones lie on the diagonal."""
    values = np.concatenate([points.numeric, points.analytic])
    low, high = float(values.min()), float(values.max())
    margin = max(0.06 * (high - low), 1e-9 * max(-low, high), 1e-200)
    ends = (low - margin, high + margin)
    plane = Plane(points.title, ends, ends, log=False)
    plane.line(np.array(ends), np.array(ends), "#999", "4 3")
    for x, y, bar in zip(points.numeric, points.analytic, points.bar, strict=True):
        if bar > 0.002 * (ends[1] - ends[0]):
            sides = np.clip([x - bar, x + bar], *ends)
            plane.line(sides, np.full(2, y), GREY)
    right = ~points.wrong
    plane.dots(points.numeric[right], points.analytic[right], BLUE)
    plane.dots(points.numeric[points.wrong], points.analytic[points.wrong], ORANGE, crosses=True)
    plane.label("measured", "claimed")
    return plane.svg(f"{points.title}: {int(points.wrong.sum())} of {len(points.wrong)} wrong")


def error_map_svg(error_map: ErrorMap) -> str:
    """Slices of the error side by side, negative in blue, positive in orange."""
    parts, x, y, deepest = [_text(0, 15, shorten(error_map.title, 56), "title")], 0, 24, 0
    for title, error, wrong in error_map.slices:
        rows, columns = error.shape
        size = max(3, min(CELL, WIDTH // columns))
        if x and x + columns * size > WIDTH:
            x, y, deepest = 0, y + deepest + GAP, 0
        parts.append(_text(x, y + 10, title, "slice"))
        parts += _cells(error, wrong, error_map.largest, x, y + 14, size)
        x += max(columns * size, 7 * len(title)) + GAP
        deepest = max(deepest, rows * size + 14)
    return _svg(WIDTH, y + deepest + 6, f"{error_map.title}, {error_map.note}", parts)


def _cells(error: Array, wrong: Array, largest: float, x: int, y: int, size: int) -> list[str]:
    rows, columns = error.shape
    parts = [
        f'<rect x="{x}" y="{y}" width="{columns * size}" height="{rows * size}" '
        f'fill="#f4f4f4" stroke="#999"/>'
    ]
    for i, j in np.argwhere(~np.isnan(error)):
        left, top = x + j * size, y + i * size
        fill = shade(float(error[i, j]), largest)
        parts.append(f'<rect x="{left}" y="{top}" width="{size}" height="{size}" fill="{fill}"/>')
        if wrong[i, j] and size >= 6:
            centre = f'cx="{left + size / 2}" cy="{top + size / 2}"'
            parts.append(f'<circle {centre} r="1.5" fill="#000"/>')
    return parts


def shade(error: float, largest: float) -> str:
    """White for 0, blue below, orange above; black for NaN and infinities."""
    if not math.isfinite(error):
        return "#000"
    share = min(1.0, abs(error) / largest) if largest else 0.0
    full = (213, 94, 0) if error > 0 else (0, 114, 178)
    return "#" + "".join(f"{round(255 + share * (part - 255)):02x}" for part in full)


def decades(values: Array) -> tuple[float, float]:
    """The powers of ten around the positive finite values."""
    known = values[(values > 0) & np.isfinite(values)]
    if not len(known):
        return 1e-16, 1.0
    high = min(308, math.ceil(np.log10(known.max())))
    low = max(-320, min(math.floor(np.log10(known.min())), high - 1))
    return max(10.0**low, 5e-324), 10.0 ** max(high, low + 1)


def _loggable(x: Array, y: Array) -> Array:
    keep: Array = np.isfinite(x) & np.isfinite(y) & (x > 0) & (y > 0)
    return keep


def _share(value: float, ends: Sequence[float], log: bool) -> float:
    """The position of a value on an axis, 0 to 1."""
    if log:
        low, high = math.log10(ends[0]), math.log10(ends[1])
        return (math.log10(value) - low) / (high - low)
    return (value - ends[0]) / (ends[1] - ends[0])


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _svg(width: int, height: int, words: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(words)}">'
        f"{''.join(parts)}</svg>"
    )
