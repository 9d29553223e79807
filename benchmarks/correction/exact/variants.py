"""What happens between two fits of the top level: rounds that correct, and rounds that do not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from hierbench.benchmarks.correction.exact.nested import level_inputs, squares
from hierbench.benchmarks.correction.exact.population import Population, orthonormal, products, symmetric
from hierbench.benchmarks.correction.exact.solve import (
    Fit,
    aligned,
    best_form,
    fit_all,
    fit_squares,
    leading_rows,
    linear_fit,
    spectral_start,
)

RANDOM_STARTS = 12
"""Of a fresh level at its true width: a half to three quarters of them end at the least loss."""


@dataclasses.dataclass(frozen=True, eq=False)
class Stage:
    """Narrow weights of the levels shown, and the relative MSE of the model so far."""

    name: str
    narrow: tuple[np.ndarray, ...]
    mse: float


def _starts(
    data: Population, K: Sequence[np.ndarray], k: int, below: Sequence[np.ndarray], labels: np.ndarray
) -> list[list[np.ndarray]]:
    """Starts for a fresh top level: the spectral one, and random ones of its size (fixed seed)."""
    first = spectral_start(data, labels, level_inputs(data, K)[-1], k)
    rng = np.random.default_rng(0)
    size = np.sqrt(np.mean(np.square(first)))
    draws = [size * rng.standard_normal(first.shape) for _ in range(RANDOM_STARTS)]
    return [[*below, w] for w in (first, *draws)]


def fit_fresh(data: Population, K: Sequence[np.ndarray], k: int, below: Sequence[np.ndarray] = ()) -> Fit:
    """Fit a fresh top level of width k on narrow features K, jointly with all below; the best of its starts.

    Minima at the true width are genuine, so that one start is not enough.
    """
    return fit_squares(data, K, _starts(data, K, k, below, data.y))


def _lower_form(data: Population, fit: Fit) -> np.ndarray:
    q = data.base.shape[1]
    return symmetric(fit.linear[1 + q :], q)


def corrected(data: Population, k: int, rounds: tuple[int, ...]) -> Iterator[Stage]:
    """Fit forms and top level jointly with narrow features fixed, then pass the forms' new ones up."""
    yield from _staged(data, k, rounds, update=True)


def frozen(data: Population, k: int, rounds: tuple[int, ...]) -> Iterator[Stage]:
    """Layer-wise: narrow features stay as they were first found; all read-outs are refitted."""
    yield from _staged(data, k, rounds, update=False)


def _staged(data: Population, k: int, rounds: tuple[int, ...], update: bool) -> Iterator[Stage]:
    form, _, mse = best_form(data, data.y)
    K = [leading_rows(form, k)]
    fit: Fit | None = None
    for added, repeats in enumerate(rounds):
        if fit is not None:
            K = [*K, fit.W[-1]]
        for _ in range(repeats):
            yield Stage("lower", tuple(K), mse)
            if fit is None or len(fit.W) == added:
                fit = fit_fresh(data, K, k, () if fit is None else fit.W)
            else:
                fit = fit_squares(data, K, [fit.W])
            mse = fit.mse
            yield Stage("upper", (*K, fit.W[-1]), mse)
            if update:
                K = [aligned(leading_rows(_lower_form(data, fit), k), K[0]), *fit.W[:-1]]


def strict(data: Population, k: int, rounds: tuple[int, ...]) -> Iterator[Stage]:
    """Layer-wise, strictly frozen: each level is fitted to what those below, read-outs too, leave of y."""
    form, coefficients, mse = best_form(data, data.y)
    K = [leading_rows(form, k)]
    rest = data.y - data.quadratics @ coefficients
    constant, root = _constant(data)
    for repeats in rounds:
        fit = fit_squares(data, K, _starts(data, K, k, (), rest), labels=rest, span=root, linear=constant)
        for _ in range(repeats):
            yield Stage("lower", tuple(K), mse)
            yield Stage("upper", (*K, fit.W[-1]), fit.mse)
        mse, rest = fit.mse, rest - _top_output(data, fit) - fit.linear[0]
        K = [*K, fit.W[-1]]


def residual(data: Population, k: int, rounds: tuple[int, ...]) -> Iterator[Stage]:
    """Residual alternation: each level in turn is refitted to what the other, frozen, leaves of y."""
    form, coefficients, mse = best_form(data, data.y)
    K = [leading_rows(form, k)]
    lower = data.quadratics @ coefficients
    constant, root = _constant(data)
    W: tuple[np.ndarray, ...] = ()
    for _ in range(rounds[0]):
        yield Stage("lower", tuple(K), mse)
        rest = data.y - lower
        starts = [W] if W else _starts(data, K, k, (), rest)
        fit = fit_squares(data, K, starts, labels=rest, span=root, linear=constant)
        W, mse = fit.W, fit.mse
        yield Stage("upper", (*K, W[0]), mse)
        form, coefficients, mse = best_form(data, data.y - _top_output(data, fit))
        lower = data.quadratics @ coefficients
        K = [aligned(leading_rows(form, k), K[0])]


def frozen_top(data: Population, k: int, rounds: tuple[int, ...]) -> Iterator[Stage]:
    """The narrow features are trained through the frozen top; read-outs and top are refitted after."""
    form, _, mse = best_form(data, data.y)
    K = [leading_rows(form, k)]
    fit: Fit | None = None
    for _ in range(rounds[0]):
        yield Stage("lower", tuple(K), mse)
        fit = fit_fresh(data, K, k) if fit is None else fit_squares(data, K, [fit.W])
        yield Stage("upper", (*K, fit.W[0]), fit.mse)
        below = data.y - data.quadratics @ fit.linear
        moved = fit_all(data, K, fit.W, train_W=False, labels=below, span=_none(data))
        K, mse = [*moved.K], moved.mse


def tied(data: Population, k: int, rounds: tuple[int, ...]) -> Iterator[Stage]:
    """A narrow net without a wide half, by block descent: upper weights, then K_1 through all of it."""
    form, _, mse = best_form(data, data.y)
    K = [leading_rows(form, k)]
    W: tuple[np.ndarray, ...] = ()
    for _ in range(rounds[0]):
        yield Stage("lower", tuple(K), mse)
        u = level_inputs(data, K)[-1].u
        columns = np.concatenate([np.ones((len(u), 1)), u], axis=1)
        starts = [W] if W else _starts(data, K, k, (), data.y)
        fit = fit_squares(data, K, starts, span=orthonormal(columns * data.root), linear=columns)
        W = fit.W
        yield Stage("upper", (*K, W[0]), fit.mse)
        below = data.y - fit.linear[0]
        moved = fit_all(
            data, K, W, train_W=False, labels=below, span=_none(data), products_readout=fit.linear[1:]
        )
        K, mse = [*moved.K], moved.mse


def wide(data: Population, k: int, rounds: tuple[int, ...]) -> Iterator[Stage]:
    """The top level is a wide one, hence any quadratic form in what it reads, without distillation.

    It holds the forms of the lower level too, so that nothing says which of the two they belong to:
    gradient descent from zero divides them evenly, and K_1 is taken from the lower half.
    """
    form, _, mse = best_form(data, data.y)
    K = [leading_rows(form, k)]
    q = data.base.shape[1]
    for _ in range(rounds[0]):
        yield Stage("lower", tuple(K), mse)
        u = level_inputs(data, K)[-1].u
        p = u.shape[1]
        columns = np.concatenate([products(u), u, np.ones((len(u), 1))], axis=1)
        solution, mse = linear_fit(data, columns, data.y)
        whole = symmetric(solution[: p * (p + 1) // 2], p)
        top = np.concatenate([np.zeros((k, q)), leading_rows(whole[q:, q:], k)], axis=1)
        top[:, :q] = np.linalg.pinv(top[:, q:].T) @ whole[q:, :q]
        yield Stage("upper", (*K, top), mse)
        K = [aligned(leading_rows(whole[:q, :q], k), K[0])]


def joint(data: Population, k: int, rounds: tuple[int, ...]) -> Iterator[Stage]:
    """After the first fit all narrow and upper weights are trained together, to convergence."""
    form, _, mse = best_form(data, data.y)
    K = [leading_rows(form, k)]
    fit = fit_fresh(data, K, k)
    yield Stage("lower", tuple(K), mse)
    yield Stage("upper", (*K, fit.W[0]), fit.mse)
    for _ in range(rounds[0] - 1):
        fit = fit_all(data, fit.K, fit.W)
        yield Stage("lower", fit.K, fit.mse)
        yield Stage("upper", (*fit.K, fit.W[0]), fit.mse)


def _top_output(data: Population, fit: Fit) -> np.ndarray:
    return squares(level_inputs(data, fit.K)[-1], fit.W[-1])[0]


def _constant(data: Population) -> tuple[np.ndarray, np.ndarray]:
    """The constant as a column, and weighted: the only linear part of a level fitted alone."""
    return np.ones((len(data.y), 1)), data.root / np.linalg.norm(data.root)


def _none(data: Population) -> np.ndarray:
    return np.zeros((len(data.y), 0))


Variant = Callable[[Population, int, tuple[int, ...]], Iterator[Stage]]

SCHEDULES: Mapping[str, tuple[Variant, str]] = {
    "corrected": (corrected, "lower features are taken again from forms fitted jointly with the top level"),
    "frozen": (frozen, "layer-wise: features stay as first found, read-outs are refitted"),
    "strict": (strict, "layer-wise: each level is fitted to the residual of those below, all frozen"),
    "residual": (residual, "each level in turn is refitted to the residual of the other"),
    "frozen-top": (frozen_top, "lower features are trained through the frozen top level"),
    "tied": (tied, "a narrow net without a wide half, by block descent"),
    "wide": (wide, "the top level is wide, and not distilled"),
    "joint": (joint, "all weights are trained together after the first fit"),
}
