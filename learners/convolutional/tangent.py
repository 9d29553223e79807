"""Kernel ridge classification with the tangent kernel of the convolutional ResNet at its initialisation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn
from torch.nn import functional

from hierbench.errors import refusal
from hierbench.learners.base import FitReport
from hierbench.learners.catalogue.bounds import check_bounds
from hierbench.learners.convolutional.images import Standard, as_images
from hierbench.learners.convolutional.network import ConvResNet, check_sizes
from hierbench.learners.generators import Purpose, generator
from hierbench.learners.parameters import KeepsParameters, positive
from hierbench.learners.seeds import seed_of

RIDGES = tuple(10.0**k for k in range(-8, 3))
"""As shares of the kernel's mean diagonal."""
ROWS = 256
"""Rows of which gradients are taken at once."""


class ConvResNetNTKClassifier(KeepsParameters, ClassifierMixin, BaseEstimator):
    r"""Kernel ridge classification with the tangent kernel, at initialisation, of the ResNet that SGD trains.

    .. math:: K(x, x') = \frac1C \sum_{c=1}^C \sum_\theta \partial_\theta f_c(x) \, \partial_\theta f_c(x')

    f is the net of ``hierbench.learners.convolutional.resnet`` with the same depth and width, the initial
    parameters that ``ConvResNetClassifier`` starts from at the same ``random_state`` and size of the training
    set, and batch norm by the statistics of the training set. This is what the net would learn if training
    left its features as they are (A. Jacot, F. Gabriel, C. Hongler, arXiv 1806.07572). One-hot labels, less
    their mean, are regressed; the ridge is chosen by leave-one-out, the fewest errors first and then the
    least squares. Gradients are held for all rows of one class at a time: n times the number of parameters.

    Parameters
    ----------
    shape : sequence of int or None
    depth : int, default 8
    width : int, default 16
        As for ``ConvResNetClassifier``.
    ridge : float, sequence of float or None
        As shares of the mean of K(x, x) over the training set; several are tried, None is 1e-8 to 100.
    random_state : int, RandomState or None

    Attributes
    ----------
    classes_ : (n_classes,) array
    weights_ : list of (n_parameters, n_classes) tensors
        The linearised net: gradients of f_c times entry c, summed over c, are the scores.
    ridge_ : float
    fit_report_ : FitReport
    """

    def __init__(
        self,
        shape: Sequence[int] | None = None,
        depth: int = 8,
        width: int = 16,
        *,
        ridge: float | Sequence[float] | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self._keep(locals())

    def fit(self, X: Any, y: Any) -> Self:
        """Fit to X (n, d) and labels y (n,) of any number of classes, n >= 2.

        Raises
        ------
        ValueError
            Parameters out of range, data that are not finite, fewer than two rows, labels that are no
            classes.
        """
        given = self.get_params(deep=False)
        depth = given.pop("depth")
        check_bounds(given)
        check_sizes(depth, self.width)
        tried = RIDGES if self.ridge is None else np.atleast_1d(np.asarray(self.ridge, dtype=object)).tolist()
        ridges = [positive("ridge", ridge) for ridge in tried]
        if not ridges:
            raise ValueError(refusal("ridge", self.ridge, "numbers, one or several"))
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        n, classes = len(X), len(self.classes_)
        images = as_images(X, self.shape)
        self.shape_ = tuple(images.shape[1:])
        self.input_standard_ = Standard().add(images)
        rng = generator((seed_of(self.random_state), n), Purpose.INITIALISATION)
        self.network_ = ConvResNet(self.shape_, classes, int(depth), int(self.width), rng).double()
        inputs = self.input_standard_(images)
        _take_statistics(self.network_, inputs)
        kernel = torch.zeros(n, n, dtype=torch.float64)
        for tangents in self._tangents(inputs):
            kernel.addmm_(tangents, tangents.T, alpha=1.0 / classes)
        one_hot = functional.one_hot(torch.from_numpy(labels), classes).double()
        self.offset_ = one_hot.mean(0)
        diagonal = float(kernel.diagonal().mean())
        self.ridge_, dual, error = _ridge_by_leave_one_out(
            kernel, one_hot - self.offset_, self.offset_, [ridge * diagonal for ridge in ridges]
        )
        self.weights_ = [tangents.T @ dual / classes for tangents in self._tangents(inputs)]
        parameters = len(self.weights_[0])
        self.fit_report_ = FitReport(
            flops=2.0 * classes * n * n * parameters + 9.0 * n**3,
            hyperparameters={"ridge": self.ridge_ / diagonal},
            health={"loo_error": error},
        )
        return self

    def scores(self, X: Any) -> np.ndarray:
        """Regressed one-hot labels for X (n, d), shape (n, n_classes)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        inputs = self.input_standard_(as_images(X, self.shape_))
        scores = self.offset_.repeat(len(X), 1)
        for rows, part in zip(inputs.split(ROWS), scores.split(ROWS), strict=True):
            for c, weights in enumerate(self.weights_):
                part.addmm_(gradients(self.network_, rows, c), weights)
        return scores.numpy()

    def predict(self, X: Any) -> np.ndarray:
        """Classes of X (n, d), shape (n,)."""
        chosen = self.scores(X).argmax(1)
        return np.asarray(self.classes_[chosen])

    def _tangents(self, inputs: Tensor) -> Iterator[Tensor]:
        """Give the gradients of every f_c in all parameters that it has, (n, n_parameters), c by c."""
        for c in range(len(self.classes_)):
            yield torch.cat([gradients(self.network_, rows, c) for rows in inputs.split(ROWS)])


def gradients(network: ConvResNet, inputs: Tensor, c: int) -> Tensor:
    """Gradients of score c of the last head at each input, in all parameters of the net without other heads.

    One backward pass gives those of the outputs of all modules. A weight's gradient is the sum over positions
    of its output's times what the weight multiplies.

    Parameters
    ----------
    inputs : tensor (n, *shape)

    Returns
    -------
    tensor (n, n_parameters)
        Module after module as they are run, weight before bias.
    """
    seen: list[tuple[nn.Module, Tensor, Tensor]] = []

    def note(module: nn.Module, taken: tuple[Tensor, ...], made: Tensor) -> None:
        seen.append((module, taken[0].detach(), made))

    hooks = [
        module.register_forward_hook(note)
        for module in network.eval().modules()
        if not [*module.children()] and [*module.parameters()]
    ]
    try:
        scores = network(inputs.detach().requires_grad_(), len(network.blocks))
    finally:
        for hook in hooks:
            hook.remove()
    slopes = torch.autograd.grad(scores[:, c].sum(), [made for _, _, made in seen])
    parts = [
        part
        for (module, taken, _), slope in zip(seen, slopes, strict=True)
        for part in _of_parameters(module, taken, slope)
    ]
    return torch.cat([part.flatten(1) for part in parts], dim=1)


def _of_parameters(module: Any, taken: Tensor, slope: Tensor) -> list[Tensor]:
    """Gradients of a module's parameters from those of its outputs, a row for each input."""
    if isinstance(module, nn.Linear):
        return [slope.unsqueeze(2) * taken.unsqueeze(1), slope]
    if isinstance(module, nn.Conv2d):
        height, width = module.kernel_size
        around = (height // 2, width // 2)
        windows = functional.unfold(taken, module.kernel_size, padding=around, stride=module.stride)
        return [torch.einsum("nop,nkp->nok", slope.flatten(2), windows)]
    row = (1, -1, 1, 1)
    scale = (module.running_var + module.eps).sqrt().reshape(row)
    normed = (taken - module.running_mean.reshape(row)) / scale
    return [(slope * normed).flatten(2).sum(2), slope.flatten(2).sum(2)]


@torch.no_grad()
def _take_statistics(network: ConvResNet, inputs: Tensor) -> None:
    """Let batch norm have the statistics of all inputs."""
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    network.train()(inputs, len(network.blocks))
    network.eval()


def _ridge_by_leave_one_out(
    kernel: Tensor, Y: Tensor, offset: Tensor, ridges: Sequence[float]
) -> tuple[float, Tensor, float]:
    """Choose the ridge; return it, the dual coefficients (n, n_classes), and its share of errors.

    The residual of row i, with i left out, is alpha_i over entry i, i of the inverse of K + ridge (G. Wahba,
    1990). The mean of the labels and the kernel's statistics are those of all rows.
    """
    values, vectors = torch.linalg.eigh(kernel)
    values, rotated = values.clamp(min=0.0), vectors.T @ Y
    best: tuple[tuple[float, float], float, Tensor] | None = None
    for ridge in ridges:
        inverse = 1.0 / (values + ridge)
        dual = vectors @ (inverse.unsqueeze(1) * rotated)
        residual = dual / (vectors.square() @ inverse).unsqueeze(1)
        wrong = (Y - residual + offset).argmax(1) != (Y + offset).argmax(1)
        errors = float(wrong.double().mean()), float(residual.square().mean())
        if best is None or errors < best[0]:
            best = errors, ridge, dual
    assert best is not None
    return best[1], best[2], best[0][0]
