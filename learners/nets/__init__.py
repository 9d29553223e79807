"""Nets trained by SGD."""
