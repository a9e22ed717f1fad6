"""IDX, the file format of MNIST and its kin (LeCun et al. 1998).

    0  0  8  d | size_1 ... size_d, four bytes each, big-endian | bytes in C order       (1)

8 stands for unsigned bytes. Files may be plain or gzipped; sizes are checked before memory is
taken.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from ..checks import Array
from ..errors import FileError
from .npy import DEFLATE_LIMIT


def read_idx(path: Path) -> Array:
    """The bytes of one IDX file, as uint8 in the shape it declares.

    Raises FileError where the file is missing, truncated, too long, or of another kind.
    """
    try:
        with path.open("rb") as plain:
            if plain.read(2) == b"\x1f\x8b":
                plain.seek(0)
                room = path.stat().st_size * DEFLATE_LIMIT
                with gzip.GzipFile(fileobj=plain) as stream:
                    return _read(stream, room, path)
            plain.seek(0)
            return _read(plain, path.stat().st_size, path)
    except FileError:
        raise
    except (OSError, EOFError, zlib.error) as problem:
        raise FileError(f"{path} cannot be read ({problem}): download it again") from problem


def _read(stream: IO[bytes] | gzip.GzipFile, room: int, path: Path) -> Array:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:3] != b"\0\0\x08" or not 1 <= magic[3] <= 4:
        raise FileError(f"{path} is not an IDX file of bytes: wants one such as MNIST's")
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise FileError(f"{path} ends within its header: download it again")
    shape = struct.unpack(f">{magic[3]}I", sizes)  # (1)
    count = math.prod(shape)
    if count > room:
        raise FileError(f"{path} declares {shape}, more than it can hold: download it again")
    data = stream.read(count + 1)
    if len(data) != count:
        more = "fewer" if len(data) < count else "more"
        raise FileError(f"{path} declares {shape} and has {more} bytes: download it again")
    return np.frombuffer(data, np.uint8).reshape(shape)
