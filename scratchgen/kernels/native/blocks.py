"""Two ways to run a kernel: on a block of numbers, or on NumPy's own objects.

    run = runner(address of the kernel)                      without Python's lock
    status = run(part, parts, address of pack(args))         a plan, which packs once and runs often
    run = runner_of_objects(address of its other entry)
    status = run(part, parts, addresses of NumPy's objects)  a call from Python

A block has 8 bytes for each number that a kernel takes: for an array its size, the size of an item,
the address, the shape and the strides. Python needs a microsecond to unpack an array into these. So
a kernel that Python calls gets the addresses of NumPy's objects and reads the same from there:

    bytes of an array, after the header of all objects:                                 (1)
    0 data    8 number of axes    16 shape    24 strides    40 dtype    48 flags

The status is 0, or OTHER if an array is not of the kind that the kernel was compiled for.
"""

import array
import ctypes
import functools
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...ground.arguments import Array

HEADER = object.__basicsize__
DATA, AXES, SHAPE, STRIDES, DTYPE, FLAGS = (HEADER + i for i in (0, 8, 16, 24, 40, 48))
LETTERS = HEADER + 8  # of a dtype: its kind, its letter, its byte order
ALL_FLAGS = 0x503  # that numba looks at: contiguous, aligned, writeable
OTHER = -9  # not one of numba's own, which are -3 to 0 and the numbers from 1 on

_number = ctypes.c_int64
runner_of_objects = functools.cache(
    ctypes.CFUNCTYPE(ctypes.c_int32, _number, _number, ctypes.c_char_p)
)
runner = ctypes.CFUNCTYPE(ctypes.c_int32, _number, _number, _number)


@functools.cache
def numpy_is_known() -> bool:
    """Whether arrays of this NumPy are as in (1); else Python packs the arguments of each call."""
    x = np.zeros((2, 3, 4), np.int16)[:, ::2]
    at = id(x)
    read = ctypes.c_int64.from_address
    return (
        ctypes.sizeof(ctypes.c_void_p) == 8
        and read(at + DATA).value == x.ctypes.data
        and ctypes.c_int32.from_address(at + AXES).value == x.ndim
        and tuple(read(read(at + SHAPE).value + 8 * i).value for i in range(3)) == x.shape
        and tuple(read(read(at + STRIDES).value + 8 * i).value for i in range(3)) == x.strides
        and read(at + DTYPE).value == id(x.dtype)
        and ctypes.string_at(id(x.dtype) + LETTERS, 3) == b"ih="
        and ctypes.c_int32.from_address(at + FLAGS).value & ALL_FLAGS == x.flags.num & ALL_FLAGS
    )


def packer(types: tuple[type, ...]) -> tuple[Callable[..., bytes], list[Callable[[Any], int]]]:
    """How to pass arguments of these types as NumPy's objects: the packer, and a reader for each.

    A reader returns the address of an array, or the bits of a number, as a whole number. The packer
    puts all of them into bytes, 8 for each.
    """
    readers = [
        id if issubclass(kind, np.ndarray) else int if issubclass(kind, int) else bits
        for kind in types
    ]
    return struct.Struct(f"{len(types)}q").pack, readers


def pack(args: Sequence[Any]) -> "array.array[int]":
    """The arguments as a kernel reads them, 8 bytes for each number."""
    numbers: list[Any] = []
    for x in args:
        if isinstance(x, np.ndarray):
            # the first two are numba's reference counts, 0 for memory that it does not own
            numbers += (0, 0, x.size, x.itemsize, _address(x), *x.shape, *x.strides)
        elif isinstance(x, tuple):
            numbers += map(bits, x)
        else:
            numbers.append(bits(x))
    return array.array("q", numbers)


def _address(x: Array) -> int:
    """The address of the first number; by far the fastest way comes first."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(x.data))
    except (TypeError, ValueError, BufferError):  # memory that is read-only, empty, or in pieces
        return x.ctypes.data


def bits(number: Any) -> int:
    """A number's bits, read as a whole number."""
    if isinstance(number, np.float32):
        return int(struct.unpack("q", struct.pack("f4x", number))[0])
    if isinstance(number, float):
        return int(struct.unpack("q", struct.pack("d", number))[0])
    return int(number)
