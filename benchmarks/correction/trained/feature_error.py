"""Feature error of a level of a trained learner, as an amplitude with its standard error."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np

from hierbench.benchmarks.correction.exact.population import products
from hierbench.errors import refusal

MIN_ROWS_PER_REGRESSOR = 10


Pair = tuple[np.ndarray, np.ndarray]
"""The same on the sample that a read-out is fitted on, and on the one that it is scored on."""


class VacuousReadOut(ValueError):
    """So many features that a linear read-out of them could express anything of the level."""


@dataclasses.dataclass(frozen=True)
class FeatureError:
    """Feature error of one level.

    Attributes
    ----------
    value, stderr : float
        Root mean square residual of the true s_l, node by node relative to what linear x and a
        constant alone leave of it (``pre_activation_error``: a constant alone). 0 where the features
        say all, 1 where they say nothing beyond x: then 1 + O(regressors / samples), as the read-out
        is scored on samples that it has not seen.
    of_inputs : float
        What x alone leaves, relative to sd(s_l): value * of_inputs is the error relative to s_l itself.
    at_start : float or None
        The same read-out of the net at initialisation: what its width alone can express.
    n_regressors, n_samples : int
        Columns of the read-out beside x; rows it was fitted on, and scored on.
    """

    value: float
    stderr: float
    of_inputs: float
    at_start: float | None
    n_regressors: int
    n_samples: int


def subspace_angle(form: np.ndarray, rows: np.ndarray) -> float:
    """Feature error of level 1 of "projected": from the form sum_j a_j w_j w_j^T that a level has learned.

    Root mean square sine of the principal angles between the row space of W_1 and the eigenspace of
    the k eigenvalues of largest absolute value: no read-out, so that no width makes it vacuous. 0
    where they agree, 1 where orthogonal, sqrt(1 - k/d) on average for a random subspace.

    Parameters
    ----------
    form : array of shape (d, d), symmetric
        Of a kernel or an RFM: its own quadratic form, or its average gradient outer product.
    rows : array of shape (k, d)
        W_1.

    Raises
    ------
    ValueError
        On shapes that do not fit, or a form of rank below k, which has no such eigenspace.
    """
    k, d = rows.shape
    if form.shape != (d, d):
        raise ValueError(
            refusal("form.shape", form.shape, f"a pair ({d}, {d}) where rows.shape = {rows.shape}")
        )
    values, vectors = np.linalg.eigh((form + form.T) / 2.0)
    order = np.argsort(-np.abs(values))
    if abs(values[order[k - 1]]) <= 1e-14 * abs(values[order[0]]) or values[order[0]] == 0.0:
        raise ValueError(
            f"the form has rank below {k}: there is no eigenspace of its {k} leading eigenvalues"
        )
    top = vectors[:, order[:k]]
    q = np.linalg.qr(rows.T)[0]
    return float(np.linalg.norm(q - top @ (top.T @ q)) / math.sqrt(k))


def form_of(function: Callable[[np.ndarray], np.ndarray], d: int, step: float = 1.0) -> np.ndarray:
    """The symmetric matrix of a quadratic function of x, from its second differences.

    Exact for quadratic functions: what level 1 of a net adds to the output is one.

    Parameters
    ----------
    function : callable, shapes (n, d) -> (n,)
    d : int
    step : float
        Stays within the range in which truncated squares are squares.
    """
    eye = step * np.eye(d)
    i, j = np.triu_indices(d)
    points = np.concatenate([np.zeros((1, d)), eye, -eye, eye[i] + eye[j], -eye[i] - eye[j]])
    f = np.asarray(function(points), dtype=np.float64)
    zero, plus, minus = f[0], f[1 : d + 1], f[d + 1 : 2 * d + 1]
    pair = f[2 * d + 1 :].reshape(2, -1).mean(axis=0)  # the mean over x and -x has no linear part
    single = (plus + minus) / 2.0
    form = np.zeros((d, d))
    form[i, j] = (pair - single[i] - single[j] + zero) / (2.0 * step**2)
    return form + form.T - np.diag(np.diag(form))


def narrow_products(features: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What a level passes up: all products of two of its narrow features S_l, level by level."""
    return [products(np.asarray(S, dtype=np.float64)) for S in features]


def check_width(widths: Sequence[int], d: int, level: int) -> None:
    """Refuse a read-out that no learning is needed for.

    Regressors of level j are polynomials of degree 2^j in x. As many as there are of those beyond the
    linear ones, C(d + 2^j, 2^j) - 1 - d, can span all of them: random features would do. (The true
    s_l lies in the span of levels below l and x: d(d+1)/2 regressors of level 1 suffice for s_2.)

    Raises
    ------
    VacuousReadOut
        One line: which level, how many regressors, how many are allowed.
    """
    for j, width in enumerate(widths, start=1):
        limit = math.comb(d + 2**j, 2**j) - 1 - d
        if width >= limit:
            raise VacuousReadOut(
                f"feature error of level {level}: {width} regressors from level {j} at d = {d} can span "
                f"all {limit} polynomials of degree {2**j}; fewer features, or a larger d, are needed"
            )


def feature_error(
    truth: Pair,
    regressors: tuple[Sequence[np.ndarray], Sequence[np.ndarray]],
    inputs: Pair,
    at_start: tuple[Sequence[np.ndarray], Sequence[np.ndarray]] | None = None,
) -> FeatureError:
    """Read the true s_l, l >= 2, out of what a learner's levels 1, ..., l pass up and of linear x.

    Every argument is a pair: of a sample that the read-out is fitted on, and of another that it is
    scored on; the learner has seen neither.

    Parameters
    ----------
    truth : pair of arrays of shape (n, k)
        s_l (``target.hidden_features(X)[l - 1]``).
    regressors : pair of sequences of l arrays, each of shape (n, r_j)
        Of narrow features their products (``narrow_products``); of wide ones, which are squares
        already, the features themselves. Never products with x.
    inputs : pair of arrays of shape (n, d)
    at_start : like ``regressors``, optional
        Of the same net before training.

    Raises
    ------
    VacuousReadOut
        Where the width makes the read-out meaningless (``check_width``).
    ValueError
        On fewer than 10 rows for each regressor, or a level that is linear in x.
    """
    check_width([np.shape(h)[1] for h in regressors[0]], inputs[0].shape[1], len(regressors[0]))
    linear_inputs = (np.asarray(inputs[0], dtype=np.float64), np.asarray(inputs[1], dtype=np.float64))
    return _read_out(
        truth, _joined(regressors), linear_inputs, None if at_start is None else _joined(at_start)
    )


def pre_activation_error(
    truth: Pair, features: Pair, d: int, level: int, at_start: Pair | None = None
) -> FeatureError:
    """Read the true s_l, l >= 2, out of the learned narrow S_l alone: whether they span the same.

    This also judges a level above which nothing reads products, and one whose own inputs span
    everything (the second of "squares", where ``feature_error`` is vacuous).

    Parameters
    ----------
    truth, features : pairs of arrays of shape (n, k) and (n, r)
        s_l and S_l on the sample fitted on and on the one scored on.
    d, level : int
    at_start : like ``features``, optional

    Raises
    ------
    VacuousReadOut
        Where S_l has as many features as there are polynomials of the degree of s_l.
    ValueError
        As ``feature_error``.
    """
    width, degree = np.shape(features[0])[1], 2 ** (level - 1)
    limit = math.comb(d + degree, degree) - 1
    if width >= limit:
        raise VacuousReadOut(
            f"pre-activations of level {level}: {width} features at d = {d} can span all {limit} polynomials "
            f"of degree {degree}; fewer features, or a larger d, are needed"
        )
    nothing = (np.zeros((len(truth[0]), 0)), np.zeros((len(truth[1]), 0)))
    return _read_out(truth, features, nothing, at_start)


def _joined(parts: tuple[Sequence[np.ndarray], Sequence[np.ndarray]]) -> Pair:
    first, second = (
        np.concatenate([np.asarray(h, dtype=np.float64) for h in part], axis=1) for part in parts
    )
    return first, second


def _read_out(truth: Pair, columns: Pair, linear_inputs: Pair, at_start: Pair | None) -> FeatureError:
    n, count = min(len(truth[0]), len(truth[1])), columns[0].shape[1]
    wanted = MIN_ROWS_PER_REGRESSOR * (count + linear_inputs[0].shape[1] + 1)
    if n < wanted:
        raise ValueError(
            refusal("number of samples", n, f"integers from {wanted} for a read-out of {count} features")
        )
    fitted, scored = (np.asarray(s, dtype=np.float64) for s in truth)
    alone = _residuals(fitted, scored, linear_inputs, None)
    spread = np.square(scored - scored.mean(axis=0)).mean(axis=0)
    left = alone.mean(axis=0) / spread
    if left.min() < 1e-20:
        raise ValueError(
            "a true feature of this level is linear in x: there is nothing for the level to learn"
        )
    value, stderr = _amplitude(_residuals(fitted, scored, linear_inputs, columns), alone)
    start = (
        None
        if at_start is None
        else _amplitude(_residuals(fitted, scored, linear_inputs, at_start), alone)[0]
    )
    return FeatureError(value, stderr, float(np.sqrt(left.mean())), start, count, n)


def _residuals(
    fitted: np.ndarray, scored: np.ndarray, linear_inputs: Pair, columns: Pair | None
) -> np.ndarray:
    """Squared residuals (n, k) on the second sample of the least squares on the first."""
    first, second = (
        x if columns is None else np.concatenate([x, np.asarray(columns[i], dtype=np.float64)], axis=1)
        for i, x in enumerate(linear_inputs)
    )
    # Centred and scaled, so that heavy-tailed features of high degree stay well conditioned.
    mean, sd = first.mean(axis=0), first.std(axis=0)
    sd = np.where(sd > 1e-12 * np.maximum(np.abs(mean), 1e-300), sd, np.inf)
    first, second = (first - mean) / sd, (second - mean) / sd
    centre = fitted.mean(axis=0)
    first = np.concatenate([first, np.ones((len(first), 1))], axis=1)
    second = np.concatenate([second, np.ones((len(second), 1))], axis=1)
    weights = np.linalg.lstsq(first, fitted - centre, rcond=1e-13)[0]
    return np.asarray(np.square(scored - centre - second @ weights))


def _amplitude(squares: np.ndarray, alone: np.ndarray) -> tuple[float, float]:
    """Root of the mean over nodes of ratios of means, with the delta method's standard error."""
    baseline = alone.mean(axis=0)
    ratios = squares.mean(axis=0) / baseline
    ratio = float(ratios.mean())
    # Of a ratio of means the influence of one row is (e - r b) / E b.
    influence = ((squares - ratios * alone) / baseline).mean(axis=1)
    spread = float(influence.std(ddof=1)) / math.sqrt(len(influence))
    return math.sqrt(ratio), spread / (2.0 * math.sqrt(ratio)) if ratio > 0 else 0.0
