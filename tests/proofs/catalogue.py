"""The catalogue of real mistakes: `ENTRIES`, by name; see mistakes.py."""

import catalogue_layers
import catalogue_losses
from mistakes import ENTRIES, Entry

__all__ = ["ENTRIES", "Entry", "catalogue_layers", "catalogue_losses"]
