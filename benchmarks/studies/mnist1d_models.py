"""The models that the authors of MNIST-1D report, as classifiers, to tell whether data are right.

S. Greydanus, D. Kobak, *Scaling down deep learning with MNIST-1D*, arXiv 2011.14439: test accuracies of
logistic regression 32 %, a multilayer perceptron 68 %, a convolutional net 94 %, with 4000 training and 1000
test points. The runs in ``notebooks/mnist1d-classification.ipynb`` of their repository, greydanus/mnist1d,
with the sizes and training used here, end at 31.5, 65.1 and 92.3 %; the perceptron is never above 66 %.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from hierbench.errors import refusal
from hierbench.learners.base import FitReport
from hierbench.learners.convolutional.descent import Adam, Descent
from hierbench.learners.seeds import seed_of

PUBLISHED = {"linear": 0.315, "mlp": 0.651, "conv": 0.923}
"""Test accuracies in the authors' notebook after 6000 steps."""
_HIDDEN, _CHANNELS = 100, 25


class _Perceptron(nn.Module):
    """Two layers of ReLU, the second one beside the identity."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, _HIDDEN)
        self.second = nn.Linear(_HIDDEN, _HIDDEN)
        self.readout = nn.Linear(_HIDDEN, classes)

    def forward(self, X: Tensor) -> Tensor:
        hidden = self.first(X).relu()
        out: Tensor = self.readout(hidden + self.second(hidden).relu())
        return out


def _convolutional(inputs: int, classes: int) -> nn.Module:
    """Three convolutions of stride 2, and a linear layer on all that they give."""
    layers: list[nn.Module] = [nn.Unflatten(1, (1, inputs))]
    channels, length = 1, inputs
    for kernel in (5, 3, 3):
        layers += [nn.Conv1d(channels, _CHANNELS, kernel, stride=2, padding=1), nn.ReLU()]
        channels, length = _CHANNELS, (length + 2 - kernel) // 2 + 1
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * length, classes))


MODELS: dict[str, Callable[[int, int], nn.Module]] = {
    "linear": nn.Linear,
    "mlp": _Perceptron,
    "conv": _convolutional,
}


class PublishedNet(ClassifierMixin, BaseEstimator):
    """A net as the authors train it: cross entropy, Adam at a constant rate, batches in the order of rows.

    Nothing is tuned: it is a known number, and no rival.

    Parameters
    ----------
    model : ``"linear"``, ``"mlp"`` or ``"conv"``.
    steps, batch_size, learning_rate : those of the source.
    random_state : int, RandomState or None, of the initial weights.

    Attributes
    ----------
    classes_ : (classes,), increasing.
    fit_report_ : FitReport.
    """

    def __init__(
        self,
        *,
        model: str = "conv",
        steps: int = 6000,
        batch_size: int = 100,
        learning_rate: float = 0.01,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.model = model
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Train. X : (n, d); y : (n,), of two classes or more.

        Raises
        ------
        ValueError
            Another model, or data that are none.
        """
        if self.model not in MODELS:
            raise ValueError(refusal("model", self.model, ", ".join(MODELS)))
        X, y = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of(self.random_state))
            self._net = MODELS[self.model](X.shape[1], len(self.classes_))
        inputs, targets = torch.from_numpy(X), torch.from_numpy(labels)
        parameters = list(self._net.parameters())
        optimizer = Adam(parameters, Descent("adam", self.learning_rate, 0.0, 0.0, self.batch_size))
        for step in range(self.steps):
            start = step * self.batch_size % len(X)
            batch = slice(start, start + self.batch_size)
            loss = nn.functional.cross_entropy(self._net(inputs[batch]), targets[batch])
            optimizer.step(torch.autograd.grad(loss, parameters), self.learning_rate)
        self.fit_report_ = FitReport(steps=self.steps)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Classes, shape (len(X),)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, reset=False)
        with torch.no_grad():
            scores = self._net(torch.from_numpy(X))
        return np.asarray(self.classes_[scores.argmax(1).numpy()])
