"""Constants that bring every level, and the label, to mean 0 and variance 1."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from hierbench.targets.algebra.series import ProductSeries, Series
from hierbench.targets.algebra.terms import Polynomial, TooManyTermsError, mapped, merged
from hierbench.targets.base import Estimate
from hierbench.targets.certificates.spectrum import Spectrum, side_by_side, spectrum_from
from hierbench.targets.laws.inputs import Reduction
from hierbench.targets.laws.measures import Product
from hierbench.targets.laws.sampling import batches, jackknife
from hierbench.targets.quadratic.cascade import Cascade

MONTE_CARLO_SAMPLES = 2**22


@dataclasses.dataclass(frozen=True)
class LevelConstants:
    """Mean and standard deviation of each s_l^2, and the standard deviation of Sum(h_l)."""

    mean: tuple[Estimate, ...]
    sd: tuple[Estimate, ...]
    sum_sd: Estimate

    @property
    def method(self) -> str:
        """Whether the constants are exact or by Monte Carlo."""
        return "exact" if self.sum_sd.exact else "monte-carlo"


@dataclasses.dataclass(frozen=True)
class Constants:
    """The constants of a normalised target; part of its definition.

    Attributes
    ----------
    levels : mapping l -> LevelConstants
    scale : Estimate
        The c of y = (1/c) sum_l alpha_l S_l.
    """

    levels: Mapping[int, LevelConstants]
    scale: Estimate


@dataclasses.dataclass(frozen=True, eq=False)
class Normalised:
    """A folded target, its constants, and what the algebra found where it reaches the top.

    Attributes
    ----------
    polynomials : tuple of Polynomial
        z, p_1, ..., as far up as the algebra reaches.
    in_squares : array of shape (m, m) or None
        ``ProductSeries.form_in_squares`` of y, where the coordinates are standard Gaussian.
    """

    cascade: Cascade
    constants: Constants
    spectrum: Spectrum | None
    polynomials: tuple[Polynomial, ...]
    in_squares: np.ndarray | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Blueprint:
    """A target before normalisation: s_l = sum_j weights_{l,j} h_j with h_0 = z = basis x.

    Without (1, 0) in ``weights``, s_1 = z.

    Attributes
    ----------
    basis : array of shape (m, d), or None where z = x
    reduction : Reduction
        z in coordinates whose law is known.
    depth : int
    weights : mapping (l, j) -> array of shape (k_l, k_j)
    alphas : mapping l -> float
        Weight of S_l, for the levels that reach y.
    nodes : mapping l -> boolean array of shape (k_l,)
        The nodes that S_l sums; all of them for a level that is absent.
    """

    basis: np.ndarray | None
    reduction: Reduction
    depth: int
    weights: Mapping[tuple[int, int], np.ndarray]
    alphas: Mapping[int, float]
    nodes: Mapping[int, np.ndarray] = dataclasses.field(default_factory=dict)

    @property
    def m(self) -> int:
        """Number of coordinates z."""
        return len(self.reduction.matrix)


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
        self.polynomials = [Polynomial.linear(blueprint.reduction.matrix)]
        self.series: list[Series] = []
        self.within_reach = True
        self.top: tuple[np.ndarray, np.ndarray] | None = None

    def build(self) -> Normalised:
        for level in range(1, self.b.depth + 1):
            self._fold(level)
            try:
                self._exact(level)
            except TooManyTermsError:
                self.within_reach = False
                self._sample(level)
        if self.within_reach:
            return self._finish_exact()
        assert self.top is not None
        c, stderr = float(self.top[0][-1]), float(self.top[1][-1])
        constants = Constants(self.constants, Estimate(c, stderr))
        return Normalised(self._cascade(c), constants, None, tuple(self.polynomials))

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
        if not self.within_reach:
            raise TooManyTermsError("a lower level is out of reach")
        p = self._partial(level).next_square(level, self.polynomials)
        series = self.b.reduction.measure.expand(p)
        covariance = series.gram()
        mean, sd = series.constant, np.sqrt(np.diag(covariance))
        weight = self._summed(level, len(sd)) / sd
        # Zero for the squares of all coordinates of a sphere: such a level never reaches y by itself.
        sum_sd = float(np.sqrt(max(weight @ covariance @ weight, 0.0)))
        self._store(level, mean, sd, sum_sd, np.zeros(2 * len(mean) + 1))
        self.polynomials.append(p)
        if level in self.b.alphas:
            self.series.append(mapped(series, self.output[level][None, :]))

    def _summed(self, level: int, k: int) -> np.ndarray:
        """1 for the nodes of a level that S_l sums, 0 for the others."""
        return np.asarray(self.b.nodes.get(level, np.ones(k)), dtype=float)

    def _store(self, level: int, mean: np.ndarray, sd: np.ndarray, sum_sd: float, stderr: np.ndarray) -> None:
        k = len(mean)
        self.mean[level], self.sd[level] = mean, sd
        if level in self.b.alphas:
            self.output[level] = self._summed(level, k) / (sd * sum_sd)

        def estimates(values: np.ndarray, errors: np.ndarray) -> tuple[Estimate, ...]:
            return tuple(Estimate(float(v), float(e)) for v, e in zip(values, errors, strict=True))

        self.constants[level] = LevelConstants(
            estimates(mean, stderr[:k]),
            estimates(sd, stderr[k : 2 * k]),
            Estimate(sum_sd, float(stderr[2 * k])),
        )

    def _sample(self, level: int) -> None:
        """Moments of the S_i below that reach y and of the nodes of p_level, from fixed-seed samples."""
        partial = self._partial(level)
        lower = [i for i in self.b.alphas if i < level]
        # Below the first level that reaches y its weight only stands in for one.
        alphas = np.array([self.b.alphas.get(i, 1.0) for i in [*lower, level]])
        reduction = self.b.reduction
        moments = []
        for W in batches(MONTE_CARLO_SAMPLES, reduction.measure, level):
            s = partial.pre_activations(W @ reduction.matrix.T)
            columns = [
                (np.square(s[i - 1]) @ self.output[i] - self.output[i] @ self.mean[i])[:, None] for i in lower
            ]
            v = np.concatenate([np.ones((len(W), 1)), *columns, np.square(s[level - 1])], axis=1)
            moments.append(v.T @ v / len(W))
        first = len(lower)
        summed = self._summed(level, moments[0].shape[0] - 1 - first)

        def constants(moment: np.ndarray) -> np.ndarray:
            average = moment[0, 1:]
            covariance = moment[1:, 1:] - np.outer(average, average)
            sd = np.sqrt(np.diag(covariance)[first:])
            weight = summed / sd
            sum_sd = np.sqrt(weight @ covariance[first:, first:] @ weight)
            direction = np.concatenate([alphas[:-1], alphas[-1] * weight / sum_sd])
            c = np.sqrt(direction @ covariance @ direction)
            return np.concatenate([average[first:], sd, [sum_sd, c]])

        self.top = value, stderr = jackknife(np.stack(moments), constants)
        k = (len(value) - 2) // 2
        self._store(level, value[:k], value[k : 2 * k], float(value[2 * k]), stderr[:-1])

    def _cascade(self, c: float) -> Cascade:
        outputs = {i: alpha / c * self.output[i] for i, alpha in self.b.alphas.items()}
        intercept = -sum(float(outputs[i] @ self.mean[i]) for i in outputs)
        b = self.b
        return Cascade(b.m, b.depth, b.basis, self.weights, self.offsets, outputs, intercept)

    def _finish_exact(self) -> Normalised:
        eye = np.eye(len(self.series))
        series = merged([mapped(s, eye[:, [i]]) for i, s in enumerate(self.series)])
        alphas = np.array(list(self.b.alphas.values()))
        c = float(np.sqrt(alphas @ series.gram() @ alphas))
        cascade = self._cascade(c)
        stack = side_by_side([mapped(self.polynomials[i], a[None, :]) for i, a in cascade.outputs.items()])
        # The covariances from the expansion above; the mean is taken off by the intercept.
        measure = self.b.reduction.measure
        scaled = mapped(series, np.diag(alphas / c))
        spectrum = spectrum_from(tuple(self.b.alphas), scaled, stack, measure)
        in_squares = None
        if isinstance(measure, Product) and measure.gaussian and isinstance(series, ProductSeries):
            in_squares = mapped(series, (alphas / c)[None, :]).form_in_squares()[0]
        return Normalised(
            cascade,
            Constants(self.constants, Estimate(c)),
            spectrum.scaled(1.0, cascade.intercept),
            tuple(self.polynomials),
            in_squares,
        )
