"""Everything of scratchgen's own as pairs: layers, losses, models, second order."""
