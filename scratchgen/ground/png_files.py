"""A picture as a PNG file in memory, with nothing but zlib.

A PNG is a signature and three chunks: a header, the compressed rows of pixels, and an end. A chunk
has a length, a type, data, and a checksum of type and data. Each row begins with a byte that names
its filter; 0 is none.
"""

import struct
import zlib

import numpy as np

from .arguments import Array

COLOURS = {1: 0, 3: 2}  # PNG's number for grey and for RGB, by channels


def png(pixels: Array) -> bytes:
    """The PNG of pixels (H, W, 1) or (H, W, 3) of uint8."""
    height, width, channels = pixels.shape
    rows = pixels.reshape(height, width * channels)
    filtered = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, COLOURS[channels], 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes())), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk: its length, its type, its data and the checksum of type and data."""
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
