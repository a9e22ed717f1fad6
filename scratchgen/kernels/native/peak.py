"""How fast is fast? The machine's own limits: multiply-adds in registers, and numbers from memory.

    flops = 2 lanes SUMS count / seconds         SUMS sums, independent, count terms each     (1)
    bytes = 3 itemsize n / seconds               a[i] = b[i] + s c[i], i = 0 ... n - 1        (2)

A fused multiply-add is two operations on each lane. It takes some cycles, and the next multiply-add
on the same sum has to wait for it: 24 sums keep any CPU busy. (2) is the triad of STREAM (McCalpin
1995) and counts bytes as STREAM does. Only code that measures imports this file.
"""

import time

import numpy as np

from ...ground.arguments import Array
from ..plans import in_parts
from ..recording import Call
from ..sharing import share
from .target import BITS
from .vectors import Value, Vectors, instructions

# mypy: disable-error-code="no-untyped-def"

SUMS = 12 if BITS == 256 else 24  # which leave registers for x and y: AVX2 has 16, others have 32
ROOM = 4096  # bytes apart, so that no two threads write to the same cache line
SECONDS = 0.02  # of a measurement


@instructions
def multiply_add(v: Vectors, count: Value, at: Value) -> None:
    """sum += x y in SUMS vectors, `count` times; x and y are the first two vectors at `at`."""
    x, y = v.load(at, v.whole(0)), v.load(at, v.whole(v.size))
    places = [v.whole((2 + i) * v.size) for i in range(SUMS)]

    def again(_n: Value, sums: list[Value]) -> list[Value]:
        return [v.fma(x, y, s) for s in sums]

    sums = v.loop(count, 1, [v.load(at, place) for place in places], again)
    for s, place in zip(sums, places, strict=True):
        v.store(s, at, place)


def multiply_adds(part, _parts, like, work, count):
    """Each part does (1) in a place of its own: work (parts, ROOM) bytes, numbers as in `like`."""
    multiply_add(like, count, work[part].ctypes.data)


def triad(part, parts, a, b, c, s):
    """(2), one part of it."""
    start, stop = share(a.size, part, parts)
    a, b, c = a[start:stop], b[start:stop], c[start:stop]
    for i in range(a.size):
        a[i] = b[i] + s * c[i]


def fma_rate(threads: int, dtype: str = "float32", rounds: int = 7) -> float:
    """Operations a second on that many threads, the best of some rounds; 0 without vectors."""
    if not BITS:
        return 0.0
    like = np.zeros(1, dtype)
    work = np.zeros((threads, ROOM), np.uint8)

    def seconds(parts: int, count: int) -> float:
        began = time.perf_counter()
        in_parts(Call(multiply_adds, (like, work, count), count), parts)
        return time.perf_counter() - began

    seconds(threads, 1)
    count = 1000
    while (took := seconds(1, count)) < SECONDS / 4:
        count *= 2
    count = int(count * SECONDS / took)
    operations = 2 * threads * (BITS // 8 // like.itemsize) * SUMS * count
    return operations / min(seconds(threads, count) for _ in range(rounds))  # (1)


def bandwidth(threads: int, megabytes: int = 200, rounds: int = 7) -> float:
    """Bytes a second to and from memory, the best of some rounds; the arrays have `megabytes`."""
    n = megabytes * 1_000_000 // 12
    arrays: list[Array] = [np.zeros(n, np.float32) for _ in range(3)]
    s = np.float32(2)
    best = float("inf")
    for _ in range(rounds + 1):  # in the first, the system hands out pages
        began = time.perf_counter()
        in_parts(Call(triad, (*arrays, s), n), threads)
        best = min(best, time.perf_counter() - began)
    return 3 * 4 * n / best  # (2)
