"""Share of variance by degree from noise stability, where the polynomial algebra does not reach.

For a law with a semigroup x -> x_t that multiplies every polynomial part of degree p by t^p,
E f(x) f(x_t) = sum_p t^p share_p (O'Donnell, Analysis of Boolean Functions, ch. 11, for
Gaussian and Boolean inputs).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from targets.base import Estimate
from targets.measures import Measure, Product, Sphere
from targets.orthogonal import HERMITE, LEGENDRE, TWO_POINT
from targets.sampling import BATCH, generator, jackknife

SAMPLES = 2**18
_STREAM, _NOISE = 102, 103

Label = Callable[[np.ndarray], np.ndarray]


def sampled_shares(measure: Measure, label: Label, degree: int, even: bool) -> dict[int, Estimate]:
    """Share of variance of each degree >= 1, with jackknife standard errors.

    Parameters
    ----------
    measure : Measure
    label : callable (n, m) -> (n,)
        A polynomial of at most this degree.
    degree : int
    even : bool
        Whether it has parts of even degree only.
    """
    degrees = np.arange(0, degree + 1, 2 if even else 1)
    if isinstance(measure, Sphere):
        rows = _linear_paths(_sphere_pairs(measure), label, degrees, even, measure.d)
    elif isinstance(measure, Product) and measure.gaussian:
        rows = _linear_paths(_gaussian_pairs(measure), label, degrees, even, None)
    elif isinstance(measure, Product) and all(f is HERMITE for f in measure.factors[1:]):
        rows = _first_by_quadrature(measure, label, degree)
        degrees = np.arange(degree + 1)
    elif isinstance(measure, Product) and all(f in (LEGENDRE, TWO_POINT) for f in measure.factors):
        rows = _coordinatewise(measure, label, degrees, even)
    else:
        raise NotImplementedError(f"no semigroup known for {measure}")

    def shares(coefficients: np.ndarray) -> np.ndarray:
        return np.asarray(coefficients[1:] / coefficients[1:].sum())

    value, stderr = jackknife(np.stack(list(rows)), shares)
    return {int(p): Estimate(float(v), float(e)) for p, v, e in zip(degrees[1:], value, stderr, strict=True)}


def _nodes(degrees: np.ndarray, even: bool) -> np.ndarray:
    nodes = np.cos(np.pi * np.arange(len(degrees)) / max(len(degrees) - 1, 1))
    return np.sqrt((1.0 + nodes) / 2.0) if even else nodes


def _gaussian_pairs(measure: Product) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    rng, noise = generator(_STREAM), generator(_NOISE)
    for _ in range(SAMPLES // BATCH):
        yield rng.standard_normal((BATCH, measure.m)), noise.standard_normal((BATCH, measure.m))


def _sphere_pairs(measure: Sphere) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """A point, and an independent one orthogonal to it: their first m coordinates."""
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

        def stability(a: float, b: float, x=x, other=other, y=y) -> float:  # type: ignore[no-untyped-def]
            signs = (1.0, -1.0) if b > 0 else (1.0,)
            return math.fsum(float(y @ label(a * x + sign * b * other)) for sign in signs) / (
                len(signs) * len(y)
            )

        yield inverse @ [stability(a, b) for a, b in zip(t, s, strict=True)]


def gegenbauer(t: np.ndarray, degree: int, d: int) -> np.ndarray:
    """Zonal harmonics of degree 0 to ``degree`` on the sphere in R^d, 1 at t = 1; (n,) -> (n, degree + 1).

    (l + d - 2) P_{l+1} = (2l + d - 2) t P_l - l P_{l-1}.
    """
    found = [np.ones_like(t), t]
    for k in range(1, degree):
        found.append(((2 * k + d - 2) * t * found[-1] - k * found[-2]) / (k + d - 2))
    return np.stack(found[: degree + 1], axis=1)


def _first_by_quadrature(measure: Product, label: Label, degree: int) -> Iterator[np.ndarray]:
    """One coordinate by Gauss quadrature, exactly; the Gaussian ones as above.

    f(v, g) = sum_a phi_a(v) f_a(g): the part of degree a in v and p in g has degree a + p.
    """
    first = measure.factors[0]
    v, weights = first.quadrature(degree + 1)
    phi = first.values(v, degree) * weights  # (a, node)
    degrees = np.arange(degree + 1)
    t = _nodes(degrees, False)
    inverse = np.linalg.inv(t[:, None] ** degrees)
    rng, noise = generator(_STREAM), generator(_NOISE)

    def coefficients(g: np.ndarray) -> np.ndarray:
        values = [label(np.concatenate([np.full((len(g), 1), node), g], axis=1)) for node in v]
        return np.asarray(phi @ np.stack(values))

    for _ in range(max(SAMPLES // BATCH // 4, 8)):
        g, other = (r.standard_normal((BATCH // 2, measure.m - 1)) for r in (rng, noise))
        f = coefficients(g)
        stability = np.empty((len(t), degree + 1))
        for i, (a, b) in enumerate(zip(t, np.sqrt(1.0 - t**2), strict=True)):
            signs = (1.0, -1.0) if b > 0 else (1.0,)
            moved = sum(coefficients(a * g + sign * b * other) for sign in signs) / len(signs)
            stability[i] = np.einsum("an,an->a", f, moved) / len(g)
        parts = inverse @ stability  # (p, a)
        total = np.zeros(degree + 1)
        for p, a in np.ndindex(*parts.shape):
            if p + a <= degree:
                total[p + a] += parts[p, a]
        yield total


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
    uniform = np.array([f is LEGENDRE for f in measure.factors])
    for _ in range(SAMPLES // BATCH):
        x = measure.sample(BATCH, rng)
        u = noise.random(x.shape)
        azimuth = np.cos(np.pi * noise.random(x.shape))
        y = label(x)
        row = []
        for r in t:
            values = [label(_moved(x, u, sign * azimuth, float(r), uniform)) for sign in (1.0, -1.0)]
            row.append(float(y @ (values[0] + values[1])) / (2 * len(y)))
        yield inverse @ row


def _moved(x: np.ndarray, u: np.ndarray, azimuth: np.ndarray, t: float, uniform: np.ndarray) -> np.ndarray:
    r = abs(t)
    result = np.where(u < (1.0 + r) / 2.0, x, -x)
    if uniform.any():
        if r < 1e-6:
            cosine = 2.0 * u - 1.0
        else:
            cosine = (1.0 + r * r - ((1.0 - r * r) / (1.0 - r + 2.0 * r * u)) ** 2) / (2.0 * r)
        if r == 1.0:
            cosine = np.ones_like(u)
        z = x / math.sqrt(3.0)
        sine = np.sqrt(np.maximum((1.0 - z * z) * (1.0 - cosine * cosine), 0.0))
        result = np.where(uniform, math.sqrt(3.0) * (z * cosine + sine * azimuth), result)
    return np.asarray(math.copysign(1.0, t) * result)
