"""The library's own layers, losses and models as pairs, with their second derivatives."""
