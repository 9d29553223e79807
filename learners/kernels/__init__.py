"""Kernel ridge regression with classical kernels."""
