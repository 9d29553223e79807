"""Certificates: exact from the spectrum, else by Monte Carlo with its standard error."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from hierbench.targets.base import Certificate, Estimate
from hierbench.targets.certificates.kurtosis import label_moments
from hierbench.targets.certificates.spectrum import Spectrum
from hierbench.targets.certificates.stability import sampled_shares
from hierbench.targets.laws.inputs import InputLaw
from hierbench.targets.laws.measures import Measure
from hierbench.targets.laws.sampling import batches, jackknife

MOMENT_SAMPLES = 2**20
SCALE_SAMPLES = 2**22
KURTOSIS_NUMBERS = 2**26
"""Numbers drawn for a sampled kurtosis beside exact shares, at most."""
SHARE_STDERR = 0.25
"""Shares of variance of which one has a larger standard error are unknown: heavy tails ate them."""
_MOMENTS, _SCALE = 101, 104


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """y = intercept + the sum of its level outputs, in the coordinates w of ``measure``.

    Attributes
    ----------
    measure : Measure
    outputs : callable (n, m) -> (n, levels)
    intercept : float
    degree : int
    levels : tuple of int
    even : bool
        Whether odd degrees carry nothing.
    """

    measure: Measure
    outputs: Callable[[np.ndarray], np.ndarray]
    intercept: float
    degree: int
    levels: tuple[int, ...]
    even: bool = False

    def label(self, W: np.ndarray) -> np.ndarray:
        """Label at the rows of W."""
        return np.asarray(self.outputs(W).sum(axis=1) + self.intercept)


def certify(model: Model, spectrum: Spectrum | None, *, n_parameters: int, law: InputLaw) -> Certificate:
    """Certificate of a target, without contamination and condition numbers.

    Where ``spectrum`` is None, everything is estimated from fixed-seed samples.
    """
    if spectrum is None:
        shares = known_shares(sampled_shares(model.measure, model.label, model.degree, model.even))
        mean, variance, kurtosis, level_share, correlation = _sampled_moments(model)
    else:
        total = float(spectrum.covariance.sum())
        shares = {p: Estimate(float(gram.sum()) / total) for p, gram in sorted(spectrum.grams.items())}
        mean, variance, kurtosis, level_share, correlation = _exact_moments(model, spectrum)
    return Certificate(
        degree=model.degree,
        n_parameters=n_parameters,
        method="monte-carlo" if spectrum is None else "exact",
        mean=mean,
        variance=variance,
        kurtosis=kurtosis,
        degree_share=shares,
        level_share=level_share,
        level_covariance=correlation,
        contamination={},
        condition_numbers={},
        inputs=law.text,
        rotation_invariant=law.rotation_invariant,
    )


def known_shares(shares: dict[int, Estimate]) -> dict[int, Estimate]:
    """Keep sampled shares of variance, or none where one has a standard error above ``SHARE_STDERR``."""
    return shares if all(e.stderr <= SHARE_STDERR for e in shares.values()) else {}


_Moments = tuple[Estimate, Estimate, Estimate, dict[int, Estimate], tuple[tuple[float, ...], ...]]


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


def sampled_scale(model: Model) -> tuple[Estimate, Estimate]:
    """Mean and standard deviation of a label that is not normalised yet."""
    rows = []
    for W in batches(SCALE_SAMPLES, model.measure, _SCALE):
        y = model.label(W)
        rows.append([y.mean(), (y * y).mean()])
    mean, sd = estimates(*jackknife(np.array(rows), lambda m: np.array([m[0], np.sqrt(m[1] - m[0] ** 2)])))
    return mean, sd


def _exact_moments(model: Model, spectrum: Spectrum) -> _Moments:
    covariance = spectrum.covariance
    total = float(covariance.sum())
    kurtosis = spectrum.kurtosis()
    return (
        Estimate(spectrum.mean),
        Estimate(total),
        sampled_kurtosis(model) if kurtosis is None else Estimate(kurtosis),
        {i: Estimate(float(row.sum()) / total) for i, row in zip(spectrum.levels, covariance, strict=True)},
        _correlation(covariance),
    )


def _correlation(covariance: np.ndarray) -> tuple[tuple[float, ...], ...]:
    sd = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(sd, sd)
    np.fill_diagonal(correlation, 1.0)
    return tuple(tuple(float(c) for c in row) for row in correlation)


def estimates(value: np.ndarray, stderr: np.ndarray) -> list[Estimate]:
    """Estimates from arrays of values and standard errors."""
    return [Estimate(float(v), float(e)) for v, e in zip(value, stderr, strict=True)]


def sampled_kurtosis(model: Model) -> Estimate:
    """Kurtosis of the label from samples."""
    samples = min(MOMENT_SAMPLES, KURTOSIS_NUMBERS // model.measure.m)
    return label_moments(model.label(W) for W in batches(samples, model.measure, _MOMENTS))[2]


def _sampled_moments(model: Model) -> _Moments:
    labels, seconds = [], []
    for W in batches(MOMENT_SAMPLES, model.measure, _MOMENTS):
        outputs = model.outputs(W)
        labels.append(outputs.sum(axis=1) + model.intercept)
        outputs = np.concatenate([np.ones((len(W), 1)), outputs], axis=1)
        seconds.append(outputs.T @ outputs / len(W))

    def covariance(second: np.ndarray) -> np.ndarray:
        return np.asarray(second[1:, 1:] - np.outer(second[0, 1:], second[0, 1:]))

    def level_shares(second: np.ndarray) -> np.ndarray:
        c = covariance(second)
        return np.asarray(c.sum(axis=1) / c.sum())

    mean, variance, kurtosis = label_moments(labels)
    level_share = estimates(*jackknife(np.stack(seconds), level_shares))
    return (
        mean,
        variance,
        kurtosis,
        dict(zip(model.levels, level_share, strict=True)),
        _correlation(covariance(np.mean(seconds, axis=0))),
    )
