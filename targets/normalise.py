"""Constants that bring every level, and the label, to mean 0 and variance 1."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from targets.algebra import HermiteSeries, Polynomial, TooManyTermsError, mapped
from targets.base import Estimate
from targets.cascade import Cascade
from targets.sampling import batches, jackknife
from targets.spectrum import Spectrum, spectrum_of, stacked

MONTE_CARLO_SAMPLES = 2**22


@dataclasses.dataclass(frozen=True)
class LevelConstants:
    """Mean and standard deviation of each s_l^2, and the standard deviation of Sum(h_l)."""

    mean: tuple[Estimate, ...]
    sd: tuple[Estimate, ...]
    sum_sd: Estimate

    @property
    def method(self) -> str:
        return "exact" if self.sum_sd.exact else "monte-carlo"


@dataclasses.dataclass(frozen=True)
class Constants:
    """The constants of a normalised target; part of its definition.

    Attributes
    ----------
    levels : mapping l -> LevelConstants
    scale : Estimate
        The c of y = (1/c) sum_l alpha^(l-l0) S_l.
    """

    levels: Mapping[int, LevelConstants]
    scale: Estimate


@dataclasses.dataclass(frozen=True, eq=False)
class Normalised:
    """A folded target, its constants, and its spectrum where the algebra reaches the top."""

    cascade: Cascade
    constants: Constants
    spectrum: Spectrum | None


@dataclasses.dataclass(frozen=True, eq=False)
class Blueprint:
    """A target before normalisation: s_l = sum_j weights_{l,j} h_j with h_0 = z = basis x.

    Without (1, 0) in ``weights``, s_1 = z. Levels from ``first_output`` on reach y, with
    weight alpha^(l - first_output).
    """

    m: int
    depth: int
    basis: np.ndarray | None
    weights: Mapping[tuple[int, int], np.ndarray]
    first_output: int
    alpha: float


def normalise(blueprint: Blueprint) -> Normalised:
    """Work upwards through the levels: exact while the algebra reaches, then by sampling."""
    return _Builder(blueprint).build()


class _Builder:
    def __init__(self, blueprint: Blueprint) -> None:
        self.b = blueprint
        self.weights: dict[tuple[int, int], np.ndarray] = {}
        self.offsets: dict[int, np.ndarray] = {}
        self.constants: dict[int, LevelConstants] = {}
        self.output: dict[int, np.ndarray] = {}  # S_l = output_l . p_l - output_l . E p_l
        self.mean: dict[int, np.ndarray] = {}
        self.sd: dict[int, np.ndarray] = {}
        self.polynomials: list[Polynomial] | None = [Polynomial.linear(np.eye(blueprint.m))]
        self.series: list[HermiteSeries] = []
        self.top: tuple[np.ndarray, np.ndarray] | None = None

    def build(self) -> Normalised:
        for level in range(1, self.b.depth + 1):
            self._fold(level)
            try:
                self._exact(level)
            except TooManyTermsError:
                self.polynomials = None
                self._sample(level)
        scales = {i: self.b.alpha ** (i - self.b.first_output) for i in self._outputs()}
        if self.polynomials is not None:
            return self._finish_exact(scales)
        assert self.top is not None
        c, stderr = float(self.top[0][-1]), float(self.top[1][-1])
        return Normalised(self._cascade(scales, c), Constants(self.constants, Estimate(c, stderr)), None)

    def _outputs(self) -> range:
        return range(self.b.first_output, self.b.depth + 1)

    def _fold(self, level: int) -> None:
        """Weights on h_j become weights on p_j and an offset."""
        offset = np.zeros(1)
        for (i, j), w in self.b.weights.items():
            if i != level:
                continue
            folded = w if j == 0 else w / self.sd[j]
            self.weights[i, j] = folded
            if j > 0:
                offset = offset - folded @ self.mean[j]
        if offset.any():
            self.offsets[level] = offset

    def _partial(self, depth: int) -> Cascade:
        return Cascade(self.b.m, depth, None, self.weights, self.offsets, {}, 0.0)

    def _exact(self, level: int) -> None:
        if self.polynomials is None:
            raise TooManyTermsError("a lower level is out of reach")
        p = self._partial(level).next_square(level, self.polynomials)
        series = p.hermite()
        covariance = series.gram()
        mean, sd = series.constant, np.sqrt(np.diag(covariance))
        sum_sd = float(np.sqrt(covariance.dot(1 / sd) @ (1 / sd)))
        self._store(level, mean, sd, sum_sd, np.zeros(2 * len(mean) + 1))
        self.polynomials.append(p)
        if level >= self.b.first_output:
            self.series.append(mapped(series, self.output[level][None, :]))

    def _store(self, level: int, mean: np.ndarray, sd: np.ndarray, sum_sd: float, stderr: np.ndarray) -> None:
        k = len(mean)
        self.mean[level], self.sd[level] = mean, sd
        self.output[level] = 1.0 / (sd * sum_sd)

        def estimates(values: np.ndarray, errors: np.ndarray) -> tuple[Estimate, ...]:
            return tuple(Estimate(float(v), float(e)) for v, e in zip(values, errors, strict=True))

        self.constants[level] = LevelConstants(
            estimates(mean, stderr[:k]),
            estimates(sd, stderr[k : 2 * k]),
            Estimate(sum_sd, float(stderr[2 * k])),
        )

    def _sample(self, level: int) -> None:
        """Moments of (S_l0, ..., S_{level-1}, nodes of p_level), from fixed-seed samples."""
        partial = self._partial(level)
        lower = [i for i in self._outputs() if i < level]
        alphas = np.array([self.b.alpha ** (i - self.b.first_output) for i in [*lower, level]])
        moments = []
        for Z in batches(MONTE_CARLO_SAMPLES, self.b.m, level):
            s = partial.pre_activations(Z)
            columns = [
                (np.square(s[i - 1]) @ self.output[i] - self.output[i] @ self.mean[i])[:, None] for i in lower
            ]
            v = np.concatenate([np.ones((len(Z), 1)), *columns, np.square(s[level - 1])], axis=1)
            moments.append(v.T @ v / len(Z))
        first = len(lower)

        def constants(moment: np.ndarray) -> np.ndarray:
            average = moment[0, 1:]
            covariance = moment[1:, 1:] - np.outer(average, average)
            sd = np.sqrt(np.diag(covariance)[first:])
            sum_sd = np.sqrt((1 / sd) @ covariance[first:, first:] @ (1 / sd))
            direction = np.concatenate([alphas[:-1], alphas[-1] / (sd * sum_sd)])
            c = np.sqrt(direction @ covariance @ direction)
            return np.concatenate([average[first:], sd, [sum_sd, c]])

        self.top = value, stderr = jackknife(np.stack(moments), constants)
        k = (len(value) - 2) // 2
        self._store(level, value[:k], value[k : 2 * k], float(value[2 * k]), stderr[:-1])

    def _cascade(self, scales: Mapping[int, float], c: float) -> Cascade:
        outputs = {i: scale / c * self.output[i] for i, scale in scales.items()}
        intercept = -sum(float(outputs[i] @ self.mean[i]) for i in outputs)
        b = self.b
        return Cascade(b.m, b.depth, b.basis, self.weights, self.offsets, outputs, intercept)

    def _finish_exact(self, scales: Mapping[int, float]) -> Normalised:
        assert self.polynomials is not None
        stack = stacked(self.series)
        alphas = np.array(list(scales.values()))
        c = float(np.sqrt(alphas @ stack.gram() @ alphas))
        cascade = self._cascade(scales, c)
        spectrum = spectrum_of(cascade, stack, alphas / c, self.polynomials[1:])
        return Normalised(cascade, Constants(self.constants, Estimate(c)), spectrum)
