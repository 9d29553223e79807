"""Images in the files of MNIST's format, from a folder of the user."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from hierbench.errors import refusal
from hierbench.targets.data.data_set import DataSet, standardised_by_channel
from hierbench.targets.data.folder_target import FolderTarget, Reader
from hierbench.targets.data.folders import Stamp, check_sums, content

UNSIGNED_BYTES = 0x08
"""Type code of a file, in the third byte; the fourth is the number of dimensions."""
MD5: Mapping[str, Sequence[str]] = {
    "MNIST": (
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ),
    "Fashion-MNIST": (
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "9018921c3c673c538a1fc5bad174d6f9",
        "8181f5470baa50b63fa0f6fddb340f0a",
        "15d484375f8d13e6eb1aabb0c3f46965",
    ),
}
"""Of the uncompressed files, whoever compressed them. The authors of Fashion-MNIST give those of their
compressed files, those of MNIST none; these are what public loaders check the uncompressed ones by."""


@dataclasses.dataclass(frozen=True)
class Idx(FolderTarget):
    """Images in MNIST's format: MNIST, Fashion-MNIST, the splits of EMNIST, or one's own.

    Number and size of the images are those of the files, and d is the number of pixels. The training files
    are the pool, the test files are held out. Inputs are (pixel - mean) / sd with the one mean and the one
    standard deviation of all training pixels, row by row as in the file.

    Source: LeCun, Cortes & Burges, "The MNIST database of handwritten digits", 1998, for the format and
    MNIST; Xiao, Rasul & Vollgraf, arXiv 1708.07747, for Fashion-MNIST; Cohen, Afshar, Tapson & van Schaik,
    arXiv 1702.05373, for EMNIST.

    Raises
    ------
    ValueError
        On inconsistent parameters, and files that are missing, truncated, of another format or unknown.
    """

    questions: ClassVar[Mapping[str, Sequence[int]]] = {"parity": range(1, 256, 2)}

    labels: Any = "all"
    """all (by number), parity (odd classes 1, even ones -1), or a pair as in [3, 8] (-1 and 1, no others)"""
    folder: str = "mnist"
    """folder with train-images-idx3-ubyte and the other three, or these with .gz, below HIERBENCH_DATA"""
    checksum: str = "MNIST"
    """MNIST or Fashion-MNIST: whose files; for files of your own, what their refusal says they have"""
    prefix: str = ""
    """what the names of the files begin with, as emnist-digits- in EMNIST; its tests are test-images-..."""

    def __post_init__(self) -> None:
        if not isinstance(self.prefix, str) or "/" in self.prefix or "\\" in self.prefix:
            raise ValueError(refusal("prefix", self.prefix, "the beginning of the name of a file"))
        super().__post_init__()

    @property
    def file_names(self) -> Sequence[str]:
        """Images and classes to train on, images and classes for tests."""
        tests = "test" if self.prefix else "t10k"
        kinds = ("images-idx3-ubyte", "labels-idx1-ubyte")
        return [f"{self.prefix}{part}-{kind}" for part in ("train", tests) for kind in kinds]

    @property
    def reader(self) -> Reader:
        """Of the four files."""
        return read_idx


def read_idx(stamp: Stamp, checksum: str) -> DataSet:
    """Read images and classes to train on, and images and classes for tests.

    Raises
    ------
    ValueError
        On another format, a truncated file, files that do not belong together, a checksum that differs.
    """
    paths = [path for path, _, _ in stamp]
    contents = [content(path) for path in paths]
    images, classes, held_out, held_out_classes = (
        array(path, data, dimensions)
        for path, data, dimensions in zip(paths, contents, (3, 1, 3, 1), strict=True)
    )
    for path, labels, of in ((paths[1], classes, images), (paths[3], held_out_classes, held_out)):
        if len(labels) != len(of):
            raise ValueError(refusal(f"classes in {path}", len(labels), f"one value, {len(of)}, as images"))
    if images.shape[1:] != held_out.shape[1:]:
        size, of_tests = ("{} x {}".format(*x.shape[1:]) for x in (images, held_out))
        allowed = f"one value, {size}, as in training"
        raise ValueError(refusal(f"size of images in {paths[2]}", of_tests, allowed))
    if missing := sorted({*held_out_classes.tolist()} - {*classes.tolist()}):
        raise ValueError(refusal(f"a class in {paths[3]}", missing[0], f"those in {paths[1]}"))
    check_sums(paths, contents, MD5, checksum)
    shape = (1, images.shape[1], images.shape[2])
    flat, flat_held_out = (x.reshape(len(x), -1) for x in (images, held_out))
    return standardised_by_channel(
        flat, classes.astype(int), flat_held_out, held_out_classes.astype(int), shape
    )


def array(path: str, data: bytes, dimensions: int) -> np.ndarray:
    """Array in the content of a file, of unsigned bytes.

    Raises
    ------
    ValueError
        On another magic number, more or fewer bytes than the header says, and an empty array.
    """
    magic = (UNSIGNED_BYTES << 8) + dimensions
    start = 4 + 4 * dimensions
    if int.from_bytes(data[:4], "big") != magic or len(data) < start:
        allowed = f"one value, {magic:#010x}: unsigned bytes, {dimensions} dimension{'s' * (dimensions > 1)}"
        remedy = "it is no file of this format, or damaged"
        raise ValueError(refusal(f"magic number of {path}", f"0x{data[:4].hex()}", allowed, remedy))
    shape = tuple(int.from_bytes(data[i : i + 4], "big") for i in range(4, start, 4))
    expected = start + math.prod(shape)
    if len(data) != expected or not math.prod(shape):
        sizes = " x ".join(map(str, shape))
        allowed = f"one value, {expected}, as its header says ({sizes})"
        raise ValueError(refusal(f"bytes of {path}", len(data), allowed, "it is truncated, get it again"))
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)
