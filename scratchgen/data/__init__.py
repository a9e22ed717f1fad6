"""Data: built in (digits, ring, grid), or from disk."""

from .batching import batches
from .handwriting import digits
from .sources import NAMES, fashion_mnist, load, mnist
from .toys import GRID, MIXTURES, RING, Mixture, grid, ring

__all__ = [
    "GRID",
    "MIXTURES",
    "NAMES",
    "RING",
    "Mixture",
    "batches",
    "digits",
    "fashion_mnist",
    "grid",
    "load",
    "mnist",
    "ring",
]
