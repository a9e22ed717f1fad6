"""Models are saved to files and loaded from them."""

from .files import load, save

__all__ = ["load", "save"]
