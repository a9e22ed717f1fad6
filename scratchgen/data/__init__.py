"""Data: built in (digits, ring, grid, swiss_roll, two_moons, spiral), or from disk."""

from .batching import batches
from .curves import SPIRAL, SWISS_ROLL, TOYS, TWO_MOONS, Curves, spiral, swiss_roll, two_moons
from .handwriting import digits
from .scaling import SCALERS, Scaler
from .sources import NAMES, builtin_name, fashion_mnist, load, mnist
from .toys import GRID, MIXTURES, RING, Mixture, Toy, grid, ring

__all__ = [
    "GRID",
    "MIXTURES",
    "NAMES",
    "RING",
    "SCALERS",
    "SPIRAL",
    "SWISS_ROLL",
    "TOYS",
    "TWO_MOONS",
    "Curves",
    "Mixture",
    "Scaler",
    "Toy",
    "batches",
    "builtin_name",
    "digits",
    "fashion_mnist",
    "grid",
    "load",
    "mnist",
    "ring",
    "spiral",
    "swiss_roll",
    "two_moons",
]
