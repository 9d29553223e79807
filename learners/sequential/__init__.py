"""Kernels applied level by level."""
