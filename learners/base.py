"""The contract of a learner.

A learner is a scikit-learn regressor: ``fit(X, y)``, ``predict(X)``, parameters stored by the
constructor and nothing else. Everything below is optional and never needed for correctness.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from hierbench.learners.predictions import real_predictions


@dataclasses.dataclass(frozen=True)
class Curve:
    """One learning curve to be fitted: every prefix ``X[:n]``, n in ``sizes``.

    Fitting size n of a curve must give what
    ``clone(learner).set_params(random_state=random_state).fit(X[:n], y[:n])`` gives.

    Attributes
    ----------
    X, y : float64
        Of shapes (N, d) and (N,), or (N, outputs) for a learner whose tags say that it takes several.
    sizes : tuple of int
        Increasing, each at most N.
    random_state : int
        The initialisation seed.
    """

    X: np.ndarray
    y: np.ndarray
    sizes: tuple[int, ...]
    random_state: int


@dataclasses.dataclass(frozen=True)
class FitReport:
    """What a fit says about itself, as ``fit_report_`` of the fitted estimator.

    Attributes
    ----------
    steps : int, optional
        Optimiser steps or solver iterations, tuning included.
    flops : float, optional
        Floating-point operations of the whole fit, tuning included (None: unknown).
    hyperparameters : mapping
        What was chosen inside ``fit``.
    status : str
        ``"ok"`` or ``"diverged"`` (a failed optimisation must be told from too few samples).
    reason : str
        One line when the status is not ok.
    health : mapping of str to float
        Numbers that help to judge the fit (last training loss, condition estimate, ...).
    """

    steps: int | None = None
    flops: float | None = None
    hyperparameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    status: str = "ok"
    reason: str = ""
    health: Mapping[str, float] = dataclasses.field(default_factory=dict)


class FittedCurve:
    """The fitted estimators of one curve, in the order of its sizes.

    Learners that can predict all prefixes at once (kernels share one kernel matrix)
    override ``predict``; it must agree with the estimators one by one.
    """

    def __init__(self, estimators: Sequence[Any]) -> None:
        self.estimators = list(estimators)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Predictions of every size, shape (len(sizes), n).

        Raises
        ------
        ValueError
            An estimator returns something else than a real number for every row.
        """
        return np.stack([real_predictions(e.predict(X), len(X)) for e in self.estimators])


TraceCallback = Callable[[int, list[FittedCurve]], None]
"""Called along training as ``callback(step, fitted_so_far)``, one FittedCurve a curve."""


@runtime_checkable
class FitsCurves(Protocol):
    """Fast path: all prefixes of all curves of a block at once.

    ``callback`` is passed only to learners whose descriptor declares ``traces``.
    """

    def fit_curves(self, curves: Sequence[Curve], callback: TraceCallback | None = None) -> list[FittedCurve]:
        """Fit every prefix of every curve."""


@runtime_checkable
class HasLevelFeatures(Protocol):
    """What each level has learned: ``level_features(X)`` lists arrays (n, width_l), l = 1..L."""

    def level_features(self, X: np.ndarray) -> list[np.ndarray]:
        """Compute the features of every level."""


@dataclasses.dataclass(frozen=True)
class Memory:
    """What a fit at its default parameters needs beyond its data and what is imported, at most.

    The law is ``per_pair`` n^2 + ``per_entry`` n d + ``per_row`` n + ``per_input_pair`` d^2
    + ``per_input`` d + ``fixed``, in bytes; ``pairs_up_to``: the n beyond which n^2 grows no more. A test
    holds every learner to it, from above and within a factor of five from below.
    """

    per_pair: float = 0.0
    per_entry: float = 0.0
    per_row: float = 0.0
    per_input: float = 0.0
    per_input_pair: float = 0.0
    fixed: float = 0.0
    pairs_up_to: float = math.inf

    def __call__(self, n: int, d: int) -> float:
        """Bytes for n samples of d inputs."""
        grown = self.per_pair * min(n, self.pairs_up_to) ** 2 + self.per_entry * n * d + self.per_row * n
        return grown + self.per_input_pair * d * d + self.per_input * d + self.fixed

    def __str__(self) -> str:
        pairs = "n^2" if self.pairs_up_to == math.inf else f"min(n, {self.pairs_up_to:g})^2"
        grown = ((self.per_pair, pairs), (self.per_entry, "n d"), (self.per_row, "n"))
        parts = [" + ".join(f"{size:g} {what}" for size, what in grown if size)]
        fixed = ((self.per_input_pair, " d^2 MB"), (self.per_input, " d MB"), (self.fixed, " MB"))
        return " + ".join(
            [f"{part} bytes" for part in parts if part]
            + [f"{size / 1e6:g}{what}" for size, what in fixed if size]
        )


def steps_law(n: int) -> int:
    """Give the steps that a net begins with on n samples where the caller names none.

    2000 up to 4096 samples, doubled at every fourfold: about the square root of n, in powers of two so
    that neighbouring sizes train together. ``fit`` doubles them where that pays.
    """
    return 2000 * 2 ** max(0, math.ceil(math.log2(max(1, n) / 4096) / 2.0))


LENGTHENED = 3.0
"""How many times the steps of the law a fit takes that may lengthen its training, about."""


@dataclasses.dataclass(frozen=True)
class Term:
    """A part of a cost law: ``seconds`` times n, d and steps, each to its power."""

    seconds: float
    n: float = 0.0
    d: float = 0.0
    steps: float = 0.0

    def __call__(self, n: int, d: int, steps: int) -> float:
        """Core-seconds for n samples of d inputs and a training of ``steps``."""
        return float(self.seconds * n**self.n * d**self.d * steps**self.steps)

    def __str__(self) -> str:
        factors = (("steps", self.steps), ("n", self.n), ("d", self.d))
        powers = [name if power == 1 else f"{name}^{power:g}" for name, power in factors if power]
        return " ".join([f"{self.seconds:.2g}", *powers])


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a fit at its default parameters takes, in seconds of one core, to about a factor of three.

    Parameters
    ----------
    terms : tuple of Term
        Their sum is the cost of one fit.
    fixed : float
        Core-seconds of a fit whatever its size.
    shared : bool
        Whether the sizes of a curve share the fit of the largest, as those of kernels share one
        factorisation. Otherwise each size is fitted by itself.
    step_factor : float
        How many times ``LENGTHENED * steps_law(n)`` steps a learner takes where its ``steps`` is None.
    note : str
        What the formula leaves out, for readers only.
    """

    terms: tuple[Term, ...]
    fixed: float = 0.0
    shared: bool = False
    step_factor: float = 1.0
    note: str = ""

    def __call__(self, sizes: Iterable[Sequence[int]], d: int, steps: int | None = None) -> float:
        """Estimate the core-seconds of a block.

        Parameters
        ----------
        sizes : iterable of sequence of int
            The sizes of every curve of the block.
        d : int
            Number of inputs.
        steps : int or None
            The learner's parameter of that name; None for its law, and for learners without one.
        """
        fits = [n for curve in sizes for n in ([max(curve)] if self.shared else curve)]
        return sum(
            self._of_one(n, d, steps or round(self.step_factor * LENGTHENED * steps_law(n))) for n in fits
        )

    def _of_one(self, n: int, d: int, steps: int) -> float:
        return self.fixed + sum(term(n, d, steps) for term in self.terms)

    def __str__(self) -> str:
        parts = [*map(str, self.terms), *([f"{self.fixed:.2g}"] if self.fixed else [])]
        what = "curve (its sizes share a fit)" if self.shared else "size"
        note = f"; {self.note}" if self.note else ""
        return f"{' + '.join(parts)} core-seconds a {what}{note}"


@dataclasses.dataclass(frozen=True)
class Descriptor:
    """What ``hierbench list`` shows of a learner without importing it.

    Attributes
    ----------
    path : str
        ``"module:Class"``.
    learns : str
        ``"hierarchy"``, ``"adaptive features"`` or ``"fixed features"``.
    capabilities : frozenset of str
        A subset of ``{"fit_curves", "several_outputs", "level_features", "traces", "sampler"}``;
        ``"several_outputs"``: of labels (N, outputs), as its tags say.
    cost, memory : Cost, Memory, optional
        The laws of a fit, or None where they are unknown.
    knows_degree, knows_depth : str, optional
        Parameters that the suite fills with the target's degree, and its number of levels L: a learner may
        know both.
    dtype : str
        Arithmetic of the fit (part of a row's key).
    card : float, optional
        Bytes that a fit may take of a GPU beyond its data; None is what ``memory`` says and a
        share for libraries.
    parameters : mapping
        What the name sets of a class that other names leave at its defaults.
    """

    name: str
    path: str
    summary: str
    learns: str
    source: str
    cost: Cost | None = None
    capabilities: frozenset[str] = frozenset()
    knows_degree: str | None = None
    knows_depth: str | None = None
    dtype: str = "float64"
    memory: Memory | None = None
    card: float | None = None
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
