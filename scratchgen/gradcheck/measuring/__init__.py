"""Derivatives measured by differences, with error bars, and the verdicts that rest on them."""
