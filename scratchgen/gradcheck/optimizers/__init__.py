"""Optimizers checked against the formulas of their papers."""
