"""Files as no honest program writes them."""

import io

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
