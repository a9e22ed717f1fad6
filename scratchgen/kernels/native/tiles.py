"""A matrix product is fast if its sums stay in registers: the micro-kernel computes a tile of them.

    c[i, j] = first[i, j] + sum_k a[i, k] b[k, j]      a few rows i, one or two vectors of j    (1)
    c[i] = first[i] + sum_k a[i, k] b[k]               eight rows i                             (2)
    c = rest + (first + sum_k ...)                     (1), if there is a rest                  (3)

For each k of (1), a number of each row of `a` is spread over a vector and multiplied with the
vectors in row k of b, which are read once for all rows; a fused multiply-add adds the product to
the sum. A multiply-add takes 4 cycles, and the CPU starts two in each: 8 sums keep it busy. With 32
registers, 12 rows of two vectors, 24 sums, leave room for the operands, and with 16 registers 6
rows, 12 sums. docs/performance.md has the picture. (1) is summed in one order, from k = 0 up,
whatever the size of the tile: the result does not show how a matrix is cut.

In (2) k runs along the vectors, and the lanes of each sum are added at the end.

In (3) a sum is added to the rest, and does not start from it: if S and -S are added one after the
other, exactly 0 is left. Without a rest its address is 0.

A matrix is given by the address of its first number and the bytes from one row, and from one k, to
the next. The numbers in a row of b and of c are contiguous.
"""

import functools
from collections.abc import Callable

from .target import BITS
from .vectors import Value, Vectors, instructions

# rows and vectors of the largest tile, whose sums leave registers for a and b
HEIGHT, WIDTH = {512: (12, 2), 256: (6, 2), 128: (6, 4), 0: (1, 1)}[BITS]
BROAD = 8  # vectors of the tile for one row alone, again 8 sums
DOTS = 8  # rows of (2)
VECTOR = BITS // 8  # bytes


@instructions
def multiply_tile(
    v: Vectors, height: Value, vectors: Value, depth: Value,
    a: Value, a_row: Value, a_k: Value, b: Value, b_k: Value,
    c: Value, c_row: Value, first: Value, first_row: Value, rest: Value, rest_row: Value,
) -> None:  # fmt: skip
    """(1) for `height` rows, 1 ... HEIGHT, one vector of columns or WIDTH, and `depth` numbers k.

    `first` is what the sums start from: zeros or a bias, with first_row = 0, or sums so far.
    """

    def tile(rows: int, vectors: int) -> None:
        matrices = (a, a_row, a_k, b, b_k, c, c_row, first, first_row, rest, rest_row)
        _emit_tile(v, rows, vectors, depth, *matrices)

    is_narrow = v.builder.icmp_signed("==", vectors, v.whole(1))
    tiles = {
        rows + HEIGHT * (vectors > 1): functools.partial(tile, rows, vectors)
        for rows in range(1, HEIGHT + 1)
        for vectors in (1, WIDTH)
    }
    broader = v.builder.add(height, v.whole(HEIGHT))
    v.switch(v.builder.select(is_narrow, height, broader), tiles)


@instructions
def multiply_row(
    v: Vectors, depth: Value, a: Value, a_k: Value, b: Value, b_k: Value,
    c: Value, first: Value, rest: Value,
) -> None:  # fmt: skip
    """(1) for a single row and BROAD vectors of columns."""
    zero = v.whole(0)
    _emit_tile(v, 1, BROAD, depth, a, zero, a_k, b, b_k, c, zero, first, zero, rest, zero)


def _emit_tile(
    v: Vectors, rows: int, vectors: int, depth: Value,
    a: Value, a_row: Value, a_k: Value, b: Value, b_k: Value,
    c: Value, c_row: Value, first: Value, first_row: Value, rest: Value, rest_row: Value,
) -> None:  # fmt: skip
    """(1) and (3) for so many rows and vectors of columns, which are known here, so unrolled."""
    b_ = v.builder
    columns = [v.whole(j * v.size) for j in range(vectors)]
    rows_of_a, rows_of_c = v.multiples(a_row, rows), v.multiples(c_row, rows)

    def row(address: Value) -> list[Value]:
        return [v.load(address, j) for j in columns]

    def next_k(_k: Value, carried: list[Value]) -> list[Value]:
        a, b, *sums = carried
        right = row(b)
        for i, offset in enumerate(rows_of_a):
            left = v.load_everywhere(a, offset)
            for j in range(vectors):
                sums[i * vectors + j] = v.fma(left, right[j], sums[i * vectors + j])
        return [b_.add(a, a_k), b_.add(b, b_k), *sums]

    def matrix(address: Value, stride: Value) -> list[Value]:
        return [x for i in v.multiples(stride, rows) for x in row(b_.add(address, i))]

    _, _, *sums = v.loop(depth, 1, [a, b, *matrix(first, first_row)], next_k)  # (1)

    def with_rest() -> list[Value]:
        return [b_.fadd(x, s) for x, s in zip(matrix(rest, rest_row), sums, strict=True)]

    sums = v.if_then(b_.icmp_signed("!=", rest, v.whole(0)), with_rest, sums)  # (3)
    for i, offset in enumerate(rows_of_c):
        for j, place in enumerate(columns):
            v.store(sums[i * vectors + j], b_.add(c, offset), place)


@instructions
def dot_rows(
    v: Vectors, rows: Value, depth: Value, a: Value, a_row: Value, b: Value,
    c: Value, c_row: Value, first: Value, first_row: Value,
) -> None:  # fmt: skip
    """(2) for `rows` rows, 1 ... DOTS; missing rows repeat the last."""
    b_ = v.builder
    last = b_.sub(rows, v.whole(1))
    places = [v.least(v.whole(i), last) for i in range(DOTS)]
    rows_of_a = [b_.mul(i, a_row) for i in places]
    whole_vectors = b_.and_(depth, v.whole(-v.lanes))
    size = v.whole(v.size)

    def next_vector(carried: list[Value], mask: Value = None) -> list[Value]:
        a, b, *sums = carried
        right = v.load(b, v.whole(0), mask)
        new = [v.fma(v.load(a, i, mask), right, s) for i, s in zip(rows_of_a, sums, strict=True)]
        return [b_.add(a, size), b_.add(b, size), *new]

    carried = [a, b, *[v.zero] * DOTS]
    carried = v.loop(whole_vectors, v.lanes, carried, lambda _k, now: next_vector(now))
    rest = v.mask(b_.sub(depth, whole_vectors))
    _, _, *sums = next_vector(carried, rest)
    starts = [v.load_number(first, b_.mul(i, first_row)) for i in places]  # all, before any store
    for place, start, lanes in zip(places, starts, sums, strict=True):
        total = b_.fadd(start, v.sum(lanes))  # (2)
        v.store_number(total, c, b_.mul(place, c_row))


@instructions
def copy_in(v: Vectors, width: Value, rows: Value, x: Value, x_row: Value, into: Value) -> None:
    """Copy rows of `width` numbers to `into`, each filled up with zeros to WIDTH vectors."""
    columns = [v.whole(j * v.size) for j in range(WIDTH)]

    def copy(masks: list[Value]) -> None:
        def next_row(_i: Value, carried: list[Value]) -> list[Value]:
            x, into = carried
            for j, mask in zip(columns, masks, strict=True):
                v.store(v.load(x, j, mask), into, j)
            return [v.builder.add(x, x_row), v.builder.add(into, v.whole(WIDTH * v.size))]

        v.loop(rows, 1, [x, into], next_row)

    def copy_some() -> None:
        copy([v.mask(width, skip=j * v.lanes) for j in range(WIDTH)])

    is_whole = v.builder.icmp_signed("==", width, v.whole(WIDTH * v.lanes))
    choice = v.builder.zext(is_whole, width.type)
    v.switch(choice, {0: copy_some, 1: lambda: copy([None] * WIDTH)})


@instructions
def copy_out(v: Vectors, width: Value, rows: Value, x: Value, c: Value, c_row: Value) -> None:
    """Copy rows of WIDTH vectors to c, of each the first `width` numbers, fewer than it holds.

    They are copied in pieces, whose sizes are the binary digits of `width`: 13 are 8, 4 and 1. A
    store through a mask takes AMD's CPUs before Zen 4 some forty steps.
    """
    b_ = v.builder

    def next_row(_i: Value, carried: list[Value]) -> list[Value]:
        x, c, *_ = carried
        offset, size = v.whole(0), WIDTH * v.lanes // 2
        while size:
            has = b_.icmp_signed("!=", b_.and_(width, v.whole(size)), v.whole(0))
            after = b_.add(offset, v.whole(size * v.itemsize))

            def piece(
                size: int = size, offset: Value = offset, after: Value = after
            ) -> list[Value]:
                v.copy(size, x, c, offset)
                return [after]

            (offset,) = v.if_then(has, piece, [offset])
            size //= 2
        return [b_.add(x, v.whole(WIDTH * v.size)), b_.add(c, c_row)]

    v.loop(rows, 1, [x, c], next_row)


@instructions
def transpose_panel(
    v: Vectors, width: Value, depth: Value, b: Value, b_j: Value, panel: Value
) -> None:
    """panel[k, j] = b[k, j] for b with contiguous columns, b_j bytes from one to the next.

    It copies a square of numbers at a time. The last may overlap the one before. Missing columns
    repeat the last column.
    """
    b_ = v.builder
    last = b_.sub(width, v.whole(1))
    places = [v.least(v.whole(j), last) for j in range(WIDTH * v.lanes)]
    columns = [b_.mul(j, b_j) for j in places]
    row = WIDTH * v.size

    def transpose(first_k: Callable[[Value], Value], mask: Value) -> None:
        def next_square(k: Value, _nothing: list[Value]) -> list[Value]:
            at = first_k(k)
            rows = [b_.add(b, b_.add(j, b_.mul(at, v.whole(v.itemsize)))) for j in columns]
            into = b_.add(panel, b_.mul(at, v.whole(row)))
            for n in range(WIDTH):
                square = [
                    v.load(x, v.whole(0), mask) for x in rows[n * v.lanes : (n + 1) * v.lanes]
                ]
                for i, turned in enumerate(v.transpose(square)):
                    v.store(turned, into, v.whole(i * row + n * v.size))
            return []

        v.loop(depth, v.lanes, [], next_square)

    last_k = b_.sub(depth, v.whole(v.lanes))
    is_long = b_.zext(b_.icmp_signed(">=", last_k, v.whole(0)), depth.type)
    v.switch(is_long, {
        0: lambda: transpose(lambda k: k, v.mask(depth)),
        1: lambda: transpose(lambda k: v.least(k, last_k), None),
    })  # fmt: skip
