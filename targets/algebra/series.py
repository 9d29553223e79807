"""Polynomials sorted by degree under a law of the inputs: a product of coordinates, or the sphere."""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from hierbench.errors import refusal
from hierbench.targets.algebra import terms
from hierbench.targets.algebra.orthogonal import MAX_DEGREE, Univariate
from hierbench.targets.algebra.terms import Polynomial, Terms, TooManyTermsError, laplacian, merged


class Series(Terms, abc.ABC):
    """q functions by degree under a law. Linear combinations (``mapped``, ``merged``) keep it."""

    @abc.abstractmethod
    def gram(self, degree: int | None = None) -> np.ndarray:
        """Inner products E f_a f_b of the parts of one degree (of all degrees >= 1), shape (q, q)."""

    def grams(self) -> dict[int, np.ndarray]:
        """Covariances by degree: degree >= 1 -> array of shape (q, q)."""
        return {int(p): self.gram(int(p)) for p in np.unique(self.degrees) if p > 0}

    @abc.abstractmethod
    def linear_form(self) -> np.ndarray:
        """Coefficients v of the degree-1 part v . (w - E w); shape (q, m)."""

    @abc.abstractmethod
    def quadratic_form(self) -> np.ndarray:
        """Symmetric A such that the degree-2 part is w^T A w and lower terms; shape (q, m, m)."""


@dataclasses.dataclass(frozen=True, eq=False)
class ProductSeries(Series):
    """Coefficients in the orthonormal basis prod_i pi_{e_i}(w_i) of independent coordinates."""

    factors: tuple[Univariate, ...]

    @classmethod
    def of(cls, polynomial: Polynomial, factors: Sequence[Univariate]) -> ProductSeries:
        """Expand one variable after the other: w^e = sum_k T[e, k] pi_k(w)."""
        steps = [2 if f.symmetric else 1 for f in factors]
        _require_closure(polynomial, np.array(steps))
        closed = _closed(polynomial, steps)
        exponents, keys = closed.exponents, closed.keys
        order = np.argsort(keys)
        sorted_keys = keys[order]
        coefficients = closed.coefficients.copy()
        weights = terms.hash_weights(polynomial.n_variables, 0)
        for i, (e, factor, step) in enumerate(
            zip(np.ascontiguousarray(exponents.T), factors, steps, strict=True)
        ):
            rows = np.flatnonzero(e >= step)
            e = e[rows]
            top = int(e.max(initial=0))
            require_degree(top)
            # Upwards in the lowered exponent: what is added has not been added to yet.
            for low in range(top - step + 1):
                for drop in range(step, top - low + 1, step):
                    value = factor.powers[low + drop, low]
                    source = rows[e == low + drop]
                    if value == 0.0 or not len(source):
                        continue
                    reduced = keys[source] - _shift(weights, i, drop)
                    target = order[np.searchsorted(sorted_keys, reduced)]
                    coefficients[target] += value * coefficients[source]
        for i, factor in enumerate(factors):
            coefficients *= factor.norms[exponents[:, i], None]
        series = cls(exponents, coefficients, tuple(factors))
        series.__dict__["keys"] = keys
        return series

    def gram(self, degree: int | None = None) -> np.ndarray:
        """Inner products of the parts of one degree (of all from 1), shape (q, q)."""
        rows = self.degrees > 0 if degree is None else self.degrees == degree
        part = self.coefficients[rows]
        return np.asarray(part.T @ part)

    def linear_form(self) -> np.ndarray:
        """Coefficients v of the degree-1 part v . (w - E w), shape (q, m)."""
        rows = np.flatnonzero(self.degrees == 1)
        v = np.zeros((self.coefficients.shape[1], self.n_variables))
        v[:, self.exponents[rows].argmax(axis=1)] = self.coefficients[rows].T
        return v

    def quadratic_form(self) -> np.ndarray:
        """Symmetric A of the part of degree 2, shape (q, m, m)."""
        a = np.zeros((self.coefficients.shape[1], self.n_variables, self.n_variables))
        for row in np.flatnonzero(self.degrees == 2):
            i, j = _two_indices(self.exponents[row], 1)
            if i == j:
                norm = self.factors[i].norms[2]
                a[:, i, i] = self.coefficients[row] / norm if norm > 0 else 0.0
            else:
                a[:, i, j] = a[:, j, i] = self.coefficients[row] / 2.0
        return a

    def form_in_squares(self) -> np.ndarray:
        """M of the best approximation b + v . u + u^T M u, u_i = (z_i^2 - 1) / sqrt(2); shape (q, m, m).

        For Gaussian coordinates, from u_i u_j = He_2(z_i) He_2(z_j) / 2, i != j, and
        u_i^2 = 1 + 2 sqrt(2) u_i + sqrt(6) He_4(z_i) / sqrt(24).
        """
        matrix = np.zeros((self.coefficients.shape[1], self.n_variables, self.n_variables))
        rows = np.flatnonzero(self.degrees == 4)
        for row in rows[(self.exponents[rows] % 2 == 0).all(axis=1)]:
            i, j = _two_indices(self.exponents[row], 2)
            value = self.coefficients[row] / (math.sqrt(6.0) if i == j else 2.0)
            matrix[:, i, j] = matrix[:, j, i] = value
        return matrix


@dataclasses.dataclass(frozen=True, eq=False)
class SphereSeries(Series):
    """Harmonic components on the sphere of radius sqrt(d) in R^d, in some of its coordinates.

    The terms of total degree l are a homogeneous q_l whose harmonic projection H q_l, a
    polynomial in w because |x|^2 = d, is the component of degree l:

        f_k = sum_j |x|^(2j) H(c_{k,j} Laplacian^j f_k) for homogeneous f_k,
        c_{k,j} = Gamma(d/2 + k - 2j) / (4^j j! Gamma(d/2 + k - j)),
        H q = sum_i (-1)^i |x|^(2i) Laplacian^i q / (4^i i! (d/2 + l - 2)(d/2 + l - 3)...)  (i factors)

    (Axler, Bourdon & Ramey, Harmonic Function Theory, ch. 5.) Inner products are Fischer's,
    <w^a, w^b> = a! where a = b, else 0, in which |x|^2 is the adjoint of the Laplacian:
    E (H q)(H q') = d^l / (d (d+2) ... (d+2l-2)) <H q, q'>.
    """

    d: int

    @classmethod
    def of(cls, polynomial: Polynomial, d: int) -> SphereSeries:
        """Expand polynomials in m of the d coordinates by degree on the sphere."""
        _require_closure(polynomial, np.full(polynomial.n_variables, 2))
        parts = []
        lowered, j = polynomial, 0
        while lowered.n_terms:
            scale = [_lift(d, int(k) + 2 * j, j) for k in lowered.degrees]
            parts.append(Polynomial(lowered.exponents, lowered.coefficients * np.array(scale)[:, None]))
            lowered, j = laplacian(lowered), j + 1
        q = merged(parts) if parts else polynomial
        return cls(q.exponents, q.coefficients, d)

    def _component(self, degree: int) -> Polynomial:
        rows = self.degrees == degree
        return Polynomial(self.exponents[rows], self.coefficients[rows])

    def gram(self, degree: int | None = None) -> np.ndarray:
        """Inner products of the parts of one degree (of all from 1), shape (q, q)."""
        q = self.coefficients.shape[1]
        if degree is None:
            return np.asarray(sum(self.grams().values(), np.zeros((q, q))))
        d, half = self.d, self.d / 2.0
        lowered, factor = self._component(degree), 1.0
        for s in range(degree):
            factor *= d / (d + 2.0 * s)
        total = np.zeros((q, q))
        i = 0
        while lowered.n_terms:
            total += factor * _fischer(lowered)
            lowered, i = laplacian(lowered), i + 1
            # Where nothing is left of the Laplacian, the factor (zero for d = 2) is not used.
            factor *= -1.0 / (4.0 * i * (half + degree - 1.0 - i)) if lowered.n_terms else 0.0
        return total

    def linear_form(self) -> np.ndarray:
        """Coefficients v of the degree-1 part v . (w - E w), shape (q, m)."""
        first = self._component(1)
        v = np.zeros((self.coefficients.shape[1], self.n_variables))
        v[:, first.exponents.argmax(axis=1)] = first.coefficients.T
        return v

    def quadratic_form(self) -> np.ndarray:
        """Symmetric A of the part of degree 2, shape (q, m, m)."""
        second = self._component(2)
        a = np.zeros((self.coefficients.shape[1], self.n_variables, self.n_variables))
        for exponents, coefficients in zip(second.exponents, second.coefficients, strict=True):
            i, j = _two_indices(exponents, 1)
            a[:, i, j] = a[:, j, i] = coefficients / (1.0 if i == j else 2.0)
        return a


def _lift(d: int, k: int, j: int) -> float:
    """d^j c_{k,j}: the weight of Laplacian^j f_k in the component of degree k - 2j."""
    value = 1.0
    for s in range(1, j + 1):
        value *= d / (4.0 * s * (d / 2.0 + k - j - s))
    return value


def _fischer(p: Polynomial) -> np.ndarray:
    weights = _FACTORIAL[p.exponents].prod(axis=1)
    return np.asarray(p.coefficients.T @ (weights[:, None] * p.coefficients))


def require_degree(top: int) -> None:
    """TooManyTermsError on a degree in one variable past ``MAX_DEGREE``."""
    if top > MAX_DEGREE:
        raise TooManyTermsError(f"degree {top} in one variable is past the limit of {MAX_DEGREE}")


def _require_closure(p: Polynomial, steps: np.ndarray) -> None:
    """x_1^2 ... x_m^2 alone has 2^m terms of lower degree below it."""
    highest = p.exponents.max(axis=0, initial=0) // steps + 1.0
    if np.log(highest).sum() <= math.log(terms.MAX_CLOSURE):
        return
    logs = np.log(p.exponents // steps + 1.0).sum(axis=1)
    if logs.max(initial=0.0) > math.log(terms.MAX_CLOSURE):
        raise TooManyTermsError(
            f"an expansion of e^{logs.max():.3g} terms is past the limit of {terms.MAX_CLOSURE}"
        )


def _closed(p: Polynomial, steps: Sequence[int]) -> Polynomial:
    """``p`` with zero terms added, so that lowering an exponent by its step stays in the support."""
    weights = terms.hash_weights(p.n_variables, 0)
    keys = np.sort(p.keys)
    for i, step in enumerate(steps):
        e = np.ascontiguousarray(p.exponents[:, i])
        missing = [np.empty((0, p.n_variables), dtype=np.int8)]
        for drop in range(step, int(e.max(initial=0)) + 1, step):
            rows = np.flatnonzero(e >= drop)
            reduced = p.keys[rows] - _shift(weights, i, drop)
            present = keys[np.minimum(np.searchsorted(keys, reduced), len(keys) - 1)] == reduced
            lowered = p.exponents[rows[~present]]
            lowered[:, i] -= drop
            missing.append(lowered)
        extra = np.concatenate(missing)
        if len(extra):
            p = merged([p, Polynomial(extra, np.zeros((len(extra), p.coefficients.shape[1])))])
            keys = np.sort(p.keys)
    return p


def _two_indices(exponents: np.ndarray, unit: int) -> tuple[int, int]:
    """Variables i <= j of a product z_i^unit z_j^unit."""
    used = np.flatnonzero(exponents)
    if (exponents[used] % unit).any():
        raise ValueError(refusal("exponents", exponents[used].tolist(), f"multiples of {unit}"))
    return int(used[0]), int(used[-1])


_FACTORIAL = np.array([math.factorial(e) for e in range(MAX_DEGREE + 1)], dtype=float)


def _shift(weights: np.ndarray, i: int, drop: int) -> np.ndarray:
    """Key of w_i^drop, shape (1,): as an array it wraps without a warning."""
    return np.asarray(weights[i : i + 1] * np.uint64(drop))
