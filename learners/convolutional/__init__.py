"""Convolutional residual networks on images, trained together or block by block: classifiers in PyTorch."""
