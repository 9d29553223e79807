"""A target as a finite weighted least-squares problem: what learners meet when n tends to infinity."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from hierbench.errors import UserError, refusal
from hierbench.targets.laws.measures import Product

if TYPE_CHECKING:
    from hierbench.targets.quadratic.hierarchy import Hierarchy

MAX_NODES = 200_000
"""Largest number of quadrature nodes: Jacobians of that many rows still fit in a few hundred MB."""


@dataclasses.dataclass(frozen=True, eq=False)
class Population:
    """All that learners can see of a target, on the nodes of a quadrature (or on a sample).

    Attributes
    ----------
    base : array of shape (N, q)
        What the lowest trained level reads: the coordinates of x that y depends on
        ("projected"), or the normalised squares h_1 ("squares", unrotated or with its rotation given).
    weights : array of shape (N,)
        Sum to 1.
    y : array of shape (N,)
    features : tuple of arrays of shape (N, k)
        The true s_l of the trained levels, lowest first.
    variance : float
        Of y.
    """

    base: np.ndarray
    weights: np.ndarray
    y: np.ndarray
    features: tuple[np.ndarray, ...]
    variance: float

    @functools.cached_property
    def root(self) -> np.ndarray:
        """Square roots of the weights as a column, shape (N, 1)."""
        return np.asarray(np.sqrt(self.weights)[:, None])

    @functools.cached_property
    def quadratics(self) -> np.ndarray:
        """1, b_i and b_i b_j (i <= j) for the base b, shape (N, 1 + q + q(q+1)/2)."""
        ones = np.ones((len(self.base), 1))
        return np.concatenate([ones, self.base, products(self.base)], axis=1)

    @functools.cached_property
    def quadratic_span(self) -> np.ndarray:
        """Orthonormal columns for the weighted ``quadratics``."""
        return orthonormal(self.quadratics * self.root)


def products(S: np.ndarray) -> np.ndarray:
    """All S_i S_j with i <= j, shapes (n, k) -> (n, k(k+1)/2)."""
    i, j = np.triu_indices(S.shape[1])
    return S[:, i] * S[:, j]


def symmetric(coefficients: np.ndarray, q: int) -> np.ndarray:
    """The matrix of the form sum_{i<=j} c_ij b_i b_j, shapes (q(q+1)/2,) -> (q, q)."""
    form = np.zeros((q, q))
    i, j = np.triu_indices(q)
    form[i, j] = coefficients / 2.0
    return form + form.T


def orthonormal(columns: np.ndarray) -> np.ndarray:
    """Orthonormal columns that span those given, up to a relative 1e-11."""
    norms = np.linalg.norm(columns, axis=0)
    u, s, _ = np.linalg.svd(columns / np.where(norms > 0, norms, 1.0), full_matrices=False)
    return np.asarray(u[:, s > 1e-11 * s[0]])


def span_sine(truth: np.ndarray, learned: np.ndarray) -> float:
    """Root mean square sine of the principal angles from span(truth) to span(learned).

    Columns are vectors (of functions: weighted by the roots of the weights). From the residual,
    which keeps the digits that 1 - cos^2 would lose near zero (Bjorck & Golub, Math. Comp. 27, 1973).
    """
    a, b = orthonormal(truth), orthonormal(learned)
    rest = a - b @ (b.T @ a)
    rest -= b @ (b.T @ rest)
    return float(np.linalg.norm(rest) / np.sqrt(a.shape[1]))


def trained_levels(target: Hierarchy) -> range:
    """Levels that are learned from the base: 1..L of "projected", 2..L of "squares"."""
    return range(target.first_output, target.depth + 1)


def population(target: Hierarchy, extra_nodes: int = 0) -> Population:
    """The exact population of a target: Gauss quadrature in the few coordinates it depends on.

    2^L + 1 nodes a coordinate make every inner product of polynomials of degree 2^L exact
    (Golub & Welsch, Math. Comp. 23, 1969).

    Parameters
    ----------
    target : Projected or Squares
    extra_nodes : int
        Nodes a coordinate beyond what exactness needs, to check that nothing depends on them.

    Raises
    ------
    UserError
        A target that is neither, inputs without independent coordinates (the sphere), or more
        than ``MAX_NODES`` nodes.
    """
    if not hasattr(target, "blueprint") or not hasattr(target, "first_output"):
        raise UserError(
            refusal(
                "target of an exact population",
                type(target).__name__,
                "targets of the families projected and squares",
            )
        )
    measure = target.blueprint.reduction.measure
    if not isinstance(measure, Product):
        raise UserError(
            refusal(
                "inputs",
                target.inputs,
                "gaussian, mixture, cube",
                "a quadrature needs independent coordinates",
            )
        )
    nodes = 2**target.depth + 1 + extra_nodes
    if nodes**measure.m > MAX_NODES:
        raise UserError(
            refusal(
                "number of nodes",
                nodes**measure.m,
                f"integers up to {MAX_NODES}",
                "lower the width or the depth (and d of squares)",
            )
        )
    rules = [factor.quadrature(nodes) for factor in measure.factors]
    points = np.stack([g.ravel() for g in np.meshgrid(*(p for p, _ in rules), indexing="ij")], axis=1)
    weights = functools.reduce(np.multiply.outer, [w for _, w in rules]).ravel()
    return _at(target, points, weights / weights.sum())


def sampled(target: Hierarchy, n: int, rng: np.random.Generator) -> Population:
    """The same from n independent draws of equal weight: the twin that checks the quadrature."""
    points = target.blueprint.reduction.measure.sample(n, rng)
    return _at(target, points, np.full(n, 1.0 / n))


def _at(target: Hierarchy, points: np.ndarray, weights: np.ndarray) -> Population:
    cascade = target.cascade
    z = points @ target.blueprint.reduction.matrix.T
    s = cascade.pre_activations(z)
    y = cascade.level_outputs(z).sum(axis=1) + cascade.intercept
    first = target.first_output
    base = z if first == 1 else _normalised_squares(target, s[0])
    variance = float(weights @ y**2 - (weights @ y) ** 2)
    return Population(base, weights, y, tuple(s[first - 1 :]), variance)


def _normalised_squares(target: Any, s: np.ndarray) -> np.ndarray:
    constants = target.constants.levels[1]
    mean, sd = (np.array([e.value for e in values]) for values in (constants.mean, constants.sd))
    return np.asarray((s**2 - mean) / sd)
