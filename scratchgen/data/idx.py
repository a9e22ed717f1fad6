"""IDX, the file format of MNIST and its relatives (LeCun et al. 1998).

    0  0  8  d | size_1 ... size_d, four bytes each, big-endian | bytes in C order       (1)

8 means unsigned bytes. Files may be plain or gzipped. Sizes are checked before memory is
allocated.
"""

import gzip
import math
import struct
from pathlib import Path
from typing import IO

import numpy as np

from ..ground.arguments import Array
from ..ground.errors import FileError
from ..ground.opening import Opened, open_named
from .npy import DEFLATE_LIMIT, only_file_errors, read_up_to

START, GZIP_START = b"\0\0\x08", b"\x1f\x8b"
STARTS = (START, GZIP_START)
AGAIN = "download it again"


def read_idx(path: Path) -> Array:
    """The bytes of one IDX file, as uint8 in the shape it declares.

    Raises FileError if the file is missing, truncated, too long, or of another kind.
    """
    opened = open_named(path, STARTS, "an IDX file, such as MNIST's")
    with opened.stream:
        return read_opened_idx(opened)


def read_opened_idx(opened: Opened) -> Array:
    """As `read_idx`, from a stream at its start."""
    stream, size, what = opened
    with only_file_errors(what, AGAIN):
        start = stream.read(len(GZIP_START))
        stream.seek(0)
        if start != GZIP_START:
            return _read(stream, size, what)
        with gzip.GzipFile(fileobj=stream) as unpacked:
            return _read(unpacked, size * DEFLATE_LIMIT, what)


def _read(stream: IO[bytes] | gzip.GzipFile, room: int, what: str) -> Array:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:3] != START or not 1 <= magic[3] <= 4:
        if isinstance(stream, gzip.GzipFile):
            raise FileError(
                f"{what} is gzipped, but holds no IDX file: unpack it with gunzip, and name the "
                f"result"
            )
        raise FileError(f"{what} is not an IDX file of bytes: wants one such as MNIST's")
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise FileError(f"{what} ends within its header: {AGAIN}")
    shape = struct.unpack(f">{magic[3]}I", sizes)  # (1)
    count = math.prod(shape)
    if count > room:
        raise FileError(f"{what} declares {shape}, more than it can hold: {AGAIN}")
    data = read_up_to(count + 1, stream)
    if len(data) != count:
        more = "fewer" if len(data) < count else "more"
        raise FileError(f"{what} declares {shape} and has {more} bytes: {AGAIN}")
    return np.frombuffer(data, np.uint8).reshape(shape)
