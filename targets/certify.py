"""Certificates of folded targets: exact from the spectrum, else by Monte Carlo."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from targets.base import Certificate, Estimate
from targets.cascade import Cascade
from targets.sampling import batches, jackknife
from targets.spectrum import Spectrum

MOMENT_SAMPLES = 2**20
STABILITY_SAMPLES = 2**18
KURTOSIS_NUMBERS = 2**26
"""Gaussian numbers drawn for a sampled kurtosis beside exact shares, at most."""
_MOMENTS, _STABILITY, _STABILITY_NOISE = 101, 102, 103


def certify(
    cascade: Cascade,
    spectrum: Spectrum | None,
    *,
    degree: int,
    n_parameters: int,
    weights: Mapping[tuple[int, int], np.ndarray],
    sd: Mapping[int, np.ndarray],
    lower: tuple[int, np.ndarray],
) -> Certificate:
    """Certificate of a folded target.

    Parameters
    ----------
    cascade : Cascade
    spectrum : Spectrum or None
        Where None, everything is estimated from fixed-seed samples.
    degree, n_parameters : int
    weights : mapping (l, j) -> W_{l,j}
        As they act on h_j.
    sd : mapping l -> array of shape (k_l,)
        Standard deviations of s_l^2.
    lower : (level, rows)
        The lowest learned level, 1 or 2, and its rows, in z for level 1 and in h_1 for level 2.
    """
    if spectrum is None:
        shares = _sampled_degree_shares(cascade, degree)
        moments = _sampled_moments(cascade, lower)
    else:
        shares = _exact_degree_shares(spectrum)
        moments = _exact_moments(cascade, spectrum, lower)
    mean, variance, kurtosis, level_share, correlation, contamination = moments
    return Certificate(
        degree=degree,
        n_parameters=n_parameters,
        method="monte-carlo" if spectrum is None else "exact",
        mean=mean,
        variance=variance,
        kurtosis=kurtosis,
        degree_share=shares,
        level_share=level_share,
        level_covariance=correlation,
        contamination={lower[0]: contamination},
        condition_numbers=condition_numbers(weights, sd),
    )


_Moments = tuple[Estimate, Estimate, Estimate, dict[int, Estimate], tuple[tuple[float, ...], ...], Estimate]


def condition_numbers(
    weights: Mapping[tuple[int, int], np.ndarray], sd: Mapping[int, np.ndarray]
) -> dict[str, tuple[float, float]]:
    """Of each W_{l,j}, and of W_{l,j} diag(1 / sd(s_j^2)), which acts on the raw squares."""
    return {
        f"W_{level},{j}": (
            float(np.linalg.cond(w)),
            float(np.linalg.cond(w if j == 0 else w / sd[j])),
        )
        for (level, j), w in sorted(weights.items())
    }


def subspace_sine(form: np.ndarray, rows: np.ndarray) -> float:
    """Root mean square sine between span(rows) and the leading eigenspace of ``form``.

    Parameters
    ----------
    form : array of shape (m, m), symmetric
        Its k eigenvectors of largest absolute eigenvalue span the other space.
    rows : array of shape (k, m)
    """
    values, vectors = np.linalg.eigh(form)
    top = vectors[:, np.argsort(-np.abs(values))[: len(rows)]]
    q = np.linalg.qr(rows.T)[0]
    # The residual keeps digits that 1 - cos^2 would lose near zero.
    return float(np.linalg.norm(q - top @ (top.T @ q)) / math.sqrt(len(rows)))


def _exact_degree_shares(spectrum: Spectrum) -> dict[int, Estimate]:
    total = float(spectrum.covariance.sum())
    return {p: Estimate(float(gram.sum()) / total) for p, gram in sorted(spectrum.grams.items())}


def _exact_moments(cascade: Cascade, spectrum: Spectrum, lower: tuple[int, np.ndarray]) -> _Moments:
    covariance = spectrum.covariance
    total = float(covariance.sum())
    kurtosis = spectrum.kurtosis()
    form = spectrum.quadratic if lower[0] == 1 else spectrum.form_in_squares
    return (
        Estimate(spectrum.mean),
        Estimate(total),
        _sampled_kurtosis(cascade) if kurtosis is None else Estimate(kurtosis),
        {i: Estimate(float(row.sum()) / total) for i, row in zip(spectrum.levels, covariance, strict=True)},
        _correlation(covariance),
        Estimate(subspace_sine(form, lower[1])),
    )


def _correlation(covariance: np.ndarray) -> tuple[tuple[float, ...], ...]:
    sd = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(sd, sd)
    np.fill_diagonal(correlation, 1.0)
    return tuple(tuple(float(c) for c in row) for row in correlation)


def _estimates(value: np.ndarray, stderr: np.ndarray) -> list[Estimate]:
    return [Estimate(float(v), float(e)) for v, e in zip(value, stderr, strict=True)]


def _power_moments(y: np.ndarray) -> np.ndarray:
    square = y * y
    return np.array([y.mean(), square.mean(), (square * y).mean(), (square * square).mean()])


def _kurtosis_of(moment: np.ndarray) -> np.ndarray:
    """Of E y, ..., E y^4. The quotient by the sampled variance steadies it against heavy tails."""
    m1, m2, m3, m4 = moment
    variance = m2 - m1**2
    return np.array([m1, variance, (m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4) / variance**2])


def _sampled_kurtosis(cascade: Cascade) -> Estimate:
    samples = min(MOMENT_SAMPLES, KURTOSIS_NUMBERS // cascade.m)
    rows = [_power_moments(_label(cascade, Z)) for Z in batches(samples, cascade.m, _MOMENTS)]
    return _estimates(*jackknife(np.stack(rows), _kurtosis_of))[2]


def _label(cascade: Cascade, Z: np.ndarray) -> np.ndarray:
    return np.asarray(cascade.level_outputs(Z).sum(axis=1) + cascade.intercept)


def _sampled_moments(cascade: Cascade, lower: tuple[int, np.ndarray]) -> _Moments:
    levels = sorted(cascade.outputs)
    powers, seconds, forms = [], [], []
    for Z in batches(MOMENT_SAMPLES, cascade.m, _MOMENTS):
        outputs = cascade.level_outputs(Z)
        y = outputs.sum(axis=1) + cascade.intercept
        powers.append(_power_moments(y))
        outputs = np.concatenate([np.ones((len(Z), 1)), outputs], axis=1)
        seconds.append(outputs.T @ outputs / len(Z))
        forms.append(_sampled_form(lower[0], Z, y))

    def covariance(second: np.ndarray) -> np.ndarray:
        return np.asarray(second[1:, 1:] - np.outer(second[0, 1:], second[0, 1:]))

    def level_shares(second: np.ndarray) -> np.ndarray:
        c = covariance(second)
        return np.asarray(c.sum(axis=1) / c.sum())

    mean, variance, kurtosis = _estimates(*jackknife(np.stack(powers), _kurtosis_of))
    level_share = _estimates(*jackknife(np.stack(seconds), level_shares))
    sine = jackknife(np.stack(forms), lambda form: np.array([subspace_sine(form, lower[1])]))
    return (
        mean,
        variance,
        kurtosis,
        dict(zip(levels, level_share, strict=True)),
        _correlation(covariance(np.mean(seconds, axis=0))),
        _estimates(*sine)[0],
    )


def _sampled_form(level: int, Z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Batch estimate of the form that ``Spectrum`` holds for this level; shape (m, m)."""
    if level == 1:
        return (Z.T @ (y[:, None] * Z) / len(Z) - y.mean() * np.eye(Z.shape[1])) / 2.0
    u = (np.square(Z) - 1.0) / math.sqrt(2.0)
    form = u.T @ (y[:, None] * u) / len(Z)
    # u^2 - 2 sqrt(2) u - 1 = sqrt(6) He_4 / sqrt(24): see HermiteSeries.form_in_squares.
    diagonal = (np.diag(form) - 2.0 * math.sqrt(2.0) * (y @ u) / len(Z) - y.mean()) / 6.0
    form = form / 2.0
    np.fill_diagonal(form, diagonal)
    return np.asarray(form)


def _sampled_degree_shares(cascade: Cascade, degree: int) -> dict[int, Estimate]:
    """Shares from Mehler's formula, E f(z) f(t z + sqrt(1 - t^2) z') = sum_p t^p share_p.

    Averaged over the sign of z', the product is for every single pair (z, z') a polynomial of
    the target's degree in t: solving for its coefficients amplifies no sampling error.
    """
    even = all(level == 1 or j > 0 for level, j in cascade.weights)
    degrees = np.arange(0, degree + 1, 2 if even else 1)
    nodes = np.cos(np.pi * np.arange(len(degrees)) / (len(degrees) - 1))
    t = np.sqrt((1.0 + nodes) / 2.0) if even else nodes
    s = np.sqrt(1.0 - t**2)
    inverse = np.linalg.inv(t[:, None] ** degrees)
    pairs = zip(
        batches(STABILITY_SAMPLES, cascade.m, _STABILITY),
        batches(STABILITY_SAMPLES, cascade.m, _STABILITY_NOISE),
        strict=True,
    )
    rows = []
    for Z, noise in pairs:
        y = _label(cascade, Z)
        rows.append(inverse @ [_stability(cascade, y, Z, noise, a, b) for a, b in zip(t, s, strict=True)])

    def shares(coefficients: np.ndarray) -> np.ndarray:
        return np.asarray(coefficients[1:] / coefficients[1:].sum())

    values = _estimates(*jackknife(np.stack(rows), shares))
    return {int(p): value for p, value in zip(degrees[1:], values, strict=True)}


def _stability(
    cascade: Cascade, y: np.ndarray, Z: np.ndarray, noise: np.ndarray, t: float, s: float
) -> float:
    signs: Sequence[float] = (1.0, -1.0) if s > 0 else (1.0,)
    return math.fsum(float(y @ _label(cascade, t * Z + sign * s * noise)) for sign in signs) / (
        len(signs) * len(y)
    )
