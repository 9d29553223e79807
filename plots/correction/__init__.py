"""Figures of backward feature correction."""
