"""Damaged and malicious files, such as no honest program writes."""

import io
import json
import struct
import zipfile

import numpy as np


def npy(array) -> bytes:
    """The .npy file of an array, pickled if it holds objects."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def declaring(shape: str, data: bytes = b"") -> bytes:
    """An .npy file whose header declares float32 of that shape, and whose data are those bytes."""
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
    """The archive with one member replaced by `change` of it."""
    content = members(data)
    content[name] = change(content[name])
    return zipped(content)


def with_config(data: bytes, change) -> bytes:
    """The model file with `change` applied to its configuration, in place or by its result."""

    def rewrite(old):
        config = json.loads(str(np.load(io.BytesIO(old))))
        return npy(np.array(json.dumps(change(config) or config)))

    return changed(data, "config.npy", rewrite)


def headed(descr: str, shape: str = "(4,)", version: int = 2, data: bytes = b"") -> bytes:
    """An .npy file with that header, which may be long."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    length = len(header).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + data


def idx(array: np.ndarray) -> bytes:
    """The IDX file of an array, as bytes."""
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def directory(members: int) -> bytes:
    """A zip that is only a directory, of so many members whose names have 1 byte."""
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"x"
    size, at = members * len(entry), 4
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, size, at, 0)
    return b"PK\x03\x04" + members * entry + end


def damaged(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """The bytes of a file with a bit flipped, or bytes cut, removed, inserted or replaced."""
    at = int(rng.integers(len(data)))
    inserted = rng.bytes(int(rng.integers(1, 9)))
    kinds = [
        data[:at] + bytes([data[at] ^ 1 << int(rng.integers(8))]) + data[at + 1 :],
        data[:at],
        data[:at] + data[at + len(inserted) :],
        data[:at] + inserted + data[at:],
        data[:at] + len(inserted) * b"\xff" + data[at + len(inserted) :],
        data[:at] + other[int(rng.integers(len(other))) :],
    ]
    return kinds[rng.integers(len(kinds))]
