"""Reading .npy and .npz from strangers: sizes first, then bytes, and never a pickle.

An .npy file is a short header, which declares a dtype and a shape, and then the numbers. A header
can declare any size, so what it declares is compared with what the file has before memory is taken.
"""

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, NamedTuple

import numpy as np

from ..checks import Array, Shape
from ..errors import FileError

# Deflate cannot shrink by more than this factor (zlib's technical notes).
DEFLATE_LIMIT = 1032
LONGEST_HEADER = 10_000
LONGEST_SIDE = 2**40
PIECE = 2**20  # bytes that are read at once

PICKLE = "pickled Python objects, which can run code when they are read, and are never read here"


class Header(NamedTuple):
    """What an .npy file declares."""

    shape: Shape
    dtype: np.dtype[Any]
    fortran: bool
    length: int  # bytes of the header itself

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(stream: IO[bytes], what: str) -> Header:
    """The header at the start of an .npy stream; FileError where there is none, or a pickle."""
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        version = np.lib.format.read_magic(stream)
        shape, fortran, dtype = readers[version](stream, max_header_size=LONGEST_HEADER)
    except Exception as problem:  # the parser of the header may raise anything on hostile bytes
        raise FileError(
            f"{what} is not an array file (.npy): truncated, or not NumPy's"
        ) from problem
    if dtype.hasobject:
        raise FileError(f"{what} holds {PICKLE}: save plain numbers instead")
    if any(side < 0 or side > LONGEST_SIDE for side in shape) or not dtype.itemsize:
        raise FileError(f"{what} declares the impossible shape {shape} of {dtype}: damaged")
    return Header(shape, dtype, fortran, stream.tell())


def read_array(stream: IO[bytes], size: int, what: str) -> Array:
    """The array of an .npy stream of `size` bytes; FileError unless the two agree."""
    header = read_header(stream, what)
    check_size(header, size, what)
    data = stream.read(header.nbytes)
    if len(data) != header.nbytes:
        raise FileError(f"{what} is truncated: copy or download it again")
    flat = np.frombuffer(data, header.dtype)
    try:
        return flat.reshape(header.shape, order="F" if header.fortran else "C").copy()
    except ValueError as problem:  # no numbers, in a shape too large to count
        raise FileError(
            f"{what} declares the impossible shape {header.shape}: damaged"
        ) from problem


def check_size(header: Header, size: int, what: str) -> None:
    """FileError unless a file of `size` bytes holds just what its header declares."""
    if header.length + header.nbytes != size:
        raise FileError(
            f"{what} declares an array of shape {header.shape}, {header.nbytes:,} bytes, and has "
            f"{max(size - header.length, 0):,}: truncated or damaged, copy or make it again"
        )


def open_zip(stream: IO[bytes], what: str) -> zipfile.ZipFile:
    """The archive in a stream; FileError where it is none, or claims more than it could hold."""
    try:
        archive = zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as problem:
        raise FileError(
            f"{what} is not a complete .npz file: truncated, or another kind"
        ) from problem
    for member in archive.infolist():
        factor = DEFLATE_LIMIT if member.compress_type == zipfile.ZIP_DEFLATED else 1
        if member.file_size > member.compress_size * factor or member.flag_bits & 1:
            raise FileError(
                f"{what} claims {member.file_size:,} bytes for {member.filename!r}, which has "
                f"{member.compress_size:,}: damaged or hostile, do not use it"
            )
    return archive


def read_member(archive: zipfile.ZipFile, name: str, what: str) -> Array:
    """The array of one member `name` (with .npy) of an archive."""
    with _opened(archive, name, what) as (stream, size, label):
        return read_array(stream, size, label)


def read_into(archive: zipfile.ZipFile, name: str, what: str, out: Array) -> None:
    """Write the array of one member into `out`, contiguous and of its shape and dtype."""
    with _opened(archive, name, what) as (stream, size, label):
        header = read_header(stream, label)
        check_size(header, size, label)
        if (header.shape, header.dtype) != (out.shape, out.dtype):
            raise FileError(f"{label} was changed while it was read: load it again")
        if header.fortran:
            out[...] = np.frombuffer(stream.read(), header.dtype).reshape(out.shape, order="F")
            return
        room = out.reshape(-1).view(np.uint8).data
        for start in range(0, len(room), PIECE):
            piece = room[start : start + PIECE]
            if stream.readinto(piece) != len(piece):  # type: ignore[attr-defined] # it is buffered
                raise FileError(f"{label} is truncated: copy or download it again")


def member_header(archive: zipfile.ZipFile, name: str, what: str) -> Header:
    """What one member of an archive declares, once it is known that its size agrees."""
    with _opened(archive, name, what) as (stream, size, label):
        header = read_header(stream, label)
        check_size(header, size, label)
        return header


@contextmanager
def _opened(archive: zipfile.ZipFile, name: str, what: str) -> Iterator[tuple[IO[bytes], int, str]]:
    """A member's stream, size and name for errors; what zipfile stumbles over is a FileError."""
    label = f"{name!r} in {what}"
    try:
        with archive.open(name) as stream:
            yield stream, archive.getinfo(name).file_size, label
    except FileError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as problem:
        raise FileError(f"{label} is damaged ({problem}): copy or make it again") from problem
