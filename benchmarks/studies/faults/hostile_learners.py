"""Learners that do what no learner should: each is its unit's failure, or does no harm.

``OUTCOMES`` says for each which statuses its rows may have, and what their reason holds.
"""

# ruff: noqa: D101, D102, D103
# mypy: ignore-errors

from __future__ import annotations

import asyncio
import builtins
import concurrent.futures
import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

from hierbench.learners.base import FitReport, FittedCurve


class Mean(RegressorMixin, BaseEstimator):
    """Predicts the mean label; what all others are judged beside."""

    def fit(self, X, y):
        self.before()
        self.mean_ = float(np.mean(y))
        return self

    def before(self):
        pass

    def predict(self, X):
        return self.returned(np.full(len(X), self.mean_))

    def returned(self, predicted):
        return predicted


FAILED, FINE = {"failed"}, {"ok", "unreliable"}
OUTCOMES: dict[str, tuple[set[str], str]] = {"Mean": (FINE, "")}


def hostile(statuses, reason=""):
    def enter(learner):
        OUTCOMES[learner.__name__] = (statuses, reason)
        return learner

    return enter


# --- exceptions


@hostile(FAILED, "SystemExit: 0")
class ExitsWell(Mean):
    def before(self):
        sys.exit(0)


@hostile(FAILED, "KeyboardInterrupt")
class Interrupts(Mean):
    def before(self):
        raise KeyboardInterrupt


@hostile(FAILED, "CancelledError")
class Cancels(Mean):
    def before(self):
        raise asyncio.CancelledError


@hostile(FAILED, "CancelledError")
class CancelsFutures(Mean):
    def before(self):
        raise concurrent.futures.CancelledError


@hostile(FAILED, "GeneratorExit")
class ExitsGenerator(Mean):
    def before(self):
        raise GeneratorExit


class TwoArgumentsError(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


@hostile(FAILED, "TwoArgumentsError: one and two")
class RaisesWhatCannotBeMadeAgain(Mean):
    def before(self):
        raise TwoArgumentsError("one", "two")


class LookingUpError(Exception):
    def __init__(self, key):
        super().__init__({"a": "the key is a"}[key])


@hostile(FAILED, "LookingUpError: the key is a")
class RaisesWhatLooksUp(Mean):
    def before(self):
        raise LookingUpError("a")


class MuteError(Exception):
    def __str__(self):
        raise RuntimeError("no text")


@hostile(FAILED, "MuteError: (its message cannot be shown: RuntimeError)")
class RaisesWithoutText(Mean):
    def before(self):
        raise MuteError


@hostile(FAILED, "ValueError: a ? b")
class RaisesSurrogates(Mean):
    def before(self):
        raise ValueError("a \udc80 b")


@hostile(FAILED, "... (3000012 characters)")
class RaisesAtLength(Mean):
    def before(self):
        raise ValueError("x" * 3_000_000)


@hostile(FAILED, "ValueError: red text")
class RaisesEscapes(Mean):
    def before(self):
        raise ValueError("\x1b[31mred\x1b[0m\x07 \n text")


@hostile(FAILED, "RecursionError")
class Recurses(Mean):
    def before(self):
        self.before()


@hostile(FAILED, "MemoryError: Unable to allocate")
class WantsMemory(Mean):
    def before(self):
        np.zeros(2**58)


# --- ends of processes


@hostile(FAILED, "worker process ended with exit status 0")
class LeavesWell(Mean):
    def before(self):
        os._exit(0)


@hostile(FAILED, "worker process ended with exit status 3")
class LeavesBadly(Mean):
    def before(self):
        os._exit(3)


@hostile(FAILED, "worker process killed by SIGKILL (out of memory?)")
class KillsItself(Mean):
    def before(self):
        os.kill(os.getpid(), signal.SIGKILL)


@hostile(FAILED, "worker process killed by SIGSEGV")
class Segfaults(Mean):
    def before(self):
        os.kill(os.getpid(), signal.SIGSEGV)


@hostile(FAILED, "worker process killed by SIGTERM")
class KillsItsGroup(Mean):
    def before(self):
        os.killpg(0, signal.SIGTERM)
        time.sleep(5)


@hostile({"timeout"}, "not finished within")
class Sleeps(Mean):
    def before(self):
        time.sleep(3600)


@hostile({"timeout"}, "not finished within")
class SleepsAgainstSignals(Mean):
    def before(self):
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        time.sleep(3600)


# --- what outlives a unit


@hostile(FINE)
class LeavesChildren(Mean):
    def before(self):
        subprocess.Popen(["sleep", "3600"])
        subprocess.Popen(["sleep", "3600"], start_new_session=True)


@hostile(FINE)
class Forks(Mean):
    """The child returns from ``fit`` as its parent does."""

    def before(self):
        os.fork()


@hostile(FINE)
class ForksAndRaises(Mean):
    def before(self):
        if os.fork() == 0:
            raise RuntimeError("in the child")


@hostile(FINE)
class LeavesThreads(Mean):
    def before(self):
        threading.Thread(target=time.sleep, args=(3600,)).start()


@hostile(FAILED, "worker process killed by SIGALRM")
class SetsAlarm(Mean):
    def before(self):
        signal.alarm(1)

    def returned(self, predicted):
        time.sleep(1.2)
        return predicted


@hostile(FINE)
class SetsLateAlarm(Mean):
    """The alarm would come in another learner's unit."""

    def before(self):
        signal.alarm(3)


@hostile(FINE)
class ChangesState(Mean):
    def before(self):
        np.seterr(all="raise")
        os.environ["OMP_NUM_THREADS"] = "64"
        os.chdir("/")
        warnings.simplefilter("error")
        sys.setrecursionlimit(200)
        random.seed(1)


@hostile(FINE)
class ClearsPath(Mean):
    def before(self):
        sys.path.clear()


@hostile(FINE)
class PatchesOurs(Mean):
    """Wants every error to be zero."""

    def before(self):
        # in the process of the learner only
        from hierbench.benchmarks.units import compute_curves, metric

        zero = metric.ErrorEstimate(0.0, 0.0, 0.0, 64)
        compute_curves.error_of = metric.error_of = lambda *_: zero


@hostile(FINE)
class Prints(Mean):
    def before(self):
        print("a line of a learner\n" * 5100)
        os.write(2, b"\xff\xfe")


@hostile(FAILED, "")
class ClosesEverything(Mean):
    def before(self):
        os.closerange(0, 256)


@hostile(FINE)
class ClosesStreams(Mean):
    def before(self):
        for descriptor in (0, 1, 2):
            with contextlib.suppress(OSError):  # the second time
                os.close(descriptor)


# --- predictions that are none


@hostile(FAILED, "predictions = None: allowed are real numbers of shape")
class PredictsNone(Mean):
    def returned(self, predicted):
        return None


@hostile(FAILED, "predictions of shape ()")
class PredictsScalar(Mean):
    def returned(self, predicted):
        return 1.0


@hostile(FAILED, "predictions of shape (1,)")
class PredictsOne(Mean):
    def returned(self, predicted):
        return predicted[:1]


@hostile(FAILED, "predictions of shape (")
class PredictsOneLess(Mean):
    def returned(self, predicted):
        return predicted[1:]


@hostile(FAILED, "masked values")
class PredictsMasked(Mean):
    def returned(self, predicted):
        return np.ma.masked_array(predicted, mask=np.arange(len(predicted)) % 2 == 0)


@hostile(FAILED, "predictions of type complex128")
class PredictsComplex(Mean):
    def returned(self, predicted):
        return predicted + 1j


@hostile(FAILED, "predictions of type <U")
class PredictsTexts(Mean):
    def returned(self, predicted):
        return predicted.astype(str)


@hostile({"diverged"}, "not finite")
class PredictsInfinity(Mean):
    def returned(self, predicted):
        return predicted / 0.0


class Fast(Mean):
    def fit_curves(self, curves):
        return [FittedCurve([type(self)().fit(c.X[:n], c.y[:n]) for n in c.sizes]) for c in curves]


class TransposedCurve(FittedCurve):
    def predict(self, X):
        return super().predict(X).T


@hostile(FAILED, "predictions of shape (")
class PredictsTransposed(Fast):
    def fit_curves(self, curves):
        return [TransposedCurve(f.estimators) for f in super().fit_curves(curves)]


@hostile(FAILED, "NoneType")
class FitsNoCurves(Fast):
    def fit_curves(self, curves):
        return None


@hostile(FAILED, "fits of a curve = 1: allowed are 2, one a size")
class FitsOneSize(Fast):
    def fit_curves(self, curves):
        return [FittedCurve(f.estimators[:1]) for f in super().fit_curves(curves)]


@hostile(FINE)
class WorksInPlace(Mean):
    """Spoils all that it is handed."""

    def fit(self, X, y):
        super().fit(X, y)
        X[:], y[:] = 0.0, 1e6
        return self

    def predict(self, X):
        X[:] = 1e6
        return super().predict(X)


# --- reports that the store cannot hold


class Reports(Mean):
    def report(self):
        return FitReport()

    def before(self):
        self.fit_report_ = self.report()


@hostile(FINE)
class ReportsTheUnstorable(Reports):
    def report(self):
        nested = []
        for _ in range(500):
            nested = [nested]
        odd = {"surrogate": "\udc80", "digits": 10**5000, "nested": nested, "long": "x" * 10**6, 3: {1, 2}}
        return FitReport(hyperparameters={**odd, "many": list(range(100_000)), "object": object()})


@hostile(FAILED, "fit_report_.steps is an integer of")
class ReportsManySteps(Reports):
    def report(self):
        return FitReport(steps=10**30)


@hostile(FAILED, "fit_report_.status = 'splendid'")
class ReportsUnknownStatus(Reports):
    def report(self):
        return FitReport(status="splendid")


@hostile(FAILED, "fit_report_.health")
class ReportsUnhealthyNumbers(Reports):
    def report(self):
        return FitReport(health={"loss": None})


@hostile(FINE)
class WarnsWithoutEnd(Mean):
    def before(self):
        for i in range(20_000):
            warnings.warn(f"number {i}", RuntimeWarning, stacklevel=1)


@hostile(FINE)
class ReplacesBuiltins(Mean):
    def before(self):
        builtins.print = None
        builtins.open = None


@hostile(FINE)
class EmptiesFolder(Mean):
    """Writes where it stands; the suite runs in a folder of its own."""

    def before(self):
        Path("left_behind.txt").write_text("x")
