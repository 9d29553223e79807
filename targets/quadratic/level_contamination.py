"""Contamination of every lower level of a hierarchical target."""

from __future__ import annotations

import numpy as np

from hierbench.targets.algebra.terms import Polynomial, TooManyTermsError, mapped, merged
from hierbench.targets.base import Estimate
from hierbench.targets.certificates.contamination import (
    MAX_SAMPLED_PRODUCTS,
    FeaturesAndRest,
    exact_sine,
    independent_form,
    sampled_form_sine,
    sampled_independent_sine,
    subspace_sine,
)
from hierbench.targets.laws.measures import Product, Sphere
from hierbench.targets.laws.sampling import batches
from hierbench.targets.quadratic.normalise import Blueprint, Normalised

SAMPLES = 2**20
_STREAM = 106


def contaminations(blueprint: Blueprint, normalised: Normalised) -> dict[int, Estimate]:
    """Of the levels that reach y, but for the top one, which nothing contaminates.

    A level is left out where its least-squares problem is too large both to solve exactly and
    to sample (level 2 of "squares" on inputs that are not standard Gaussian, at large d).
    """
    lower = [level for level in blueprint.alphas if level < blueprint.depth]
    sines = {}
    for level in lower or list(blueprint.alphas):
        sine = _of_level(blueprint, normalised, level)
        if sine is not None:
            sines[level] = sine
    return sines


def _of_level(blueprint: Blueprint, normalised: Normalised, level: int) -> Estimate | None:
    spectrum, reduction = normalised.spectrum, blueprint.reduction
    sources = sorted(j for i, j in blueprint.weights if i == level)
    rows = np.concatenate([blueprint.weights[level, j] for j in sources], axis=1)
    if level == 1 and spectrum is not None:
        # All of x, not only what y depends on: on a cube the best form may reach further.
        assert blueprint.basis is not None
        form = reduction.coordinates.T @ spectrum.quadratic @ reduction.coordinates
        constant_norm = isinstance(reduction.measure, Sphere)
        return Estimate(subspace_sine(form, rows @ blueprint.basis, constant_norm))
    if _squares_of_independent_gaussians(blueprint, sources):
        return _in_squares(blueprint, normalised, rows)
    if spectrum is not None:
        try:
            u = _features(normalised, sources)
            return Estimate(exact_sine(u, _rest(normalised, level), rows, reduction.measure))
        except TooManyTermsError:
            pass
    if rows.shape[1] * (rows.shape[1] + 1) // 2 > MAX_SAMPLED_PRODUCTS:
        return None
    basis = blueprint.basis if level == 1 else None
    functions = _sampler(blueprint, normalised, level, sources)
    return sampled_form_sine(functions, rows, reduction.measure, basis)


def _squares_of_independent_gaussians(blueprint: Blueprint, sources: list[int]) -> bool:
    measure, matrix = blueprint.reduction.measure, blueprint.reduction.matrix
    return (
        sources == [1]
        and (1, 0) not in blueprint.weights
        and isinstance(measure, Product)
        and measure.gaussian
        and np.array_equal(matrix, np.eye(len(matrix)))
    )


def _in_squares(blueprint: Blueprint, normalised: Normalised, rows: np.ndarray) -> Estimate:
    """Level 2 reading u_i = (z_i^2 - 1) / sqrt(2): they are independent, so that there is a formula."""
    if normalised.in_squares is not None:
        return Estimate(subspace_sine(normalised.in_squares, rows))
    cascade = normalised.cascade
    forms = []
    for Z in batches(SAMPLES, blueprint.reduction.measure, _STREAM):
        forms.append(independent_form(Z, cascade.level_outputs(Z).sum(axis=1) + cascade.intercept))
    return sampled_independent_sine(forms, rows)


def _features(normalised: Normalised, sources: list[int]) -> Polynomial:
    """Features u = (h_j, j in sources), side by side."""
    parts, start = [], 0
    widths = [normalised.polynomials[j].coefficients.shape[1] for j in sources]
    place = np.eye(sum(widths))
    for j, width in zip(sources, widths, strict=True):
        columns = place[:, start : start + width]
        p = normalised.polynomials[j]
        if j > 0:
            constants = normalised.constants.levels[j]
            sd = np.array([e.value for e in constants.sd])
            mean = Polynomial.of_constant(np.array([-e.value for e in constants.mean]) / sd, p.n_variables)
            p = merged([mapped(p, np.diag(1.0 / sd)), mean])
        parts.append(mapped(p, columns))
        start += width
    return merged(parts)


def _rest(normalised: Normalised, level: int) -> Polynomial:
    outputs = normalised.cascade.outputs
    return merged([mapped(normalised.polynomials[i], a[None, :]) for i, a in outputs.items() if i >= level])


def _sampler(blueprint: Blueprint, normalised: Normalised, level: int, sources: list[int]) -> FeaturesAndRest:
    cascade, matrix = normalised.cascade, blueprint.reduction.matrix

    def functions(W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        Z = W @ matrix.T
        squares = [Z, *(np.square(s) for s in cascade.pre_activations(Z))]
        parts = []
        for j in sources:
            if j == 0:
                parts.append(Z)
                continue
            constants = normalised.constants.levels[j]
            mean, sd = (np.array([e.value for e in v]) for v in (constants.mean, constants.sd))
            parts.append((squares[j] - mean) / sd)
        rest = sum(squares[i] @ a for i, a in cascade.outputs.items() if i >= level)
        return np.concatenate(parts, axis=1), np.asarray(rest)

    return functions
