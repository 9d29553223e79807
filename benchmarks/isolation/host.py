"""The side of the unit: a foreign learner that fits in a process, and a process group, of its own."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import psutil

from hierbench.benchmarks.isolation import fork_server, messages
from hierbench.benchmarks.units.fitting import (
    Fit,
    Fits,
    Fitting,
    LateError,
    LearnerGoneError,
    OnTrace,
    plain_report,
)
from hierbench.benchmarks.units.plain import DescribedError, one_line
from hierbench.errors import refusal
from hierbench.learners.base import Curve, FitReport
from hierbench.learners.predictions import real_predictions

LONGEST_LOG = 2**16


class Process:
    """A process that answers messages, in a process group that ends with it.

    Parameters
    ----------
    limit : float
        Seconds from now on, by a clock that nobody can set and that stands while the machine sleeps.
    also : tuple of str
        Modules that it may find loaded.
    """

    def __init__(self, limit: float, also: tuple[str, ...] = ()) -> None:
        self.limit = limit
        self.end = time.monotonic() + limit
        incoming, self._requests = os.pipe()
        self._answers, outgoing = os.pipe()
        output, written = os.pipe()
        try:
            self._child = fork_server.start((incoming, outgoing), written, also)
        finally:
            for descriptor in (incoming, outgoing, written):
                os.close(descriptor)
        self._log = bytearray()
        self._logged = 0
        self._listener = threading.Thread(target=self._listen, args=(output,), daemon=True)
        self._listener.start()

    def ask(
        self,
        head: dict[str, Any],
        arrays: Sequence[np.ndarray] = (),
        watch: Callable[[], None] | None = None,
    ) -> tuple[dict[str, Any], list[np.ndarray]]:
        """Send a message and wait for the answer; ``watch`` is called while waiting.

        Raises
        ------
        DescribedError
            What was asked for failed there.
        LearnerGoneError, LateError
        """
        try:
            for piece in messages.encoded(head, arrays):
                while piece:
                    piece = piece[os.write(self._requests, piece) :]
        except OSError as error:
            raise LearnerGoneError(self._death()) from error
        try:
            answer, answered = messages.decoded(lambda size: self._read(size, watch))
        except messages.BrokenMessageError as error:
            raise LearnerGoneError(f"its process answered with {error}") from error
        if "failed" in answer:
            raise DescribedError(one_line(str(answer["failed"])))
        return answer, answered

    def _read(self, size: int, watch: Callable[[], None] | None) -> bytearray:
        content = bytearray()
        while len(content) < size:
            left = self.end - time.monotonic()
            if left <= 0:
                raise LateError(f"not finished within {self.limit:g} s")
            ready, _, _ = select.select([self._answers], [], [], min(left, 0.05))
            if not ready:
                if self._child.poll() is not None and not select.select([self._answers], [], [], 0)[0]:
                    raise LearnerGoneError(self._death())
                if watch:
                    watch()
                continue
            piece = os.read(self._answers, min(size - len(content), 2**20))
            if not piece:
                raise LearnerGoneError(self._death())
            content += piece
        return content

    def _death(self) -> str:
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            if (code := self._child.poll()) is not None:
                return death(code)
            time.sleep(0.01)
        return "the process of the learner closed its connection"

    def _listen(self, output: int) -> None:
        with open(output, "rb", buffering=0) as stream:
            while piece := stream.read(2**16):
                self._log += piece[: max(LONGEST_LOG - len(self._log), 0)]
                self._logged += len(piece)

    def threads(self) -> int:
        """Threads of the process and of its children, now."""
        with contextlib.suppress(psutil.Error):
            main = psutil.Process(self._child.pid)
            return sum(p.num_threads() for p in [main, *main.children(recursive=True)])
        return 0

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        """End the process and what it left behind, whatever it is doing."""
        for descriptor in (self._requests, self._answers):
            os.close(descriptor)
        self._child.end()
        self._listener.join(timeout=1.0)

    def log(self) -> str:
        """What the process printed, the first 64 KiB."""
        more = f"\n... ({self._logged} bytes)\n" if self._logged > len(self._log) else ""
        return bytes(self._log).decode("utf-8", "replace") + more


def death(code: int) -> str:
    """How a process ended, from its exit status."""
    if code < 0:
        with contextlib.suppress(ValueError):
            name = signal.Signals(-code).name
            hint = " (out of memory?)" if name == "SIGKILL" else ""
            return f"worker process killed by {name}{hint}"
    return f"worker process ended with exit status {code}"


class _ThereFit(Fit):
    def __init__(self, there: There, number: int, reports: tuple[FitReport, ...]) -> None:
        self.there = there
        self.number = number
        self.reports = reports

    def predict(self, X: np.ndarray) -> np.ndarray:
        answer, arrays = self.there.process.ask({"ask": "predict", "fit": self.number}, [X])
        self.warning = one_line(str(answer["warning"]))
        self.there.peak = None if answer["peak"] is None else int(answer["peak"])
        (predicted,) = arrays
        return real_predictions(predicted, len(X), len(self.reports))


class There(Fitting):
    """A learner in a process of its own. It gets training data and test inputs, never a test label.

    Parameters
    ----------
    process : Process
    name : str
        Import path.
    parameters : dict
        Of its constructor.
    path : list of str
        Where modules are found.

    Attributes
    ----------
    kind : str
        What scikit-learn takes it for ("regressor", "clusterer", ...); empty if unknown.
    """

    def __init__(self, process: Process, name: str, parameters: dict[str, Any], path: Sequence[str]) -> None:
        self.process = process
        self.peak: int | None = None
        answer, _ = process.ask({"ask": "make", "name": name, "parameters": parameters, "path": list(path)})
        self.is_classifier = bool(answer["is_classifier"])
        self.fits_curves = bool(answer["fits_curves"])
        self.kind = str(answer["kind"])

    def fit_curves(self, curves: Sequence[Curve], trace: OnTrace | None) -> Fits:
        """Fit every size of every curve at once, without traces."""
        return self._fit("fit_curves", curves)

    def fit(self, curves: Sequence[Curve]) -> Fits:
        """Fit a new copy of the learner to each curve."""
        return self._fit("fit", curves)

    def _fit(self, ask: str, curves: Sequence[Curve]) -> Fits:
        arrays = [array for c in curves for array in (c.X, c.y)]
        head = {"ask": ask, "sizes": [c.sizes for c in curves], "states": [c.random_state for c in curves]}
        threads = [self.process.threads()]
        answer, _ = self.process.ask(head, arrays, watch=lambda: threads.append(self.process.threads()))
        # what reaches this process is checked here again
        reports = [tuple(plain_report(FitReport(**r)) for r in of_curve) for of_curve in answer["reports"]]
        first = int(answer["first"])
        if len(reports) != len(curves):
            raise ValueError(refusal("fitted curves", len(reports), f"{len(curves)}, one a curve"))
        fits = [_ThereFit(self, first + i, r) for i, r in enumerate(reports)]
        warning = one_line(str(answer["warning"]))
        return Fits(tuple(fits), float(answer["seconds"]), warning, max(threads) - threads[0])

    def peak_memory(self) -> int | None:
        """Largest memory of the learner's process at its last prediction, in bytes."""
        return self.peak

    def footprint(self) -> tuple[dict[str, bytes], dict[str, dict[str, str]]]:
        """Let the process say what it has loaded; it ends with that.

        Returns
        -------
        sources : dict
            Text by path of what no version stands for.
        dependencies : dict
            ``versions`` of distributions, and sha256 of ``files`` that it read.
        """
        answer, _ = self.process.ask({"ask": "end"})
        sources = {str(p): str(t).encode("utf-8", "surrogateescape") for p, t in answer["sources"].items()}
        dependencies = {
            kind: {str(k): str(v) for k, v in answer[kind].items()} for kind in ("versions", "files")
        }
        return sources, dependencies
