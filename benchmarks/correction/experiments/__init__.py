"""Experiments of backward feature correction, one a file."""
