"""Files as no honest program writes them."""

import io
import json
import struct
import zipfile

import numpy as np


def npy(array) -> bytes:
    """The .npy file of an array, pickled where it holds objects."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def declaring(shape: str, data: bytes = b"") -> bytes:
    """An .npy file that declares float32 in that shape, and has those bytes."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    header = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + data


def members(data: bytes) -> dict[str, bytes]:
    """The members of an archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(content: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    """An archive of members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return file.getvalue()


def changed(data: bytes, name: str, change) -> bytes:
    """An archive, one member of which is what `change` makes of it."""
    content = members(data)
    content[name] = change(content[name])
    return zipped(content)


def with_config(data: bytes, change) -> bytes:
    """A model file whose configuration is what `change` gives, or leaves, of it."""

    def rewrite(old):
        config = json.loads(str(np.load(io.BytesIO(old))))
        return npy(np.array(json.dumps(change(config) or config)))

    return changed(data, "config.npy", rewrite)


def headed(descr: str, shape: str = "(4,)", version: int = 2, data: bytes = b"") -> bytes:
    """An .npy file whose header says that, however long it is."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    length = len(header).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + data


def idx(array: np.ndarray) -> bytes:
    """The IDX file of an array of bytes."""
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def directory(members: int) -> bytes:
    """A zip of nothing but a directory, with so many members of 1 byte's name."""
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"x"
    size, at = members * len(entry), 4
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, size, at, 0)
    return b"PK\x03\x04" + members * entry + end


def damaged(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """The bytes of a file with something flipped, cut, put in, overwritten or spliced."""
    at = int(rng.integers(len(data)))
    some = rng.bytes(int(rng.integers(1, 9)))
    kinds = [
        data[:at] + bytes([data[at] ^ 1 << int(rng.integers(8))]) + data[at + 1 :],
        data[:at],
        data[:at] + data[at + len(some) :],
        data[:at] + some + data[at:],
        data[:at] + len(some) * b"\xff" + data[at + len(some) :],
        data[:at] + other[int(rng.integers(len(other))) :],
    ]
    return kinds[rng.integers(len(kinds))]
