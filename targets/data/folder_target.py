"""What targets share whose data are in a folder of the user."""

from __future__ import annotations

import abc
import dataclasses
import functools
from collections.abc import Callable, Sequence

from hierbench.errors import refusal
from hierbench.targets.data.data_set import DataSet, Shape
from hierbench.targets.data.data_target import DataTarget
from hierbench.targets.data.folders import Stamp, files

Reader = Callable[[Stamp, str], DataSet]
"""From files and the parameter ``checksum`` to the data; ValueError on files that are not sound."""


@dataclasses.dataclass(frozen=True)
class FolderTarget(DataTarget):
    """A target that is read when it is built, once in a process, and again when its files change."""

    folder: str = ""
    """folder with the files, below the one that the environment variable HIERBENCH_DATA names"""
    checksum: str = ""
    """name of the data set that the files are, or the checksum of files of your own"""

    def __post_init__(self) -> None:
        for name in ("folder", "checksum"):
            if not isinstance(getattr(self, name), str):
                raise ValueError(refusal(name, getattr(self, name), "a text"))
        super().__post_init__()

    @property
    @abc.abstractmethod
    def file_names(self) -> Sequence[str]:
        """Names of the files, uncompressed."""

    @property
    @abc.abstractmethod
    def reader(self) -> Reader:
        """What reads them: a function of a module."""

    @functools.cached_property
    def _files(self) -> Stamp:
        return files(self.folder, self.file_names)

    @property
    def data(self) -> DataSet:
        """The data set.

        Raises
        ------
        ValueError
            In one line: what is missing, truncated or not what it is called.
        """
        return _read(self.reader, self._files, self.checksum)

    @property
    def image_shape(self) -> Shape:
        """As the files say."""
        return self.data.shape

    @property
    def class_numbers(self) -> Sequence[int]:
        """Those of the training pool."""
        return self.data.classes


@functools.lru_cache(maxsize=2)
def _read(reader: Reader, stamp: Stamp, checksum: str) -> DataSet:
    return reader(stamp, checksum)
