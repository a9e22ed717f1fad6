"""A tile reads fast what lies side by side, so blocks of a matrix are copied into panels.

    panel[k, j] = x[k, j]       at most DEPTH numbers k, as many j as a tile is wide         (1)

The rows of x are as far apart as x is wide, so they lie on many pages of memory. A cache has only a
few places, a set, for all lines whose addresses share certain bits. Rows that are a multiple of
APART bytes apart fall into few sets, and are soon dropped again. In a panel they lie side by side.
Where the columns of x are contiguous instead of its rows, (1) is a transposition. b is copied like
this, and a if its rows are so far apart.

The last panel may stick out of x. It is filled up with zeros, or begins earlier, so that it
overlaps the panel before it.                                                              (2)

x is the address of its first number; x_k and x_j are the bytes from one k, and from one j, to the
next. `like` is an array of the matrices' dtype, and nothing else of it is used.
"""

from . import caches
from .compiling import FromLLVM, helper

# mypy: disable-error-code="no-untyped-def"

LINE = 64  # bytes that a cache moves at once
DEPTH = 256 if caches.L1 >= 48 * 2**10 else 192  # a panel takes at most two thirds of L1
PANELS = min(max(caches.L2 // 2, 2**17), 2**19)  # bytes of the panels of b that are copied at once
BLOCK = min(max(caches.L2 // 4, 2**16), 2**18)  # bytes of a that stay in L2
APART = 2048  # bytes; see above
TOGETHER = 16  # rows of x that are copied at a time, from as many pages
HEIGHTS = 12  # rows of a that are whole tiles on every CPU

# vectors of VECTOR bytes in a tile's row; numbers a vector holds; what moves them
WIDTH, VECTOR, itemsize = FromLLVM("WIDTH"), FromLLVM("VECTOR"), FromLLVM("itemsize", "vectors")
copy_in, transpose_panel = FromLLVM("copy_in"), FromLLVM("transpose_panel")


@helper
def copy_panels(like, columns, depth, x, x_j, x_k, panels, size, group, overlaps):
    """(1): x (depth, columns) into panels of `group` columns, `size` bytes from one to the next.

    Either x_j or x_k is the size of a number.
    """
    item, step_row = itemsize(like), WIDTH * VECTOR
    if x_j == item:  # TOGETHER rows at a time
        for k in range(0, depth, TOGETHER):
            count = min(TOGETHER, depth - k)
            for next_j in range(0, columns, group):
                j, width = columns_at(like, next_j, 0, columns, group, overlaps)
                into = panels + next_j // group * size + k * step_row
                copy_in(like, width, count, x + k * x_k + j * item, x_k, into)
    else:
        for next_j in range(0, columns, group):
            j, width = columns_at(like, next_j, 0, columns, group, overlaps)
            transpose_panel(like, width, depth, x + j * x_j, x_j, panels + next_j // group * size)


@helper
def columns_at(like, j, left, right, step, overlaps):
    """The first column and the width of the panel of `step` columns at j; (2).

    A panel that overlaps the one before has whole vectors, and the same numbers where they overlap.
    """
    width, lanes = min(step, right - j), VECTOR // itemsize(like)
    whole = lanes if width <= lanes else WIDTH * lanes
    if overlaps and right - whole >= left:
        return min(j, right - whole), min(step, whole)
    return j, width


@helper
def first_border(like, left, right, step, overlaps):
    """The column at which a panel begins that sticks out; `right` if none does."""
    last = left + (right - left - 1) // step * step
    _, width = columns_at(like, last, left, right, step, overlaps)
    return last if width != step and width != VECTOR // itemsize(like) else right


@helper
def block_rows(rows, item):
    """The rows of a block of a: as many as fit into BLOCK, in equal shares and whole tiles."""
    most = BLOCK // (DEPTH * item * HEIGHTS) * HEIGHTS
    if rows > most:
        rows = -(-rows // (-(-rows // most)))
    return max(1, -(-rows // HEIGHTS)) * HEIGHTS


@helper
def panels_at_once(columns, item):
    """How many panels of these columns fit into PANELS, at least 1."""
    panels = -(-columns * item // (WIDTH * VECTOR))
    return max(1, min(panels, PANELS // (DEPTH * WIDTH * VECTOR)))
