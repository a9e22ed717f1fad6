"""Reading .npy and .npz files that nobody vouches for: sizes first, then bytes, never a pickle.

An .npy file is a short header, which declares a dtype and a shape, and then the numbers. A header
can declare any size, so it is compared with the size of the file before memory is allocated. A
header, or the directory of an archive, that is too long to be honest is not read at all.
"""

import io
import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, NamedTuple

import numpy as np

from ..ground.arguments import Array, Shape
from ..ground.errors import FileError, ScratchgenError, cut

# Deflate cannot shrink by more than this factor (zlib's technical notes).
DEFLATE_LIMIT = 1032
LONGEST_HEADER = 10_000  # bytes
LONGEST_DIRECTORY = 2**21  # bytes of an archive's directory: 20,000 arrays with names
LONGEST_END = 2**16 + 22  # bytes after the directory, with the longest comment
LONGEST_SIDE = 2**40
BLOCK = 2**20  # bytes read at a time
MOST_AXES = 32  # the limit of old versions of NumPy
LENGTHS = {(1, 0): 2, (2, 0): 4}  # version -> bytes that hold the length of the header

NPY_STARTS = (np.lib.format.MAGIC_PREFIX,)
ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")  # with members, and without
PICKLE_START = b"\x80"

PICKLE = "pickled Python objects, which can run code when they are read, and are never read here"


class Header(NamedTuple):
    """The header of an .npy file."""

    shape: Shape
    dtype: np.dtype[Any]
    fortran: bool
    length: int  # bytes of the header itself

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


@contextmanager
def only_file_errors(what: str, advice: str = "copy or make it again") -> Iterator[None]:
    """Turns any exception of a reader of damaged or hostile bytes into a FileError."""
    try:
        yield
    except ScratchgenError:
        raise
    except MemoryError as problem:
        raise FileError(
            f"{what} is too large for the memory of this machine: take a part of it"
        ) from problem
    except Exception as problem:  # zipfile, zlib, lzma and NumPy raise anything on hostile bytes
        reason = cut(getattr(problem, "strerror", None) or problem) or type(problem).__name__
        raise FileError(
            f"{what} cannot be read ({reason}): if it is damaged, {advice}"
        ) from problem


def read_header(stream: IO[bytes], what: str) -> Header:
    """The header at the start of an .npy stream; FileError if there is none, or a pickle."""
    header = _any_header(stream, what)
    if header.dtype.hasobject:
        raise FileError(f"{what} holds {PICKLE}: save plain numbers instead")
    return header


def _any_header(stream: IO[bytes], what: str) -> Header:
    """As `read_header`, but a pickle is allowed."""
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        version = np.lib.format.read_magic(stream)
        counted = stream.read(LENGTHS[version])
        length = int.from_bytes(counted, "little")
        if length > LONGEST_HEADER:
            raise FileError(
                f"{what} has a header of {length:,} bytes, and wants at most {LONGEST_HEADER:,}: "
                f"save a plain array of numbers instead"
            )
        start = io.BytesIO(counted + stream.read(length))
        shape, fortran, dtype = readers[version](start, max_header_size=LONGEST_HEADER)
    except FileError:
        raise
    except Exception as problem:  # the parser of the header may raise anything on hostile bytes
        raise FileError(
            f"{what} is not an array file (.npy): truncated, or not NumPy's"
        ) from problem
    possible = len(shape) <= MOST_AXES and all(0 <= side <= LONGEST_SIDE for side in shape)
    if not possible or not dtype.itemsize:
        raise FileError(
            f"{what} declares an impossible shape, of {len(shape)} axes, for {cut(dtype)}: damaged"
        )
    return Header(shape, dtype, fortran, stream.tell())


def read_array(stream: IO[bytes], size: int, what: str) -> Array:
    """The array of an .npy stream of `size` bytes; FileError unless the two agree."""
    header = read_header(stream, what)
    check_size(header, size, what)
    with only_file_errors(what):
        data = read_up_to(header.nbytes, stream)
        if len(data) != header.nbytes:
            raise FileError(f"{what} is truncated: copy or download it again")
        flat = np.frombuffer(data, header.dtype)
        return flat.reshape(header.shape, order="F" if header.fortran else "C")


def read_up_to(count: int, stream: Any) -> bytearray:
    """`count` bytes, or fewer if the stream ends; memory grows only with what is read."""
    data = bytearray()
    while block := stream.read(min(BLOCK, count - len(data))):
        data += block
    return data


def check_size(header: Header, size: int, what: str) -> None:
    """FileError unless a file of `size` bytes holds exactly what its header declares."""
    if header.length + header.nbytes != size:
        raise FileError(
            f"{what} declares an array of shape {cut(header.shape)}, {header.nbytes:,} bytes, and "
            f"has {max(size - header.length, 0):,}: truncated or damaged, copy or make it again"
        )


def open_zip(stream: IO[bytes], what: str) -> zipfile.ZipFile:
    """The archive in a stream; FileError if it is none, or claims more than it can hold."""
    try:
        archive = zipfile.ZipFile(_Directory(stream, what))
    except FileError:
        raise
    except Exception as problem:  # zipfile raises anything on hostile bytes
        raise FileError(
            f"{what} is not a complete .npz file: truncated, or another kind"
        ) from problem
    archive.fp = stream  # from here on only members are read, and each is checked
    for member in archive.infolist():
        factor = DEFLATE_LIMIT if member.compress_type == zipfile.ZIP_DEFLATED else 1
        if member.file_size > member.compress_size * factor or member.flag_bits & 1:
            raise FileError(
                f"{what} claims {member.file_size:,} bytes for {cut(member.filename)!r}, which "
                f"has {member.compress_size:,}: damaged or hostile, do not use it"
            )
    return archive


class _Directory:
    """A stream that refuses to read more at once than an honest directory has.

    zipfile reads the directory of an archive in one piece, and allocates about 500 bytes for each
    member in it. So the length of that piece bounds the memory that opening an archive takes.
    """

    def __init__(self, stream: IO[bytes], what: str) -> None:
        self.stream, self.what = stream, what
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = -1) -> bytes:
        if size > LONGEST_DIRECTORY:
            raise FileError(
                f"{self.what} has a directory of {size:,} bytes, and wants at most "
                f"{LONGEST_DIRECTORY:,}: put one array into one file"
            )
        return self.stream.read(LONGEST_END if size < 0 else size)


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
        for start in range(0, len(room), BLOCK):
            piece = room[start : start + BLOCK]
            if stream.readinto(piece) != len(piece):  # type: ignore[attr-defined] # a buffered stream
                raise FileError(f"{label} is truncated: copy or download it again")


def member_header(archive: zipfile.ZipFile, name: str, what: str) -> Header:
    """The header of one member of an archive, checked against the member's size."""
    with _opened(archive, name, what) as (stream, size, label):
        header = read_header(stream, label)
        check_size(header, size, label)
        return header


def holds_objects(archive: zipfile.ZipFile, name: str, what: str) -> bool:
    """Whether one member of an archive is a pickle, which `read_member` would refuse."""
    with _opened(archive, name, what) as (stream, _, label):
        return _any_header(stream, label).dtype.hasobject


@contextmanager
def _opened(archive: zipfile.ZipFile, name: str, what: str) -> Iterator[tuple[IO[bytes], int, str]]:
    """A member's stream, its size, and its name for errors; errors of zipfile are FileErrors."""
    label = f"{cut(name)!r} in {what}"
    with only_file_errors(label), archive.open(name) as stream:
        yield stream, archive.getinfo(name).file_size, label
