"""Learners for tests of the machinery: tiny, and some of them ill-behaved on purpose.

Spawned workers import them by path, ``stub_learners:Mean``.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import warnings

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

from hierbench.learners.base import FitReport, FittedCurve


class Mean(RegressorMixin, BaseEstimator):
    """Predicts the mean label; takes ``seconds`` for it."""

    def __init__(self, seconds=0.0, offset=0.0, random_state=None):
        self.seconds = seconds
        self.offset = offset
        self.random_state = random_state

    def fit(self, X, y):
        time.sleep(self.seconds)
        self.mean_ = float(np.mean(y)) + self.offset
        self.fit_report_ = FitReport(
            steps=3, flops=1.0 * len(y), hyperparameters={"seed": self.random_state, "n": np.int64(len(y))}
        )
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_)


class FastMean(Mean):
    """The same through ``fit_curves``, with traces."""

    def fit_curves(self, curves, callback=None):
        fitted = [
            FittedCurve(
                [type(self)(self.seconds, self.offset, c.random_state).fit(c.X[:n], c.y[:n]) for n in c.sizes]
            )
            for c in curves
        ]
        if callback is not None:
            callback(0, fitted)
            callback(10, fitted)
        return fitted


class Swallows(Mean):
    """Takes whatever it is given, and has one parameter."""

    def __init__(self, **anything):
        super().__init__()
        self.level = anything.get("level", 0)

    def get_params(self, deep=True):
        return {"level": self.level}


class Noisy(Mean):
    """Draws from the global generator, as a careless foreign estimator may."""

    def fit(self, X, y):
        super().fit(X, y)
        self.mean_ += np.random.standard_normal()  # noqa: NPY002
        return self


class Raises(Mean):
    def fit(self, X, y):
        raise RuntimeError("out of\nluck")


class RaisesFast(FastMean):
    def fit_curves(self, curves, callback=None):
        raise RuntimeError("no curve today")


class Diverges(Mean):
    def predict(self, X):
        return np.full(len(X), np.nan)


class ReportsDivergence(Mean):
    def fit(self, X, y):
        super().fit(X, y)
        self.fit_report_ = FitReport(status="diverged", reason="loss above 1e6 at step 7")
        return self


class Warns(Mean):
    def fit(self, X, y):
        warnings.warn("not converged", RuntimeWarning, stacklevel=2)
        return super().fit(X, y)


class Dies(Mean):
    """Takes its worker process down, as the kernel does when memory runs out."""

    def fit(self, X, y):
        os.kill(os.getpid(), signal.SIGKILL)


class Threads(Mean):
    """Reports how many threads the numerical libraries use."""

    def fit(self, X, y):
        import threadpoolctl

        super().fit(X, y)
        threads = max((p["num_threads"] for p in threadpoolctl.threadpool_info()), default=1)
        self.fit_report_ = FitReport(health={"threads": float(threads)})
        return self


NOT_A_LEARNER = 3


class InPlace(Mean):
    """Spoils the arrays that it was given, after learning from them."""

    def fit(self, X, y):
        super().fit(X, y)
        X[:] = 0.0
        y[:] = 1e6
        return self


class Peeks(Mean):
    """Reads the test labels off the runner's own frames: what the leak canary has to catch."""

    def fit(self, X, y):
        super().fit(X, y)
        frame = sys._getframe()
        while frame is not None and "block" not in frame.f_locals:
            frame = frame.f_back
        block = frame.f_locals["block"]
        self.mean_ = float(block.test_piece(0, 0)[1][:10].mean())
        return self


class SplitsBadly(Mean):
    """Predicts from the whole of the rows that it is given together."""

    def predict(self, X):
        return np.full(len(X), self.mean_) + X.mean()


class Sleeps(Mean):
    """Never ends."""

    def fit(self, X, y):
        time.sleep(3600)
        return self


class HasTwin(Mean):
    """Declares a twin that predicts the same."""

    hierbench_twin = "stub_learners:Mean"


class HasWrongTwin(Mean):
    """Declares a twin that does not."""

    hierbench_twin = "stub_learners:Mean"

    def predict(self, X):
        return super().predict(X) + 1.0
