"""Hierarchies of quadratic levels."""
