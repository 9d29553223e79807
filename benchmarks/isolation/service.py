"""What the process of a foreign learner does when asked."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from typing import Any

import numpy as np

from hierbench.benchmarks.isolation.footprint import Files, distributions, sources
from hierbench.benchmarks.units.fitting import Fit, Fits, Here
from hierbench.errors import unknown
from hierbench.learners.base import Curve
from hierbench.learners.registry import load

Answer = tuple[dict[str, Any], list[np.ndarray]]


class Service:
    """A learner that is made, fitted and asked by messages."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.fits: list[Fit] = []

    def answer(self, head: dict[str, Any], arrays: list[np.ndarray]) -> Answer:
        """Do what is asked: make, fit, fit_curves, predict, checks, check or end."""
        action = {
            "parameters": self._parameters,
            "make": self._make,
            "fit": self._fit,
            "fit_curves": self._fit_curves,
            "predict": self._predict,
            "checks": self._checks,
            "check": self._check,
            "end": self._end,
        }[head["ask"]]
        return action(head, arrays)

    def _parameters(self, head: dict[str, Any], arrays: list[np.ndarray]) -> Answer:
        sys.path[:] = head["path"]
        parameters = inspect.signature(load(head["name"])).parameters.values()
        any_name = any(p.kind is p.VAR_KEYWORD for p in parameters)
        return {"parameters": None if any_name else [p.name for p in parameters]}, []

    def _make(self, head: dict[str, Any], arrays: list[np.ndarray]) -> Answer:
        sys.path[:] = head["path"]
        self.files.watch()
        self.fitting = Here(head["name"], head["parameters"])
        _check_kept(self.fitting.learner, head["parameters"])
        flags = {"is_classifier": self.fitting.is_classifier, "fits_curves": self.fitting.fits_curves}
        return {**flags, "kind": _kind(self.fitting.learner)}, []

    def _fit(self, head: dict[str, Any], arrays: list[np.ndarray]) -> Answer:
        self.fits.clear()  # of fits size by size those of the last call are asked only
        return self._keep(self.fitting.fit(_curves(head, arrays)))

    def _fit_curves(self, head: dict[str, Any], arrays: list[np.ndarray]) -> Answer:
        return self._keep(self.fitting.fit_curves(_curves(head, arrays), None))

    def _keep(self, fits: Fits) -> Answer:
        first = len(self.fits)
        self.fits += fits.fits
        reports = [[dataclasses.asdict(r) for r in fit.reports] for fit in fits.fits]
        return {"seconds": fits.seconds, "warning": fits.warning, "reports": reports, "first": first}, []

    def _predict(self, head: dict[str, Any], arrays: list[np.ndarray]) -> Answer:
        fit = self.fits[head["fit"]]
        predicted = fit.predict(arrays[0])
        return {"warning": fit.warning, "peak": self.fitting.peak_memory()}, [predicted]

    def _checks(self, head: dict[str, Any], arrays: list[np.ndarray]) -> Answer:
        # as below
        from hierbench.benchmarks.isolation import contract

        return {"checks": contract.target_checks() if head["target"] else contract.learner_checks()}, []

    def _check(self, head: dict[str, Any], arrays: list[np.ndarray]) -> Answer:
        sys.path[:] = head["path"]
        # loaded for a check only: a learner's process starts without torch
        from hierbench.benchmarks.isolation import contract

        return contract.outcome(head["name"], head["parameters"], head["check"], head["d"]), []

    def _end(self, head: dict[str, Any], arrays: list[np.ndarray]) -> Answer:
        files = self.files.digests()  # first: to ask for versions opens files too
        return {"sources": sources(), "versions": distributions(), "files": files}, []


def _curves(head: dict[str, Any], arrays: list[np.ndarray]) -> list[Curve]:
    pairs = zip(arrays[::2], arrays[1::2], head["sizes"], head["states"], strict=True)
    return [Curve(X.copy(), y.copy(), tuple(sizes), state) for X, y, sizes, state in pairs]


def _check_kept(learner: Any, parameters: dict[str, Any]) -> None:
    """Raise ValueError for a parameter that a constructor with ``**kwargs`` took and does not have."""
    try:
        has = set(learner.get_params())
    except Exception:  # it has no such method, or one that does not work: nothing is known
        return
    for name in parameters if has else ():
        if name not in has:
            raise ValueError(unknown(f"parameter of {type(learner).__name__}", name, has))


def _kind(learner: Any) -> str:
    """Say what scikit-learn takes a learner for; empty if it does not know."""
    # a learner of its kind has imported it
    from sklearn.utils import get_tags

    try:
        return get_tags(learner).estimator_type or ""
    except (AttributeError, TypeError):
        return str(getattr(learner, "_estimator_type", None) or "")
