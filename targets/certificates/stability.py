"""Share of variance by degree from samples, where the polynomial algebra does not reach.

For a law with a semigroup x -> x_t that multiplies every polynomial part of degree p by t^p,
E f(x) f(x_t) = sum_p t^p share_p (O'Donnell, Analysis of Boolean Functions, ch. 11, for
Gaussian and Boolean inputs). Two things keep the standard errors small. The parts of degree 1
and 2 have few coefficients, which samples give directly; and the semigroup acts on what is left
of f without them, whose parts of higher degree are those of f however well they were estimated.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator

import numpy as np

from hierbench.targets.algebra.orthogonal import HERMITE, LEGENDRE, TWO_POINT
from hierbench.targets.base import Estimate
from hierbench.targets.laws.measures import Measure, Product, Sphere
from hierbench.targets.laws.sampling import BATCH, batches, generator, jackknife

SAMPLES = 2**18
LOW_SAMPLES = 2**19
_STREAM, _NOISE, _LOW, _LOW_TWIN = 102, 103, 107, 108

Label = Callable[[np.ndarray], np.ndarray]


def sampled_shares(measure: Measure, label: Label, degree: int, even: bool) -> dict[int, Estimate]:
    """Share of variance of each degree >= 1, with jackknife standard errors.

    Parameters
    ----------
    measure : Measure
    label : callable (n, m) -> (n,)
        A polynomial of at most this degree, of mean 0 and variance 1: the share with the largest
        standard error is what the others leave of 1.
    degree : int
    even : bool
        Whether it has parts of even degree only.
    """
    low, twin = (_low_parts(measure, label, stream) for stream in (_LOW, _LOW_TWIN))
    parts = _LowPart(measure, (np.mean(low, axis=0) + np.mean(twin, axis=0)) / 2.0)
    degrees = np.arange(0, degree + 1, 2 if even else 1)
    high = np.stack(list(_paths(measure, lambda w: label(w) - parts(w), degrees, even)))
    high = high[:, degrees > 2]
    # Batches of both kinds number by number: the jackknife leaves out one of each.
    groups = np.array_split(np.arange(len(low)), len(high))
    size = low.shape[1]
    pooled = np.stack(
        [
            np.concatenate([low[g].mean(axis=0), twin[g].mean(axis=0), row])
            for g, row in zip(groups, high, strict=True)
        ]
    )

    def direct(moment: np.ndarray) -> np.ndarray:
        products = parts.products(moment[:size], moment[size : 2 * size])
        return np.concatenate([products[1:] if even else products, moment[2 * size :]])

    noisiest = int(np.argmax(jackknife(pooled, direct)[1]))

    def shares(moment: np.ndarray) -> np.ndarray:
        all_shares = direct(moment)
        all_shares[noisiest] += 1.0 - all_shares.sum()
        return all_shares

    value, stderr = jackknife(pooled, shares)
    kept = [p for p in degrees.tolist() if p > 0]
    return {p: Estimate(float(v), float(e)) for p, v, e in zip(kept, value, stderr, strict=True)}


@dataclasses.dataclass(frozen=True, eq=False)
class _LowPart:
    """Parts of degree 1 and 2, from the moments E f w and F = E f (quadratic).

    The quadratic functions are w_i w_j and pi_2(w_i), orthonormal for independent coordinates.
    On the sphere they are w_i w_j - delta_ij, and the part w^T A w - tr A has the moments
    F = (2d A - 2 tr(A) I) / (d + 2).
    """

    measure: Measure
    moments: np.ndarray

    @functools.cached_property
    def _split(self) -> tuple[np.ndarray, np.ndarray]:
        m = self.measure.m
        return self.moments[:m], self._dual(self.moments[m:].reshape(m, m))

    def _dual(self, moments: np.ndarray) -> np.ndarray:
        """Coefficients of the quadratic part from its moments, shape (m, m)."""
        if not isinstance(self.measure, Sphere):
            return np.triu(moments)
        d, m = self.measure.d, self.measure.m
        trace = np.trace(moments) * (d + 2.0) / (2.0 * (d - m)) if m < d else 0.0
        return (d + 2.0) / (2.0 * d) * moments + trace / d * np.eye(m)

    def __call__(self, w: np.ndarray) -> np.ndarray:
        linear, form = self._split
        if isinstance(self.measure, Sphere):
            return np.asarray(w @ linear + ((w @ form) * w).sum(axis=1) - np.trace(form))
        second = _second(self.measure, w) @ np.diag(form)
        return np.asarray(w @ linear + ((w @ np.triu(form, 1).T) * w).sum(axis=1) + second)

    def products(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Inner products of the parts of degree 1 and 2, from two independent estimates."""
        m = self.measure.m
        second = float((one[m:].reshape(m, m) * self._dual(other[m:].reshape(m, m))).sum())
        return np.array([float(one[:m] @ other[:m]), second])


def _second(measure: Measure, w: np.ndarray) -> np.ndarray:
    """pi_2 of every coordinate, orthonormal; zero where it is no function of its own."""
    assert isinstance(measure, Product)
    return np.stack([f.values(w[:, i], 2)[2] for i, f in enumerate(measure.factors)], axis=1)


def _low_parts(measure: Measure, label: Label, stream: int) -> np.ndarray:
    """Batch estimates of E f w and E f (quadratic), shape (batches, m + m^2)."""
    moments = []
    for w in batches(LOW_SAMPLES, measure, stream):
        y = label(w)
        form = w.T @ (y[:, None] * w) / len(w)
        if isinstance(measure, Sphere):
            form -= y.mean() * np.eye(measure.m)
        else:
            np.fill_diagonal(form, y @ _second(measure, w) / len(w))
        moments.append(np.concatenate([y @ w / len(w), form.ravel()]))
    return np.stack(moments)


def _paths(measure: Measure, label: Label, degrees: np.ndarray, even: bool) -> Iterator[np.ndarray]:
    """Batch estimates of the variance of each of ``degrees``."""
    if isinstance(measure, Sphere):
        return _linear_paths(_sphere_pairs(measure), label, degrees, even, measure.d)
    if isinstance(measure, Product):
        if measure.gaussian:
            return _linear_paths(_gaussian_pairs(measure), label, degrees, even, None)
        if all(f == HERMITE for f in measure.factors[1:]):
            return _first_by_quadrature(measure, label, degrees)
        if all(f in (LEGENDRE, TWO_POINT) for f in measure.factors):
            return _coordinatewise(measure, label, degrees, even)
    raise NotImplementedError(f"no semigroup known for {measure}")


def _nodes(degrees: np.ndarray, even: bool) -> np.ndarray:
    nodes = np.cos(np.pi * np.arange(len(degrees)) / max(len(degrees) - 1, 1))
    return np.sqrt((1.0 + nodes) / 2.0) if even else nodes


def _gaussian_pairs(measure: Product) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    rng, noise = generator(_STREAM), generator(_NOISE)
    for _ in range(SAMPLES // BATCH):
        yield rng.standard_normal((BATCH, measure.m)), noise.standard_normal((BATCH, measure.m))


def _sphere_pairs(measure: Sphere) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Draw a point, and an independent one orthogonal to it: their first m coordinates."""
    rng, d = generator(_STREAM), measure.d
    for _ in range(SAMPLES // BATCH):
        x, v = rng.standard_normal((2, BATCH, d))
        x *= (math.sqrt(d) / np.linalg.norm(x, axis=1))[:, None]
        v -= (np.einsum("ni,ni->n", x, v) / d)[:, None] * x
        v *= (math.sqrt(d) / np.linalg.norm(v, axis=1))[:, None]
        yield x[:, : measure.m], v[:, : measure.m]


def _linear_paths(
    pairs: Iterator[tuple[np.ndarray, np.ndarray]],
    label: Label,
    degrees: np.ndarray,
    even: bool,
    sphere: int | None,
) -> Iterator[np.ndarray]:
    """x_t = t x + sqrt(1 - t^2) x'.

    Averaged over the sign of x', the product is for every single pair (x, x') a polynomial of
    the target's degree in t: solving for its coefficients amplifies no sampling error.
    """
    t = _nodes(degrees, even)
    s = np.sqrt(1.0 - t**2)
    powers = t[:, None] ** degrees if sphere is None else gegenbauer(t, int(degrees[-1]), sphere)[:, degrees]
    inverse = np.linalg.inv(powers)
    for x, other in pairs:
        y = label(x)
        row = []
        for a, b in zip(t.tolist(), s.tolist(), strict=True):
            moved = label(a * x + b * other)
            if b > 0:
                moved = (moved + label(a * x - b * other)) / 2.0
            row.append(float(y @ moved) / len(y))
        yield inverse @ row


def gegenbauer(t: np.ndarray, degree: int, d: int) -> np.ndarray:
    """Zonal harmonics of degree 0 to ``degree`` on the sphere in R^d, 1 at t = 1; (n,) -> (n, degree + 1).

    (l + d - 2) P_{l+1} = (2l + d - 2) t P_l - l P_{l-1}.
    """
    harmonics = [np.ones_like(t), t]
    for k in range(1, degree):
        harmonics.append(((2 * k + d - 2) * t * harmonics[-1] - k * harmonics[-2]) / (k + d - 2))
    return np.stack(harmonics[: degree + 1], axis=1)


def _first_by_quadrature(measure: Product, label: Label, degrees: np.ndarray) -> Iterator[np.ndarray]:
    """One coordinate by Gauss quadrature, exactly; the Gaussian ones as above.

    f(v, g) = sum_a phi_a(v) f_a(g): the part of degree a in v and p in g has degree a + p.
    """
    degree = int(degrees[-1])
    first = measure.factors[0]
    v, weights = first.quadrature(degree + 1)
    phi = first.values(v, degree) * weights  # (a, node)
    every = np.arange(degree + 1)
    t = _nodes(every, False)
    inverse = np.linalg.inv(t[:, None] ** every)
    rng, noise = generator(_STREAM), generator(_NOISE)

    def coefficients(g: np.ndarray) -> np.ndarray:
        values = [label(np.concatenate([np.full((len(g), 1), node), g], axis=1)) for node in v]
        return np.asarray(phi @ np.stack(values))

    for _ in range(SAMPLES // BATCH):
        g, other = (r.standard_normal((BATCH // 4, measure.m - 1)) for r in (rng, noise))
        f = coefficients(g)
        stability = np.empty((len(t), degree + 1))
        for i, (a, b) in enumerate(zip(t.tolist(), np.sqrt(1.0 - t**2).tolist(), strict=True)):
            moved = coefficients(a * g + b * other)
            if b > 0:
                moved = (moved + coefficients(a * g - b * other)) / 2.0
            stability[i] = np.einsum("an,an->a", f, moved) / len(g)
        parts = inverse @ stability  # (p, a)
        total = np.zeros(degree + 1)
        for p, a in np.ndindex(*parts.shape):
            if p + a <= degree:
                total[p + a] += parts[p, a]
        yield total[degrees]


def _coordinatewise(measure: Product, label: Label, degrees: np.ndarray, even: bool) -> Iterator[np.ndarray]:
    """Independent coordinates, each moved so that its polynomial of degree p gains t^p.

    A uniform coordinate is a coordinate of a uniform point on the sphere in R^3 (Archimedes),
    where the Poisson kernel has these eigenvalues and the angle it moves by an explicit law
    (Henyey & Greenstein, Astrophys. J. 93, 1941); a sign is kept with probability (1 + t) / 2.
    The paths are no polynomials in t, so that the standard errors are larger than above.
    """
    t = _nodes(degrees, even)
    inverse = np.linalg.inv(t[:, None] ** degrees)
    rng, noise = generator(_STREAM), generator(_NOISE)
    uniform = np.array([f == LEGENDRE for f in measure.factors])
    for _ in range(SAMPLES // BATCH):
        x = measure.sample(BATCH, rng)
        u = noise.random(x.shape)
        azimuth = np.cos(np.pi * noise.random(x.shape))
        y = label(x)
        row = []
        for r in t.tolist():
            moved = sum(label(_moved(x, u, sign * azimuth, r, uniform)) for sign in (1.0, -1.0))
            row.append(float(y @ moved) / (2 * len(y)))
        yield inverse @ row


def _moved(x: np.ndarray, u: np.ndarray, azimuth: np.ndarray, t: float, uniform: np.ndarray) -> np.ndarray:
    r = abs(t)
    result = np.where(u < (1.0 + r) / 2.0, x, -x)
    if uniform.any():
        if r < 1e-6:
            cosine = 2.0 * u - 1.0
        elif r == 1.0:
            cosine = np.ones_like(u)
        else:
            cosine = (1.0 + r * r - ((1.0 - r * r) / (1.0 - r + 2.0 * r * u)) ** 2) / (2.0 * r)
        z = x / math.sqrt(3.0)
        sine = np.sqrt(np.maximum((1.0 - z * z) * (1.0 - cosine * cosine), 0.0))
        result = np.where(uniform, math.sqrt(3.0) * (z * cosine + sine * azimuth), result)
    return np.asarray(math.copysign(1.0, t) * result)
