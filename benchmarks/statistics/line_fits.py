"""Lines through intervals of log n*: each is fitted once, and a folder of results keeps what was fitted."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hierbench.benchmarks.provenance.fingerprint import digest, fingerprint
from hierbench.benchmarks.statistics.integrated_likelihood import SlopeInterval, slope_interval
from hierbench.benchmarks.statistics.lack_of_fit import lack_of_fit
from hierbench.benchmarks.statistics.shared_scatter import widened
from hierbench.files import replace_file

MOST = 16384
"""Fits that are remembered, and kept in a folder: four megabytes."""
NAME = "fits.json"


@dataclasses.dataclass(frozen=True)
class Intervals:
    """What a line is fitted to, as bytes of arrays of shape (N,): equal for equal numbers.

    ``x``, ``lower`` and ``upper`` are float64, ``replicates`` and ``levels`` int64: arguments of
    ``slope_interval`` and ``widened``.
    """

    x: bytes
    lower: bytes
    upper: bytes
    replicates: bytes
    levels: bytes
    confidence: float

    @classmethod
    def of(
        cls,
        x: np.ndarray,
        lower: np.ndarray,
        upper: np.ndarray,
        replicates: np.ndarray,
        levels: np.ndarray,
        confidence: float,
    ) -> Intervals:
        """The bytes of these arrays."""
        places, low, high = (np.asarray(part, dtype=np.float64).tobytes() for part in (x, lower, upper))
        groups, shared = (np.asarray(part, dtype=np.int64).tobytes() for part in (replicates, levels))
        return cls(places, low, high, groups, shared, confidence)

    def key(self) -> str:
        """Digest of all of it."""
        parts = (self.x, self.lower, self.upper, self.replicates, self.levels)
        digests = [hashlib.sha256(part).hexdigest() for part in parts]
        return digest([*digests, float(self.confidence).hex()])


@dataclasses.dataclass(frozen=True)
class LineFit:
    """Slope and its interval, the interval's ends where replicates scatter together, p of the line."""

    line: SlopeInterval
    low: float
    high: float
    lack_of_fit: float | None


def fit(data: Intervals) -> LineFit:
    """Fit a line, whatever is remembered."""
    x, lower, upper = (np.frombuffer(part) for part in (data.x, data.lower, data.upper))
    replicates, levels = (np.frombuffer(part, dtype=np.int64) for part in (data.replicates, data.levels))
    line = slope_interval(x, lower, upper, data.confidence)
    low, high = widened(x, lower, upper, replicates, line, data.confidence, levels)
    return LineFit(line, low, high, lack_of_fit(x, lower, upper))


class Memory:
    """Fits by the digest of what they were fitted to, ``MOST`` at most: the longest unused goes first."""

    def __init__(self) -> None:
        self._fits: dict[str, LineFit] = {}
        self.added = 0

    def get(self, key: str) -> LineFit | None:
        """The fit of this key, which is used then; None without one."""
        found = self._fits.pop(key, None)
        if found is not None:
            self._fits[key] = found
        return found

    def put(self, key: str, fitted: LineFit) -> None:
        """Remember a fit."""
        self._fits.pop(key, None)
        self._fits[key] = fitted
        self.added += 1
        self._cut()

    def forget(self) -> None:
        """Forget all fits."""
        self._fits.clear()

    def _cut(self) -> None:
        while len(self._fits) > MOST:
            del self._fits[next(iter(self._fits))]

    def read(self, path: Path, code: str) -> None:
        """Take what a file has of this code, behind what is remembered; nothing of a file that is damaged."""
        try:
            content = json.loads(path.read_text())
            if content["code"] != code:
                return
            kept = {str(key): _from_list(values) for key, values in content["fits"].items()}
        except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
            return
        self._fits = {**kept, **self._fits}
        self._cut()

    def write(self, path: Path, code: str) -> None:
        """Write all that is remembered, where that is possible."""
        fits = {key: _as_list(one) for key, one in self._fits.items()}
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, json.dumps({"code": code, "fits": fits}).encode())


def _as_list(one: LineFit) -> list[float | None]:
    return [*dataclasses.astuple(one.line), one.low, one.high, one.lack_of_fit]


def _from_list(values: list[float | None]) -> LineFit:
    *numbers, unfit = values
    if not all(isinstance(v, float) for v in numbers) or not isinstance(unfit, float | None):
        raise TypeError("no fit")
    *line, low, high = (float(v) for v in numbers if v is not None)
    return LineFit(SlopeInterval(*line), low, high, unfit)


MEMORY = Memory()
"""Of this process: tables, figures and claims ask for the same fits."""


def fitted(data: Intervals) -> LineFit:
    """The line through intervals, as it is remembered or else fitted now."""
    key = data.key()
    found = MEMORY.get(key)
    if found is None:
        found = fit(data)
        MEMORY.put(key, found)
    return found


@contextlib.contextmanager
def kept_fits(results: Path) -> Iterator[None]:
    """Begin with the fits that a folder of results keeps, and leave it those that were made.

    ``tables/fits.json`` in the folder: fits by the digest of the intervals and the confidence, under the
    fingerprint of the code that fits and the versions of its libraries; those of other code are dropped. A
    number comes back with all its digits. The file is replaced whole, after what others have written there
    meanwhile was taken in: of two writers at the same moment one is lost, whose fits are then made again.
    """
    path = results / "tables" / NAME
    code = digest(list(fingerprint(__name__)))
    MEMORY.read(path, code)
    before = MEMORY.added
    try:
        yield
    finally:
        if MEMORY.added > before:
            MEMORY.read(path, code)
            MEMORY.write(path, code)
