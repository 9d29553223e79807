"""Small data sets in the layouts that targets read from folders."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np

IDX = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
CIFAR = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
SHAPE = (5, 4)
"""Rows and columns of images in MNIST's format."""


def idx_bytes(array: np.ndarray) -> bytes:
    """Content of a file of unsigned bytes in MNIST's format."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.astype(np.uint8).tobytes()


def write_idx(folder: Path, compressed: bool = False, prefix: str = "", seed: int = 0) -> str:
    """Write 150 images to train on and 110 for tests, of classes 0 to 3; return their checksum."""
    rng = np.random.default_rng(seed)
    contents = []
    for n in (150, 110):
        contents += [idx_bytes(rng.integers(0, 256, (n, *SHAPE))), idx_bytes(np.arange(n) % 4)]
    names = [prefix + (name.replace("t10k", "test") if prefix else name) for name in IDX]
    return _written(folder, names, contents, compressed)


def write_cifar(folder: Path, compressed: bool = False, seed: int = 0) -> str:
    """Write five batches of 30 images and 110 for tests, of classes 0 to 9; return their checksum."""
    rng = np.random.default_rng(seed)
    contents = []
    for n in (30, 30, 30, 30, 30, 110):
        records = rng.integers(0, 256, (n, 3073), dtype=np.uint8)
        records[:, 0] = np.arange(n) % 10
        contents.append(records.tobytes())
    return _written(folder, CIFAR, contents, compressed)


def _written(folder: Path, names, contents: list[bytes], compressed: bool) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in zip(names, contents, strict=True):
        path = folder / (f"{name}.gz" if compressed else name)
        path.write_bytes(gzip.compress(content) if compressed else content)
    sums = "".join(hashlib.md5(content).hexdigest() for content in contents)
    return hashlib.sha256(sums.encode()).hexdigest()[:16]
