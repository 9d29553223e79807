"""Kernel ridge regression with the tangent kernel of a finite DenseNet at its initialisation."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from hierbench.learners.base import FitReport
from hierbench.learners.catalogue.bounds import check_bounds
from hierbench.learners.engines.curve_loop import FitsCurvesOneByOne
from hierbench.learners.engines.kernel_engine import Axis, float64_tensor, predict
from hierbench.learners.engines.kernel_tuning import Budget, fit_prefixes
from hierbench.learners.engines.network import DenseNetwork, outputs_of
from hierbench.learners.generators import Purpose, generator
from hierbench.learners.kernels.kernel_estimator import KernelEstimator
from hierbench.learners.nets.densenet import DenseNetRegressor
from hierbench.learners.nets.scaling import Scaling

BUDGET = Budget(scan=(1.0, 1), walk=(1.0, 1))
"""There is one kernel only: all ridges compete at n, since the best of a prefix tells little of it."""
RIDGES = Axis.geometric("ridge", 1e-12, 1e6, per_decade=2, scan=(1e-11, 1e1), every=4)
FINE_RIDGES = Axis.geometric("ridge", 1e-12, 1e6, per_decade=2, scan=(1e-11, 1e2), every=2)
"""Up to 2048 samples, where they are cheap: leave-one-out may have several minima in the ridge."""


@dataclasses.dataclass(frozen=True)
class TangentKernel:
    """J(x) J(x')^T / scale with J the gradient of the output in all parameters of one net; shape = ().

    parameters : (n_parameters,), where the gradient is taken.
    """

    network: DenseNetwork
    parameters: np.ndarray
    scale: float

    def gram(self, A: Tensor, B: Tensor | None, shape: tuple[float, ...], out: Tensor) -> None:
        """Write k(A, B), shape (len(A), len(B)), to ``out``; B None: k(A, A)."""
        rows = self._tangents(A)
        columns = rows if B is None else self._tangents(B)
        out.fill_(1.0)  # the intercept c
        for level in self.network.read_out():
            out.addmm_(rows[0][level], columns[0][level].T)
        part, errors = torch.empty_like(out), torch.empty_like(out)
        for level in range(1, self.network.depth + 1):
            part.fill_(1.0)  # the biases
            for j in self.network.reads(level):
                part.addmm_(rows[0][j], columns[0][j].T)
            torch.matmul(rows[1][level - 1], columns[1][level - 1].T, out=errors)
            out.addcmul_(part, errors)
        out.mul_(1 / self.scale)

    def diagonal(self, A: Tensor) -> Tensor:
        """K(x, x), (len(A),): the squared norm of each gradient."""
        features, errors = self._tangents(A)
        squares = [h.square().sum(1) for h in features]
        total = torch.ones(len(A), dtype=torch.float64)
        for level in self.network.read_out():
            total += squares[level]
        for level, error in enumerate(errors, 1):
            read = torch.stack([squares[j] for j in self.network.reads(level)]).sum(0)
            total += (1.0 + read) * error.square().sum(1)
        return total / self.scale

    def flops(self, n_features: int, shape: tuple[float, ...]) -> float:
        """Count the operations of one entry of the matrix."""
        sizes = [n_features] + [self.network.width] * self.network.depth
        levels = range(1, self.network.depth + 1)
        read = sum(sizes[j] for level in levels for j in self.network.reads(level))
        return 2.0 * (read + sum(sizes) + self.network.depth * self.network.width)

    def _tangents(self, X: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Features h_0, ..., h_L and errors df / dz_1, ..., df / dz_L, each (len(X), size)."""
        network = self.network
        parts = network.parts(float64_tensor(self.parameters))
        _, features, pre_activations = network.forward(parts, X)
        position = sum(len(network.reads(level)) + 1 for level in range(1, network.depth + 1))
        inner: list[Tensor | float] = [0.0] * (network.depth + 1)
        for i, level in enumerate(network.read_out(), position):
            inner[level] = parts[i].T.expand(len(X), -1)
        errors: list[Tensor] = []
        for level in range(network.depth, 0, -1):
            error = inner[level] * network.slope(pre_activations[level - 1])
            errors.insert(0, error)
            position -= len(network.reads(level)) + 1
            for i, j in enumerate(network.reads(level), position):
                if j > 0:
                    inner[j] = inner[j] + error @ parts[i].T
        return features, errors


class FiniteNTKRegressor(FitsCurvesOneByOne, KernelEstimator):
    r"""Kernel ridge regression with the tangent kernel, at initialisation, of the net that SGD trains.

    .. math:: K(x, x') = \sum_\theta \partial_\theta f(x) \, \partial_\theta f(x')
              = 1 + \sum_l h_l \cdot h_l' +
                \sum_l \Bigl(1 + \sum_{j < l} h_j \cdot h_j'\Bigr) (\delta_l \cdot \delta_l'),
              \qquad \delta_l = \partial f / \partial z_l

    f is the quadratic DenseNet of ``hierbench.learners.nets.densenet`` with the same depth and width, and
    with the initial parameters that ``DenseNetRegressor`` starts from at the same ``random_state`` and size
    of the training set; inputs and labels are put to zero mean and unit variance as there. This is what the
    net would learn if training left its features as they are (lazy training: A. Jacot, F. Gabriel, C.
    Hongler, arXiv 1806.07572; L. Chizat, E. Oyallon, F. Bach, arXiv 1812.07956). No Jacobian is formed. The
    kernel is divided by the mean of its diagonal; the ridge is tuned by leave-one-out
    (``hierbench.learners.engines.kernel_tuning``).

    Parameters
    ----------
    depth : number of quadratic levels.
    width : neurons a level; None is that of DenseNetRegressor, max(24, ceil(1.5 d)).
    initial_function : whether f at initialisation is part of the prediction, as when the net itself is
        trained: then y - f is regressed. Otherwise it is subtracted from the net, and y is regressed.
    ridge : None (tuned), a number (fixed) or several (tried). Absolute; the kernel has mean 1 on its
        diagonal.
    random_state : int, RandomState or None.

    Attributes
    ----------
    scaling_ : Scaling, of inputs and labels; X_fit_ are scaled inputs.
    """

    def __init__(
        self,
        depth: int = 2,
        width: int | None = None,
        *,
        initial_function: bool = False,
        ridge: float | Sequence[float] | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.depth = depth
        self.width = width
        self.initial_function = initial_function
        self.ridge = ridge
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> FiniteNTKRegressor:
        """Fit and tune. X : (n, d), n >= 2; y : (n,), finite numbers."""
        [ridges] = self._axes()
        X, y = self._validated(X, y)
        trained = DenseNetRegressor(self.depth, self.width, random_state=self.random_state)
        network = trained._network(X.shape[1])
        parameters = network.initial(generator((trained._seed(), len(X)), Purpose.INITIALISATION))
        scaling = Scaling(X, y)
        X, y = scaling.both(X, y)
        if self.ridge is None and len(y) > 2048:
            ridges = RIDGES
        if self.initial_function:
            y = y - outputs_of(network, parameters, X)
        plain = TangentKernel(network, parameters, 1.0)
        kernel = dataclasses.replace(plain, scale=float(plain.diagonal(float64_tensor(X)).mean()))
        [fit] = fit_prefixes(kernel, [ridges], X, y, [len(y)], BUDGET)
        report: FitReport = fit.report
        # Errors are told in the units of y.
        unit = scaling.y_scale**2
        health = {k: v * unit if k.endswith("mse") else v for k, v in report.health.items()}
        self._store(kernel, X, dataclasses.replace(fit, report=dataclasses.replace(report, health=health)))
        self.scaling_ = scaling
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Predictions, shape (len(X),)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        X = self.scaling_.inputs(X)
        kernel = cast(TangentKernel, self._fitted_kernel)
        scaled = predict(kernel, self.X_fit_, [(self.shape_, self.dual_coef_)], X)[0]
        if self.initial_function:
            scaled = scaled + outputs_of(kernel.network, kernel.parameters, X)
        return self.scaling_.y_mean + self.scaling_.y_scale * scaled

    def _axes(self) -> tuple[Axis, ...]:
        check_bounds(self.get_params(deep=False))
        return (FINE_RIDGES.narrowed(self.ridge),)
