"""Optimizers beside the formulas of their papers."""
