"""CIFAR-10 from a folder of the user."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from hierbench.checks import integer
from hierbench.errors import refusal
from hierbench.targets.data.data_set import DataSet, Shape, standardised_by_channel
from hierbench.targets.data.folder_target import FolderTarget, Reader
from hierbench.targets.data.folders import Stamp, check_sums, content

SHAPE: Shape = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32
"""Bytes of an image in a file: its class and its pixels."""
N_CLASSES = 10
FILES = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
MD5: Mapping[str, Sequence[str]] = {
    "CIFAR-10": (
        "5dd7e06a14cb22eb9f671a540d1b7c25",
        "5ea93a67294ea407fff1d09f752e9692",
        "942cd6a4bcdd0dd3c604fbe906cb4421",
        "ae636b3ba5c66a11e91e8cb52e771fcb",
        "53f37980c15c3d472c316c40844f3f0d",
        "803d5f7f4d78ea53de84dbe85f74fb6d",
    )
}
"""Of the files in the authors' archive ``cifar-10-binary.tar.gz``. The authors give the archive's MD5 only,
c32a1d4ab5d03f1284b67883e8d87530; these are what public loaders of that archive check its files by."""


@dataclasses.dataclass(frozen=True)
class Cifar10(FolderTarget):
    """CIFAR-10: 60 000 colour images of 32 x 32 pixels in 10 classes, from the authors' binary version.

    50 000 images in five batches to train on, 10 000 for tests. Inputs are (pixel - mean) / sd with the mean
    and the standard deviation of each channel over the training images; red before green before blue, each
    row by row. Classes: 0 airplane, 1 automobile, 2 bird, 3 cat, 4 deer, 5 dog, 6 frog, 7 horse, 8 ship,
    9 truck.

    Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", University of Toronto, 2009.

    Raises
    ------
    ValueError
        On inconsistent parameters, and files that are missing, truncated or not the authors'.
    """

    questions: ClassVar[Mapping[str, Sequence[int]]] = {"animals": (2, 3, 4, 5, 6, 7)}

    labels: Any = "all"
    """all (0 to 9), animals (animals 1, vehicles -1), or a pair as in [3, 5] (-1 and 1, no others)"""
    folder: str = "cifar-10-batches-bin"
    """folder with data_batch_1.bin to data_batch_5.bin and test_batch.bin, below HIERBENCH_DATA"""
    checksum: str = "CIFAR-10"
    """CIFAR-10: the authors' files; for files of your own, what their refusal says they have"""

    def __post_init__(self) -> None:
        pixels = RECORD - 1
        if integer("d", self.d, 1) != pixels:
            raise ValueError(refusal("d", self.d, f"one value, {pixels}", "the images are 3 x 32 x 32"))
        super().__post_init__()

    @property
    def file_names(self) -> Sequence[str]:
        """Five batches and the test batch."""
        return FILES

    @property
    def reader(self) -> Reader:
        """Of the binary version."""
        return read_binary


def read_binary(stamp: Stamp, checksum: str) -> DataSet:
    """Read the files of the binary version.

    Raises
    ------
    ValueError
        On a file that is no whole number of images, a class above 9, a checksum that differs.
    """
    paths = [path for path, _, _ in stamp]
    contents = [content(path) for path in paths]
    records = []
    for path, data in zip(paths, contents, strict=True):
        if not data or len(data) % RECORD:
            remedy = "a class and 3 x 32 x 32 pixels an image: it is truncated, get it again"
            raise ValueError(refusal(f"bytes of {path}", len(data), f"multiples of {RECORD}", remedy))
        record = np.frombuffer(data, dtype=np.uint8).reshape(-1, RECORD)
        if record[:, 0].max() >= N_CLASSES:
            allowed = f"integers from 0 to {N_CLASSES - 1}"
            raise ValueError(refusal(f"a class in {path}", int(record[:, 0].max()), allowed))
        records.append(record)
    check_sums(paths, contents, MD5, checksum)
    pool = np.concatenate(records[:-1])
    held_out = records[-1]
    return standardised_by_channel(
        pool[:, 1:], pool[:, 0].astype(int), held_out[:, 1:], held_out[:, 0].astype(int), SHAPE
    )
