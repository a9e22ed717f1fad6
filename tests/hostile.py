"""Files as no honest program writes them."""

import io
import json
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
