"""Why a matrix product is cut into tiles, and what bounds each part of a training step.

    python demos/blocking.py            prints a table, leaves blocking.png and roofline.png

blocking.png shows how kernels/products.py cuts c = a b, with the sizes for AVX-512 and float32.
roofline.png compares the parts of a step of the VAE 784-128-20-128-784 with the machine. A part
that does so many `operations`, and moves so many `bytes` to and from memory, takes at least

    seconds = max(operations / PEAK, bytes / BANDWIDTH)                                  (1)

Each part reads and writes each of its arrays at least once. With 4 bytes a number, these are

    x w, x^T dy, dy w^T     2 N I O operations,  4 (N I + I O + N O) bytes               (2)
    Adam                    16 P,                28 P           reads theta, g, m, v; writes three
    Bernoulli pass          60 N D,              12 N D         reads x, logits; writes d logits
    gather                  0,                   8 N D

In (2) the three products of a layer move the same three matrices. The loop in
distributions/bernoulli.py takes 60 additions, multiplications, divisions and comparisons for a
logit, most of them in an exp and a log1p.
"""

from dataclasses import dataclass
from typing import Any

import scratchgen as sg

PEAK = {1: 255e9, 2: 505e9}  # by threads: operations a second, from `scratchgen bench machine`
BANDWIDTH = {1: 70e9, 2: 111e9}  # bytes a second

HEIGHT, WIDTH = 12, 2  # of a tile: rows, and vectors in a row
LANES, DEPTH = 16, 256  # numbers in a vector, and values of k in a slice
LAYERS = ((784, 128), (128, 40), (20, 128), (128, 784))
BATCHES = (20, 128, 512)

BLUE, RED, GREEN, PALE = "#1b6ca8", "#d1495b", "#2a9d5c", "#e8edf2"
SHADES = ("#9cc3e0", "#4a90c2", "#124a75")  # by batch
SIDES = dict(zip(BATCHES, ("left", "above", "right"), strict=True))  # of their labels
LABELS: dict[str, Any] = {
    "left": {"xytext": (-8, 0), "ha": "right", "va": "center"},
    "above": {"xytext": (0, 6), "ha": "center", "va": "bottom"},
    "right": {"xytext": (8, 0), "ha": "left", "va": "center"},
}


@dataclass
class Part:
    """A part of a step: its operations, its bytes, and how often a step does it."""

    name: str
    operations: float
    bytes: float
    times: int = 1

    @property
    def intensity(self) -> float:
        """Operations per byte."""
        return self.operations / self.bytes

    def seconds(self, threads: int) -> float:
        """The least time for all its repetitions."""
        each = max(self.operations / PEAK[threads], self.bytes / BANDWIDTH[threads])  # (1)
        return self.times * each


def product(n: int, i: int, o: int, times: int) -> Part:
    """A product of a layer i -> o for a batch of n, by (2)."""
    return Part(f"{i}-{o}", 2 * n * i * o, 4 * (n * i + i * o + n * o), times)


def parts(n: int) -> list[Part]:
    """The parts of a step with a batch of n."""
    size = LAYERS[0][0]
    parameters = sum((i + 1) * o for i, o in LAYERS)
    products = [product(n, i, o, 3) for i, o in LAYERS]
    products[0].times = 2  # the gradient of the examples is not needed
    return [
        *products,
        Part("Adam", 16 * parameters, 28 * parameters),
        Part("Bernoulli pass", 60 * n * size, 12 * n * size),
        Part("gather", 0, 8 * n * size),
    ]


def main() -> None:
    """Print the table, and write both pictures."""
    threads = max(PEAK)
    print(f"{'':16}{'batch':>6}{'times':>7}{'Mop':>9}{'MB':>8}{'op/byte':>9}{'us':>8}")
    for n in BATCHES:
        for part in parts(n):
            print(
                f"{part.name:16}{n:6}{part.times:7}{part.times * part.operations / 1e6:9.2f}"
                f"{part.times * part.bytes / 1e6:8.2f}{part.intensity:9.1f}"
                f"{1e6 * part.seconds(threads):8.1f}"
            )
        total = sum(part.seconds(threads) for part in parts(n))
        print(f"{'all':16}{n:6}{1e6 * total:47.0f}\n")
    print(f"us: at least, by (1) on {threads} threads, with all arrays in memory")
    draw_blocking("blocking.png")
    draw_roofline("roofline.png")


def draw_roofline(path: str) -> None:
    """The roof (1), operations a second over operations per byte, and below it the parts."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.8), layout="constrained")
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.3, 1))
    ends = (0.2, 150.0)
    for threads, style in ((1, "--"), (2, "-")):
        xs = (ends[0], PEAK[threads] / BANDWIDTH[threads], ends[1])
        ys = [min(PEAK[threads], x * BANDWIDTH[threads]) / 1e9 for x in xs]
        s = "s" if threads > 1 else ""
        text = f"{threads} thread{s}: {PEAK[threads] / 1e9:.0f} GFLOP/s, "
        text += f"{BANDWIDTH[threads] / 1e9:.0f} GB/s"
        top.loglog(xs, ys, style, color="0.3", lw=1.5, label=text)
    top.legend(loc="upper left", fontsize=9)
    top.set(ylim=(5, 1000), ylabel="GFLOP/s, at most")

    rows = {"128-784, 784-128": 0, "128-40": 1, "20-128": 2, "Bernoulli pass": 3, "Adam": 4}
    for n, shade in zip(BATCHES, SHADES, strict=True):
        for part in parts(n)[1:-1]:
            row = next(rows[name] for name in rows if name.startswith(part.name))
            is_same = row > 2  # for every batch
            colour, x, y = RED if is_same else shade, part.intensity, row
            roof = min(PEAK[2], x * BANDWIDTH[2]) / 1e9
            top.plot(x, roof, "o", ms=6, color=colour, zorder=3)
            top.plot([x, x], [5, roof], ":", color=colour, lw=1)
            below.plot([x, x], [-1, y], ":", color=colour, lw=1)
            below.plot(x, y, "o", ms=8, color=colour, zorder=3)
            text = (f"{x:.1f}, any batch" if n == BATCHES[0] else "") if is_same else f"{n}"
            side = "right" if is_same else SIDES[n]
            below.annotate(text, (x, y), **LABELS[side], textcoords="offset points", fontsize=9,
                           bbox={"facecolor": "white", "lw": 0, "pad": 0.5})  # fmt: skip
    below.annotate("no operations, 8 bytes a number", (0.2, 5), (0.3, 5), va="center",
                   fontsize=9, arrowprops={"arrowstyle": "->", "color": RED})  # fmt: skip
    names = ["784-128 and 128-784", *list(rows)[1:], "gather"]
    below.set_yticks(range(len(names)), names)
    below.set(ylim=(5.6, -0.9), xlim=ends, xlabel="operations per byte to or from memory")
    for axes in (top, below):
        axes.grid(alpha=0.2)
    figure.savefig(path, dpi=110)


def draw_blocking(path: str) -> None:
    """Draw c = a b, cut into panels and tiles, and beside it a single tile."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.4), layout="constrained")
    whole, tile = figure.subplots(1, 2, width_ratios=(1.3, 1))
    for axes in (whole, tile):
        axes.axis("off")
    draw_matrices(whole)
    draw_tile(tile)
    figure.savefig(path, dpi=110)


def box(axes: Any, x: float, y: float, width: float, height: float, **style: Any) -> None:
    """Draw a rectangle, given its upper left corner."""
    from matplotlib.patches import Rectangle

    plain = {"facecolor": "none", "edgecolor": "0.6", "lw": 0.7}
    axes.add_patch(Rectangle((x, y), width, height, **{**plain, **style}))


def draw_matrices(axes: Any) -> None:
    """a at the lower left, b at the upper right, c where they meet; k is at a quarter of scale."""
    rows, columns, panel = 8 * HEIGHT, 5 * WIDTH * LANES, WIDTH * LANES
    thickness, slices, gap = DEPTH / 4, 2, 12  # of a slice, number of slices, between matrices
    depth = slices * thickness
    left, top = depth + gap, depth + gap  # of c
    second, third = left + 2 * panel, top + 3 * HEIGHT  # the highlighted panel and tile

    box(axes, 0, top, depth, rows, facecolor=PALE)
    box(axes, left, 0, columns, depth, facecolor=PALE)
    box(axes, left, top, columns, rows, facecolor=PALE)
    box(axes, 0, top, thickness, rows, facecolor="#cfe3d6", edgecolor=GREEN, lw=1.2)
    box(axes, left, 0, columns, thickness, edgecolor=BLUE, lw=1.2)
    box(axes, second, 0, panel, thickness, facecolor=BLUE, edgecolor=BLUE)
    box(axes, second, top, panel, rows, facecolor="#cfdfec")
    for j in range(1, columns // panel):
        axes.plot([left + j * panel] * 2, [top, top + rows], color="0.6", lw=0.7)
        axes.plot([left + j * panel] * 2, [0, depth], color="0.6", lw=0.7)
    for i in range(1, rows // HEIGHT):
        for start, end in ((left, left + columns), (0, depth)):
            axes.plot([start, end], [top + i * HEIGHT] * 2, color="0.8", lw=0.5)
    box(axes, 0, third, thickness, HEIGHT, facecolor=GREEN, edgecolor=GREEN)
    box(axes, second, third, panel, HEIGHT, facecolor=RED, edgecolor=RED)
    arrow = {"arrowstyle": "->", "color": "0.2", "lw": 1.2}
    middle = second + panel / 2
    axes.annotate("", (middle, top + rows - 3), (middle, third + HEIGHT + 2), arrowprops=arrow)
    axes.annotate("", (left + columns - 4, -8), (left, -8), arrowprops=arrow)

    text = {"fontsize": 9, "ha": "center", "va": "center"}
    axes.text(depth * 0.75, top + rows / 2, "a", **{**text, "fontsize": 15})
    axes.text(left + columns * 0.9, depth * 0.75, "b", **{**text, "fontsize": 15})
    axes.text(left + columns * 0.9, top + rows * 0.85, "c", **{**text, "fontsize": 15})
    axes.text(left + columns / 2, -16, "(6) panel by panel", **text)
    axes.text(middle, top + rows + 8, "(8) tile by tile", **text)
    axes.text(thickness / 2, top + rows + 8, f"(5) {DEPTH} numbers k", **text)
    kilobytes = DEPTH * WIDTH * LANES * 4 / 1024
    notes = (
        (RED, "registers:", f"the {HEIGHT * WIDTH} sums of a tile"),
        (BLUE, "first cache:", f"(7) a panel of b, {kilobytes:.0f} KB"),
        (GREEN, "second cache:", f"a slice of a, {DEPTH * 4 // 1024} KB a row"),
    )
    for i, (colour, where, what) in enumerate(notes):
        axes.text(0, 10 + 32 * i, where, color=colour, fontsize=9, weight="bold")
        axes.text(0, 21 + 32 * i, what, color=colour, fontsize=9)
    axes.set(xlim=(-12, left + columns + 4), ylim=(top + rows + 16, -24))


def draw_tile(axes: Any) -> None:
    """A tile at one k: a row of the panel, a column of a, and the sums of their products."""
    side, wide, left, top = 1.0, 4.0, 2.6, 2.2
    text = {"ha": "center", "va": "center", "fontsize": 9}
    for j in range(WIDTH):
        x = left + j * wide
        box(axes, x, 0, wide, side, facecolor="#cfdfec", edgecolor=BLUE, lw=1.2)
        span = f"{j * LANES} ... {(j + 1) * LANES - 1}"
        axes.text(x + wide / 2, side / 2, f"b[k, {span}]", **text)
    for i in range(HEIGHT):
        y = top + i * side
        box(axes, 0, y, 1.9, side, facecolor="#cfe3d6", edgecolor=GREEN, lw=1.2)
        axes.text(0.95, y + side / 2, f"a[{i}, k]", **text)
        for j in range(WIDTH):
            x = left + j * wide
            box(axes, x, y, wide, side, facecolor="#f3d3d8", edgecolor=RED, lw=1.2)
            axes.text(x + wide / 2, y + side / 2, f"sum {i * WIDTH + j}", **text)
    right = left + WIDTH * wide
    axes.text(right / 2, -1.1, "one k of the tile", ha="center", fontsize=11)
    below = top + HEIGHT * side + 0.7
    lines = (
        f"{WIDTH} vectors and {HEIGHT} numbers are read,",
        f"{HEIGHT * WIDTH} vectors are multiplied and added to:",
        "sum = sum + a[i, k] b[k, ...]",
    )
    for i, line in enumerate(lines):
        axes.text(right / 2, below + 0.85 * i, line, **text)
    axes.set(xlim=(-0.3, right + 0.3), ylim=(below + 2.6, -1.9))


if __name__ == "__main__":
    print(f"scratchgen {sg.__version__}")
    main()
