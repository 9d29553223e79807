"""Second-order fits on a population: Levenberg-Marquardt with the linear part projected out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import least_squares

from hierbench.benchmarks.correction.exact.nested import Inputs, level_inputs, squares
from hierbench.benchmarks.correction.exact.population import Population, products, symmetric

TOLERANCE = 1e-15
MAX_EVALUATIONS = 400


@dataclasses.dataclass(frozen=True, eq=False)
class Fit:
    """A fitted model.

    K : narrow weights; W : weights of the squares of levels 2, ..., t;
    linear : coefficients of the linear part; mse : relative to Var y.
    """

    K: tuple[np.ndarray, ...]
    W: tuple[np.ndarray, ...]
    linear: np.ndarray
    mse: float


def best_form(population: Population, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Least squares of the labels on all quadratic polynomials of the base.

    Returns
    -------
    form : (q, q), its quadratic part; coefficients : of ``population.quadratics``; mse : relative to Var y
    """
    solution, mse = linear_fit(population, population.quadratics, labels)
    q = population.base.shape[1]
    return symmetric(solution[1 + q :], q), solution, mse


def linear_fit(population: Population, columns: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, float]:
    """Weighted least squares (of minimal norm on columns of unit variance), and its relative MSE."""
    weighted = columns * population.root
    norms = np.linalg.norm(weighted, axis=0)
    weighted = weighted / np.where(norms > 0, norms, 1.0)
    y = labels * population.root[:, 0]
    solution = np.linalg.lstsq(weighted, y, rcond=1e-12)[0]
    # A second pass on the residual: from the digits of the solution to those of the labels.
    solution = solution + np.linalg.lstsq(weighted, y - weighted @ solution, rcond=1e-12)[0]
    mse = float(np.square(y - weighted @ solution).sum()) / population.variance
    return solution / np.where(norms > 0, norms, 1.0), mse


def leading_rows(form: np.ndarray, k: int) -> np.ndarray:
    """The k eigenvectors of largest absolute eigenvalue as rows, shape (k, q)."""
    values, vectors = np.linalg.eigh(form)
    return np.asarray(vectors[:, np.argsort(-np.abs(values))[:k]].T)


def aligned(rows: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The basis of span(rows), both orthonormal, that is nearest to ``reference`` (Procrustes)."""
    u, _, vt = np.linalg.svd(reference @ rows.T)
    return np.asarray(u @ vt @ rows)


def spectral_start(population: Population, labels: np.ndarray, inputs: Inputs, k: int) -> np.ndarray:
    """A first rank-k guess of the top squares |W u|^2, from the full quadratic form in u.

    The form's block on the newest products is W_new^T W_new, its block beside it W_new^T W_rest.
    """
    u = inputs.u
    p = u.shape[1]
    newest = slice(p - k * (k + 1) // 2, p)
    solution, _ = linear_fit(
        population, np.concatenate([products(u), u, np.ones((len(u), 1))], axis=1), labels
    )
    form = symmetric(solution[: p * (p + 1) // 2], p)
    values, vectors = np.linalg.eigh(form[newest, newest])
    top = np.argsort(-values)[:k]
    new = np.sqrt(np.maximum(values[top], 1e-6))[:, None] * vectors[:, top].T
    rest = np.linalg.lstsq(new.T, form[newest, : newest.start], rcond=1e-8)[0]
    return np.concatenate([rest, new], axis=1)


def fit_squares(
    population: Population,
    K: Sequence[np.ndarray],
    starts: Sequence[Sequence[np.ndarray]],
    *,
    labels: np.ndarray | None = None,
    span: np.ndarray | None = None,
    linear: np.ndarray | None = None,
) -> Fit:
    """Fit q + sum_l |W_l u_l|^2 with the narrow weights K fixed; the best of several starts.

    q is the best element of a linear space for each W: it is projected out, so that only W is
    searched for (variable projection; Golub & Pereyra, SIAM J. Numer. Anal. 10, 1973).

    Parameters
    ----------
    population : Population
    K : narrow weights of levels 1, ..., t - 1
    starts : each one the W_2, ..., W_t to begin with; fewer are those of the topmost levels
    labels : array of shape (N,), optional
        y by default.
    span, linear : arrays of shape (N, r) and (N, r'), optional
        Orthonormal weighted columns of the linear space, and the columns its coefficients are for;
        all quadratic polynomials of the base by default. An empty span fits the squares alone.
    """
    labels = population.y if labels is None else labels
    span = population.quadratic_span if span is None else span
    linear = population.quadratics if linear is None else linear
    inputs = level_inputs(population, K)[-len(starts[0]) :]
    root = population.root
    target = project(labels[:, None] * root, span)[:, 0]

    def split(theta: np.ndarray) -> list[np.ndarray]:
        return unpacked(theta, [w.shape for w in starts[0]])

    def evaluate(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        terms = [squares(u, w) for u, w in zip(inputs, split(theta), strict=True)]
        total = sum(f for f, _, _ in terms)
        jacobian = np.concatenate([by_w for _, by_w, _ in terms], axis=1)
        both = project(np.concatenate([np.asarray(total)[:, None], jacobian], axis=1) * root, span)
        return both[:, 0] - target, both[:, 1:]

    theta = min(
        (minimise(evaluate, packed(start)) for start in starts),
        key=lambda solution: float(np.square(evaluate(solution)[0]).sum()),
    )
    W = split(theta)
    rest = labels - sum(squares(u, w)[0] for u, w in zip(inputs, W, strict=True))
    coefficients = linear_fit(population, linear, rest)[0] if linear.shape[1] else np.zeros(0)
    mse = float(np.square(evaluate(theta)[0]).sum()) / population.variance
    return Fit(tuple(K), tuple(W), coefficients, mse)


def fit_all(
    population: Population,
    K: Sequence[np.ndarray],
    W: Sequence[np.ndarray],
    *,
    train_W: bool = True,
    labels: np.ndarray | None = None,
    span: np.ndarray | None = None,
    products_readout: np.ndarray | None = None,
) -> Fit:
    """Train the narrow weights K of all levels, and W with them unless it is frozen, from (K, W).

    Parameters
    ----------
    labels, span : as in ``fit_squares``
    products_readout : array of shape (p_2,), optional
        Weights of a frozen linear read-out of u_2, through which K_1 is trained too.
    """
    labels = population.y if labels is None else labels
    span = population.quadratic_span if span is None else span
    root = population.root
    target = project(labels[:, None] * root, span)[:, 0]
    shapes_K = [k.shape for k in K]
    shapes_W = [w.shape for w in W] if train_W else []
    start = packed([*K, *W] if train_W else list(K))

    def evaluate(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = unpacked(theta, shapes_K + shapes_W)
        ks, ws = parts[: len(K)], parts[len(K) :] if train_W else list(W)
        inputs = level_inputs(population, ks, trained=True)[1:]
        total, by_K, by_W = np.zeros(len(labels)), np.zeros((len(labels), sum(k.size for k in ks))), []
        for u, w in zip(inputs, ws, strict=True):
            f, of_w, of_k = squares(u, w)
            assert of_k is not None
            total, by_K = total + f, by_K + of_k
            by_W.append(of_w)
        if products_readout is not None:
            du = inputs[0].du
            assert du is not None
            total = total + inputs[0].u @ products_readout
            by_K = by_K + np.einsum("p,npt->nt", products_readout, du)
        columns = [total[:, None], by_K, *(by_W if train_W else [])]
        both = project(np.concatenate(columns, axis=1) * root, span)
        return both[:, 0] - target, both[:, 1:]

    theta = minimise(evaluate, start)
    parts = unpacked(theta, shapes_K + shapes_W)
    mse = float(np.square(evaluate(theta)[0]).sum()) / population.variance
    fitted_W = tuple(parts[len(K) :]) if train_W else tuple(W)
    return Fit(tuple(parts[: len(K)]), fitted_W, np.zeros(0), mse)


def minimised(
    evaluate: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], start: np.ndarray
) -> tuple[np.ndarray, bool]:
    """Levenberg-Marquardt (MINPACK through scipy; More 1978) for residuals and their Jacobian.

    Also says whether it converged within ``MAX_EVALUATIONS``.
    """
    cache: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}

    def padded(residual: np.ndarray, jacobian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # MINPACK wants as many residuals as variables; zeros change nothing.
        short = max(0, len(start) - len(residual))
        return np.pad(residual, (0, short)), np.pad(jacobian, ((0, short), (0, 0)))

    def at(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        key = theta.tobytes()
        if key not in cache:
            cache.clear()
            cache[key] = padded(*evaluate(theta))
        return cache[key]

    solved = least_squares(
        lambda theta: at(theta)[0], start, jac=lambda theta: at(theta)[1], method="lm",
        ftol=TOLERANCE, xtol=TOLERANCE, gtol=TOLERANCE, max_nfev=MAX_EVALUATIONS,
    )  # fmt: skip
    return np.asarray(solved.x), bool(solved.status > 0)


def minimise(
    evaluate: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], start: np.ndarray
) -> np.ndarray:
    """``minimised``, where the error says all."""
    return minimised(evaluate, start)[0]


def project(columns: np.ndarray, span: np.ndarray) -> np.ndarray:
    """What columns have orthogonally to the orthonormal ``span``; twice, for the last digits."""
    rest = columns - span @ (span.T @ columns)
    return np.asarray(rest - span @ (span.T @ rest))


def packed(parts: Sequence[np.ndarray]) -> np.ndarray:
    """One vector from arrays of any shapes."""
    return np.concatenate([part.ravel() for part in parts])


def unpacked(theta: np.ndarray, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """The arrays of these shapes that ``packed`` put into one vector."""
    stops = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(theta, stops[:-1]), shapes, strict=True)]
