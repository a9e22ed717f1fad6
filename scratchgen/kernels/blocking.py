"""A matrix product reads each number many times: blocking lets it find them in a cache.

    c = first + a b    or    c = c + (a b),    a (rows, depth), b (depth, columns)          (1)

Written as three loops, (1) waits for memory most of the time. Here c is cut into tiles, whose sums
stay in registers (native/tiles.py), and the tiles are taken in an order in which what a tile reads
is still in a cache (Goto and van de Geijn 2008):

    for each slice of DEPTH numbers k                                         (2)
        for the columns of some panels, each as wide as a tile                (3)
            copy the panels of b, rows side by side (packing.py)              (4)
            for each block of rows of a, which stays in the second cache      (5)
                for each panel, which stays in the first cache                (6)
                    for each tile of the block, from top to bottom            (7)
                        sums += a panel

Between two rounds of (2), sums wait in c. For c = c + (a b) they wait in memory of their own, for
the rows of one block and the columns of (3): all rounds are finished for these before the next
begin.                                                                        (8)

(4) is left out where the rows of b are contiguous and few rows of c would read the copy. If b is so
small that it stays in the first cache, a block has few rows, so that c, which is larger, is written
row after row.

A tile consists of whole vectors: a mask would cost a register and time for every k. A tile that
sticks out of c is computed beside c, from where the numbers that belong to c are copied.    (9)

Threads share the columns of c, or its rows. One thread computes each number of c, and sums it over
k in one order, so no result depends on the number of threads.

a, b, c and `first`, from which the sums start, are addresses of first numbers; a_row, a_k, b_k,
b_j, c_row and first_j are the bytes from one row, k or column to the next. `like` is an array of
their dtype, and nothing else of it is used. Rows of c are contiguous, and rows or columns of b.
"""

from .compiling import FromLLVM, helper
from .packing import (
    APART,
    BLOCK,
    DEPTH,
    HEIGHTS,
    LINE,
    PANELS,
    block_rows,
    columns_at,
    copy_panels,
    first_border,
    panels_at_once,
)
from .sharing import share

# mypy: disable-error-code="no-untyped-def"

COPY_FROM = 192  # rows of c that make (4) worth its time
PACK_FROM = 16  # times that a line of a is read, which make a copy of a worth its time
SMALL = 2**14  # bytes of a matrix that stays in the first cache
TILE = 12 * 2 * 64  # bytes of the largest tile
NOTHING, BIAS = 0, 1  # what a b is added to
ITSELF, ZERO = 2, 3  # c = c + (a b), and the same where c is known to be 0, and is not read

# the largest tile, in rows and in vectors of VECTOR bytes, and what computes and copies it
HEIGHT, WIDTH, VECTOR = FromLLVM("HEIGHT"), FromLLVM("WIDTH"), FromLLVM("VECTOR")
multiply_tile, itemsize = FromLLVM("multiply_tile"), FromLLVM("itemsize", "vectors")
copy_in, copy_out = FromLLVM("copy_in"), FromLLVM("copy_out")


@helper
def multiply_tiles(
    like, part, parts, rows, columns, depth, a, a_row, a_k, b, b_k, b_j,
    c, c_row, first, first_j, start, memory,
):  # fmt: skip
    """(1), one part of it, tile by tile; `memory` is the address of `scratch` bytes."""
    item = itemsize(like)
    lanes = VECTOR // item
    top, bottom, left, right = 0, rows, 0, columns
    # a thread that takes rows reads and copies all of b; one that takes columns reads all of a, and
    # cuts the rows of c, which the next kernel reads whole. The smaller amount decides.
    cost = 2 if b_j == item else 4  # of copying a number, measured: 4 where it is transposed too
    if cost * depth * columns > rows * (depth + columns):
        vectors = -(-columns // lanes)
        left, right = share(vectors, part, parts)
        left, right = left * lanes, min(columns, right * lanes)
    else:
        top, bottom = share(rows, part, parts)
    waits = start == ITSELF and depth > DEPTH
    tall, wide = max(1, bottom - top), max(1, right - left)
    if waits:  # (8)
        tall, wide = block_rows(tall, item), panels_at_once(wide, item) * WIDTH * lanes
    for i in range(top, bottom, tall):
        for j in range(left, right, wide):
            _region(
                like, min(tall, bottom - i), min(wide, right - j), depth,
                a + i * a_row, a_row, a_k, b + j * b_j, b_k, b_j,
                c + i * c_row + j * item, c_row, first + j * first_j, first_j, start, waits, memory,
            )  # fmt: skip


@helper
def _region(
    like, rows, columns, depth, a, a_row, a_k, b, b_k, b_j,
    c, c_row, first, first_j, start, waits, memory,
):  # fmt: skip
    """(2) to (7) for these rows and columns; `waits` says where the sums wait, (8)."""
    item = itemsize(like)
    lanes = VECTOR // item
    step, step_row = WIDTH * lanes, WIDTH * VECTOR
    tall, wide = block_rows(rows, item), panels_at_once(columns, item) * step
    if b_j != item and rows <= tall and not waits:
        wide = step  # a panel is used for one block, at once
    slice_depth = depth
    if depth > DEPTH:
        slice_depth = -(-depth // (-(-depth // DEPTH)))  # slices of about the same size
    slice_depth = max(1, -(-slice_depth // lanes)) * lanes
    size = slice_depth * step_row + LINE  # of a panel in memory
    panels = memory + 3 * TILE
    packed = panels + wide // step * size
    group = step // HEIGHT * HEIGHT  # rows of a in a panel, whole tiles
    waiting = packed + -(-tall // group) * size
    fewest = COPY_FROM // 4 if b_k % APART == 0 else COPY_FROM  # rows of c
    copies = b_j != item or rows >= fewest
    if columns * depth * item <= SMALL and columns * rows * item > BLOCK and not waits:
        tall = 4 * HEIGHTS  # all of b stays in the first cache, and c is written row by row
    overlaps = start != ITSELF and depth <= DEPTH  # where c is not read, it may be written twice
    reads = -(-columns // step)  # of each line of a
    if a_row == item:  # x^T, where a tile uses a piece of a line
        reads = reads * LINE // (HEIGHT * item)
    apart = a_k if a_row == item else a_row  # bytes, where the others of a lie side by side
    packs = (a_row == item or a_k == item) and apart % APART == 0 and reads >= PACK_FROM
    k, is_last = 0, False
    while not is_last:  # (2), once for depth = 0, to write `first`
        count = min(slice_depth, depth - k)  # numbers k in this slice
        is_last = k + count >= depth
        left = 0
        while left < columns:  # (3)
            right = min(left + wide, columns)
            # (4): a panel that sticks out of c is always copied
            first_copied = left if copies else first_border(like, left, right, step, overlaps)
            copy_panels(
                like, right - first_copied, count, b + k * b_k + first_copied * b_j, b_j, b_k,
                panels + (first_copied - left) // step * size, size, step, overlaps,
            )  # fmt: skip
            top = 0
            while top < rows:  # (5)
                bottom = min(top + tall, rows)
                from_a, row_of_a, k_of_a = a + top * a_row + k * a_k, a_row, a_k
                a_group, next_group = bottom - top, 0
                if packs:
                    copy_panels(
                        like, bottom - top, count, from_a, a_row, a_k, packed, size, group, False
                    )
                    from_a, row_of_a, k_of_a = packed, item, step_row
                    a_group, next_group = group, size
                for next_j in range(left, right, step):  # (6)
                    j, width = columns_at(like, next_j, left, right, step, overlaps)
                    number = (next_j - left) // step  # of the panel
                    panel, next_k = panels + number * size, step_row
                    if next_j < first_copied:
                        panel, next_k = b + k * b_k + j * item, b_k
                    into, into_row = c + top * c_row + j * item, c_row
                    sums, sums_row = into, into_row  # where they are between two slices
                    if waits:  # (8)
                        sums, sums_row = waiting + number * tall * step_row, step_row
                    at_first, first_row = first + j * first_j, 0
                    if k > 0:
                        at_first, first_row = sums, sums_row
                    rest, rest_row = 0, 0
                    if is_last and start >= ITSELF:
                        rest, rest_row = (first, 0) if start == ZERO else (into, into_row)
                    if not is_last:
                        into, into_row = sums, sums_row
                    _tiles_of_panel(
                        like, bottom - top, width, count, from_a, row_of_a, k_of_a, a_group,
                        next_group, panel, next_k, into, into_row, at_first, first_row,
                        rest, rest_row, memory,
                    )  # fmt: skip
                top = bottom
            left = right
        k += count


@helper
def _tiles_of_panel(
    like, rows, width, depth, a, a_row, a_k, group, next_group, b, b_k,
    c, c_row, first, first_row, rest, rest_row, inside,
):  # fmt: skip
    """(7): c (rows, width) = rest + (first + a b), or first + a b if the address of rest is 0.

    The rows of a lie in groups of `group` rows, next_group bytes apart. `inside` is the address of
    room for three tiles: the one that is computed, what its sums start from, and its rest.
    """
    lanes, step_row = VECTOR // itemsize(like), WIDTH * VECTOR
    vectors = 1 if width <= lanes else WIDTH
    sticks_out, started, added = width < vectors * lanes, inside + TILE, inside + 2 * TILE
    if sticks_out and not first_row:
        first = _copied(like, width, 1, first, 0, started)
    i = 0
    while i < rows:
        top, bottom = i, min(i + group, rows)
        while i < bottom:  # (7)
            height = _height(bottom - i)
            at_a, into, into_row = a + (i - top) * a_row, c + i * c_row, c_row
            at_first, next_first = first + i * first_row, first_row
            at_rest, next_rest = rest + i * rest_row if rest else 0, rest_row
            if sticks_out:  # (9)
                if first_row:
                    at_first = _copied(like, width, height, at_first, first_row, started)
                    next_first = step_row
                if rest:
                    at_rest = _copied(like, width, height, at_rest, rest_row, added)
                    next_rest = step_row
                into, into_row = inside, step_row
            multiply_tile(
                like, height, vectors, depth, at_a, a_row, a_k, b, b_k,
                into, into_row, at_first, next_first, at_rest, next_rest,
            )  # fmt: skip
            if sticks_out:
                copy_out(like, width, height, inside, c + i * c_row, c_row)
            i += height
        a += next_group


@helper
def _copied(like, width, rows, x, x_row, into):
    """Copy these rows into whole vectors, and return the address of the copy."""
    copy_in(like, width, rows, x, x_row, into)
    return into


@helper
def _height(left):
    """Rows of the next tile, where `left` are left: the last tiles have about the same height."""
    if left <= HEIGHT:
        return left
    if left <= 2 * HEIGHT:
        return (left + 1) // 2
    return (left + 2) // 3 if left <= 3 * HEIGHT else HEIGHT


def scratch(rows: int, columns: int, depth: int, item: int, start: int) -> int:
    """Bytes for a thread: three tiles beside c, panels of b, a block of a, and sums that wait."""
    width, most = 2 * 64, BLOCK // (DEPTH * item) + 2 * HEIGHTS
    deep = min(depth, DEPTH) + width // item
    rows = min(rows, most) + 2 * HEIGHTS
    row = min(columns * item, PANELS // DEPTH) + 2 * width
    panels = row * (deep + 1)
    packed = (rows * item * 4 // 3 + 2 * width) * (deep + 1)
    waiting = rows * row if start == ITSELF and depth > DEPTH else 0
    return LINE + 3 * TILE + panels + packed + waiting
