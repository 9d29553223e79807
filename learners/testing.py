"""What every learner promises, as tests that ship: a new learner's test file is a few lines.

    from hierbench.learners import LearnerContract
    from mylab import MyRegressor

    class TestMyRegressor(LearnerContract):
        def create(self):
            return MyRegressor(max_iter=50)

pytest collects the checks through the class; ``LearnerContract.checks()`` lists them for any other runner.
"""

from __future__ import annotations

import abc
import re
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

from hierbench.learners import persist
from hierbench.learners.base import Curve, FitsCurves


class LearnerContract(abc.ABC):
    """The checks of one learner.

    A subclass says how it is made, small enough to be fitted about forty times. Each check raises an
    AssertionError that says what is not kept.

    Attributes
    ----------
    tolerance : float
        How far the fits of ``fit_curves`` may be from those of ``fit``, as a share of the largest
        prediction: 1e-8, or what rounding makes of a badly conditioned kernel matrix where
        ``fit_report_.health["log10_condition"]`` says so.
    saved : bool
        Whether ``learners.save`` keeps the learner: it does so for those of this package.
    refusals : str
        Regular expression: what a ValueError on extreme data says.
    """

    tolerance: float = 1e-8
    saved: bool = False
    refusals: str = "."

    @abc.abstractmethod
    def create(self) -> Any:
        """Make the learner, not fitted, with a fixed ``random_state`` if it has that parameter."""

    def create_briefly(self) -> Any:
        """Make the learner for about twenty fits of at most twelve rows; how good they are does not count."""
        return self.create()

    @classmethod
    def checks(cls) -> list[Callable[[LearnerContract], None]]:
        """List the checks, each to be called with an instance."""
        return [getattr(cls, name) for name in dir(cls) if name.startswith("test_")]

    def data(self, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Draw inputs (n, 4) and labels (n,): a quadratic of mean 2.5 without noise."""
        X = np.random.default_rng(seed).standard_normal((n, 4))
        return X, 2.0 + X[:, 0] * X[:, 1] + 0.5 * X[:, 2] ** 2

    # the estimator ------------------------------------------------------------------------

    def test_the_constructor_only_stores_its_parameters(self) -> None:
        """Hold the learner to what scikit-learn's ``clone`` needs."""
        learner = self.create()
        parameters = learner.get_params()
        assert all(vars(learner)[k] is v for k, v in parameters.items()), (
            "a parameter is not stored as it came"
        )
        fitted = [name for name in vars(learner) if name.endswith("_")]
        assert not fitted, f"the constructor sets {', '.join(fitted)}, which is for fit"
        assert clone(learner).get_params() == parameters
        assert learner.set_params(**parameters).get_params() == parameters

    def test_two_fits_with_one_random_state_are_equal(self) -> None:
        """Hold a fit to its parameters and data alone, bit for bit, reports included."""
        X, y = self.data(80)
        learner = self.create()
        first, again = clone(learner).fit(X, y), clone(learner).fit(X, y)
        np.testing.assert_array_equal(first.predict(X), again.predict(X))
        assert _report(first) == _report(again), "two equal fits have different reports"
        assert clone(first).get_params() == learner.get_params(), "the fit changes parameters"

    def test_the_data_are_not_modified(self) -> None:
        """Hold ``fit`` and ``predict`` to leave their arguments as they are."""
        X, y = self.data(40)
        X_before, y_before = X.copy(), y.copy()
        self.create().fit(X, y).predict(X)
        np.testing.assert_array_equal(X, X_before, "X was modified")
        np.testing.assert_array_equal(y, y_before, "y was modified")

    def test_predictions_are_finite_and_one_a_row(self) -> None:
        """Hold ``predict`` to shape (n,), down to one row."""
        X, y = self.data(40)
        learner = self.create().fit(X, y)
        for n in (1, 33):
            predicted = learner.predict(self.data(n, seed=5)[0])
            assert predicted.shape == (n,), f"predictions for {n} rows have shape {predicted.shape}"
            assert np.isfinite(predicted).all(), "predictions are not finite"

    def test_predictions_depend_on_neither_order_nor_splitting_of_the_rows(self) -> None:
        """Hold a prediction to its own row: nothing is learned from the rows beside it."""
        X, y = self.data(70)
        check_rows_are_predicted_one_by_one(self.create().fit(X, y), self.data(101, seed=5)[0])

    def test_degenerate_data_give_finite_predictions(self) -> None:
        """Hold a fit to end, and to predict numbers, whatever the data are like.

        Extreme numbers may be refused instead, by a ValueError of one line.
        """
        for name, (X, y) in {**plain_cases(), **extreme_cases()}.items():
            try:
                predicted = self.create_briefly().fit(X, y).predict(X)
            except ValueError as error:
                assert name in extreme_cases(), f"{name} is refused: {error}"
                reason = str(error)
                assert re.search(self.refusals, reason), f"{name}: {reason!r} is no clear refusal"
                assert "\n" not in reason.strip(), f"{name} is refused in several lines"
                continue
            assert predicted.shape == y.shape, f"{name}: predictions of shape {predicted.shape}"
            assert np.isfinite(predicted).all(), f"{name}: predictions are not finite"

    # the fast path --------------------------------------------------------------------------

    def test_curves_are_what_fits_one_by_one_give(self) -> None:
        """Hold ``fit_curves`` to ``fit``, prefix by prefix: predictions and what was tuned."""
        learner = self._fits_curves()
        curves = [Curve(*self.data(120, seed=s), (30, 70, 120), 7 + s) for s in range(2)]
        X_test, _ = self.data(60, seed=9)
        for curve, fitted in zip(curves, clone(learner).fit_curves(curves), strict=True):
            fast = fitted.predict(X_test)
            assert fast.shape == (3, 60), f"predictions of 3 sizes for 60 rows have shape {fast.shape}"
            for i, n in enumerate(curve.sizes):
                slow = _with_seed(learner, curve.random_state).fit(curve.X[:n], curve.y[:n])
                self._assert_close(fast[i], slow.predict(X_test), slow)
                chosen = getattr(_report(fitted.estimators[i]), "hyperparameters", None)
                assert chosen == getattr(_report(slow), "hyperparameters", None), (
                    f"n = {n} is tuned otherwise"
                )

    def test_the_order_of_the_curves_does_not_matter(self) -> None:
        """Hold a curve to its own data: the curves beside it change nothing."""
        learner = self._fits_curves()
        curves = [Curve(*self.data(60, seed=s), (20, 60), 7 + s) for s in range(2)]
        X_test, _ = self.data(30, seed=9)
        forward = clone(learner).fit_curves(curves)
        backward = clone(learner).fit_curves(curves[::-1])[::-1]
        for one, other in zip(forward, backward, strict=True):
            pairs = zip(one.predict(X_test), other.predict(X_test), one.estimators, strict=True)
            for predicted, expected, estimator in pairs:
                self._assert_close(predicted, expected, estimator)

    def test_curves_may_begin_with_equal_labels(self) -> None:
        """Hold ``fit_curves`` to prefixes of two and four rows, all of one label."""
        self._fits_curves()
        X, y = self.data(12)
        curve = Curve(X, np.where(np.arange(12) < 4, 1.0, y), (2, 4, 12), 7)
        [fitted] = self.create_briefly().fit_curves([curve])
        assert np.isfinite(fitted.predict(X)).all(), "predictions are not finite"

    # files ------------------------------------------------------------------------------------

    def test_a_saved_learner_predicts_the_same_bit_for_bit(self) -> None:
        """Hold a learner of this package to what a file keeps of it."""
        if not self.saved:
            raise unittest.SkipTest("only learners of this package are saved")
        X, y = self.data(60)
        learner = self.create().fit(X, y)
        with tempfile.TemporaryDirectory() as folder:
            persist.save(learner, Path(folder) / "learner")
            loaded = persist.load(Path(folder) / "learner")
            assert [p.name for p in Path(folder).iterdir()] == ["learner"], "files are left beside it"
        assert type(loaded) is type(learner)
        np.testing.assert_array_equal(loaded.predict(X), learner.predict(X))
        assert _report(loaded) == _report(learner)
        assert loaded.get_params() == learner.get_params()

    def _fits_curves(self) -> Any:
        learner = self.create()
        if not isinstance(learner, FitsCurves):
            raise unittest.SkipTest(f"{type(learner).__name__} has no fit_curves")
        return learner

    def _assert_close(self, predicted: np.ndarray, expected: np.ndarray, estimator: Any) -> None:
        slack = max(self.tolerance, rounding(estimator)) * max(np.abs(expected).max(), 1.0)
        np.testing.assert_allclose(predicted, expected, rtol=0, atol=slack)


def plain_cases() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Small data sets by name that have a regression, if a dull one: inputs (n, d) and labels (n,)."""
    X = np.random.default_rng(0).standard_normal((12, 3))
    y = 1.0 + X[:, 0] * X[:, 1] + X[:, 2]
    pairs = np.arange(12) // 2
    few = {f"{n} rows": (X[:n], y[:n]) for n in (2, 3, 4, 5)}
    equal = {f"{n} rows of equal labels": (X[:n], np.full(n, -1.0)) for n in (2, 3, 4, 5)}
    return few | equal | {
        "labels of zero": (X, np.zeros(12)),
        "equal labels": (X, np.full(12, 1 / 3)),
        "one label unlike the others": (X, np.where(pairs == 5, 1.0, -1.0) * (np.arange(12) > 0)),
        "rows that come twice": (X[pairs], y[pairs]),
        "equal rows of unlike labels": (X[[0] * 12], y),
        "inputs of zero": (np.zeros((12, 3)), y),
        "one input": (X[:, :1], y),
        "a constant input": (X * [1.0, 1.0, 0.0] + [0.0, 0.0, 7.0], y),
        "collinear inputs": (X[:, :1] * [1.0, 2.0, -3.0], y),
        "labels linear in an input": (X, X[:, 0]),
    }  # fmt: skip


def extreme_cases() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Small data sets by name with numbers that few kernels or nets can take."""
    X = np.random.default_rng(0).standard_normal((12, 3))
    y = 1.0 + X[:, 0] * X[:, 1] + X[:, 2]
    outlier = np.where(np.arange(12) == 3, 1e12, 0.0)
    scales: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for scale in (1e-150, 1e100, 1e150):
        scales |= {f"inputs times {scale:g}": (X * scale, y), f"labels times {scale:g}": (X, y * scale)}
    return scales | {
        "inputs of unlike scales": (X * [1e-150, 1.0, 1e100], y),
        "an input of 1e12": (X + outlier[:, None] * [0.0, 1.0, 0.0], y),
        "a label of 1e12": (X, y + outlier),
        "inputs far from zero": (X + 1e12, y),
    }


def check_rows_are_predicted_one_by_one(learner: Any, X: np.ndarray) -> None:
    """Check that a fitted learner predicts the rows of X alike in any order and in parts.

    Raises
    ------
    AssertionError
        It does not, by more than rounding.
    """
    whole = learner.predict(X)
    order = np.random.default_rng(1).permutation(len(X))
    atol = max(1e-9, rounding(learner)) * max(np.abs(whole).max(), 1.0)
    np.testing.assert_allclose(learner.predict(X[order]), whole[order], rtol=0, atol=atol)
    parts = np.concatenate([learner.predict(X[i : i + 17]) for i in range(0, len(X), 17)])
    np.testing.assert_allclose(parts, whole, rtol=0, atol=atol)


def rounding(learner: Any) -> float:
    """Estimate the relative error that rounding makes where the kernel matrix is badly conditioned."""
    report = _report(learner)
    condition = 10 ** report.health.get("log10_condition", 0.0) if report else 1.0
    return float(10 * np.finfo(float).eps * condition)


def _report(learner: Any) -> Any:
    return getattr(learner, "fit_report_", None)


def _with_seed(learner: Any, seed: int) -> Any:
    one = clone(learner)
    return one.set_params(random_state=seed) if "random_state" in one.get_params() else one
