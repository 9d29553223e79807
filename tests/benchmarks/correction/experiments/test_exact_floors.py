"""Kernels in sequence at exact population, against a quadrature that knows nothing of the target's make."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss

from hierbench.benchmarks.correction.exact.floors import floors
from hierbench.benchmarks.correction.experiments.exact_floors import run, sequential
from hierbench.targets.registry import make_target

D, K, RHO = 6, 2, 0.5


def quadratic(u):
    i, j = np.triu_indices(u.shape[1])
    return np.concatenate([np.ones((len(u), 1)), u, u[:, i] * u[:, j]], axis=1)


@functools.cache
def twin(seed, alpha):
    """Spectrum of the best quadratic form, and the error that each reading leaves.

    The space that y depends on comes from its gradients (finite differences), the form from Stein's identity
    E[y (z z' - 1)] / 2, the second fit from an orthonormal basis of the weighted columns.
    """
    target = make_target("projected", D, seed, alpha=alpha, depth=2, width=K, rho=RHO)
    X, h = np.random.default_rng(11).standard_normal((200, D)), 1e-4
    gradients = [(target.evaluate(X + h * e) - target.evaluate(X - h * e)) / (2 * h) for e in np.eye(D)]
    sizes, space = np.linalg.svd(np.stack(gradients, axis=1))[1:]
    space = space[sizes > 1e-6 * sizes[0]]
    q = len(space)
    points, weights = hermegauss(7)
    z = np.array(list(itertools.product(points, repeat=q)))
    w = np.array([np.prod(c) for c in itertools.product(weights / weights.sum(), repeat=q)])
    y = target.evaluate(z @ space)

    def left(columns):
        weighted = columns * np.sqrt(w)[:, None]
        u, s, _ = np.linalg.svd(weighted / np.linalg.norm(weighted, axis=0), full_matrices=False)
        u = u[:, s > 1e-11 * s[0]]
        rest = y * np.sqrt(w)
        for _ in range(2):
            rest = rest - u @ (u.T @ rest)
        return float(rest @ rest) / float(w @ y**2 - (w @ y) ** 2)

    form = (np.einsum("n,ni,nj->ij", w * y, z, z) - (w @ y) * np.eye(q)) / 2
    values, vectors = np.linalg.eigh(form)
    order = np.argsort(-np.abs(values))
    found = {}
    for r in range(1, q + 1):
        p = z @ vectors[:, order[:r]]
        found[r] = left(quadratic(np.concatenate([z, quadratic(p)[:, 1 + r :]], axis=1)))
    fit = np.einsum("ni,ij,nj->n", z, form, z) + z @ (z.T @ (w * y))
    found[0] = left(quadratic(np.concatenate([z, fit[:, None]], axis=1)))
    return np.abs(values[order]), found


@pytest.mark.parametrize(("seed", "alpha"), [(0, 0.3), (3, 0.03)])
def test_both_readings(seed, alpha):
    spectrum, expected = twin(seed, alpha)
    found = {
        m.labels["directions"]: m.values["relative_mse"]
        for m in sequential(seed=seed, alphas=[alpha], directions=[K, len(spectrum)])
    }
    assert found[K] == pytest.approx(expected[K], rel=1e-4)
    assert found[0] == pytest.approx(expected[0], rel=1e-4)
    # all that the target depends on is handed on: a quartic is a quadratic of these products
    assert max(found[len(spectrum)], expected[len(spectrum)]) < 1e-26


@pytest.mark.parametrize("seed", [0, 3])
def test_k_directions_are_a_choice_that_the_spectrum_allows_and_k_plus_1_are_not(seed):
    """The k trailing eigenvalues are equal: which of their directions comes first is rounding."""
    spectrum, expected = twin(seed, 0.1)
    assert spectrum[K - 1] > 3 * spectrum[K]
    assert spectrum[K] == pytest.approx(spectrum[K + 1], rel=1e-8)
    assert expected[K] > expected[K + 1] > 1e-10


def test_floors_of_nets_are_those_of_floors():
    found = run(seed=2, alphas=[0.3], widths=[K], starts=[1], d=D, k=K, rho=RHO)
    expected = floors("projected", {"d": D, "width": K, "rho": RHO, "seed": 2}, (0.3,), (K,), (1,))
    assert [m.labels["method"] for m in found] == [r.method for r in expected]
    # the joint floor is zero here: what is left of it is rounding, which differs from call to call
    assert [m.values["relative_mse"] for m in found] == pytest.approx(
        [r.relative_mse for r in expected], rel=1e-9, abs=1e-20
    )
    by_method = {m.labels["method"]: m.values["relative_mse"] for m in found}
    assert by_method["joint"] <= by_method["refitted"] <= by_method["strict"] * (1 + 1e-9)
