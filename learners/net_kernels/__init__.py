"""Kernels of nets: NNGP, tangent kernels, compositional ones."""
