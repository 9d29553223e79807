"""Predicted learning curves of kernels."""
