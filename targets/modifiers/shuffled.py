"""Negative control: labels that have nothing to do with their inputs."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from hierbench.targets.base import Certificate, Estimate, rows_of
from hierbench.targets.laws.sampling import generator
from hierbench.targets.modifiers.wrapper import Wrapper

_STREAM, _SAMPLES = 211, 2**16


@dataclasses.dataclass(frozen=True)
class Shuffled(Wrapper):
    """Labels of other inputs, independent of those they come with.

    ::

        (x_i, f(x'_i)),   x_i, x'_i independent and of the same law

    For training and test alike. Labels keep their law and nothing can be learned but that:
    the best prediction is the mean 0, with relative MSE 1 (the most frequent class, in
    classification). A learner that gets below is broken, or saw test labels. The certificate
    has no shares: there is no function whose variance they would be.

    Source: Zhang, Bengio, Hardt, Recht & Vinyals, "Understanding deep learning requires
    rethinking generalization", arXiv 1611.03530.

    Parameters
    ----------
    base : Target
    """

    def evaluate(self, X: np.ndarray) -> np.ndarray:
        """Best prediction: 0, or the most frequent class."""
        X = rows_of(X, self.d)
        if not self.classes:
            return np.zeros(len(X))
        return np.full(len(X), self.classes[int(np.argmax(self._frequencies))])

    def sample_inputs(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw the inputs that ``sample_test`` draws from an equal generator."""
        return self.base.sample_inputs(n, rng.spawn(2)[0])

    def sample(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw inputs, and labels of other inputs."""
        of_inputs, of_labels = rng.spawn(2)
        return self.base.sample(n, of_inputs)[0], self.base.sample(n, of_labels)[1]

    def sample_test(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw inputs, and labels of other inputs, without noise."""
        of_inputs, of_labels = rng.spawn(2)
        return self.base.sample_test(n, of_inputs)[0], self.base.sample_test(n, of_labels)[1]

    @functools.cached_property
    def _frequencies(self) -> np.ndarray:
        """Of each class among noise-free labels, in a sample of fixed seed."""
        y = self.base.sample_test(_SAMPLES, generator(_STREAM))[1]
        return self._frequencies_of(y)

    def _frequencies_of(self, y: np.ndarray) -> np.ndarray:
        return np.array([(y == value).mean() for value in self.classes])

    def _modified(self, certificate: Certificate) -> Certificate:
        if self.classes:
            noisy = self._frequencies_of(self.base.sample(_SAMPLES, generator(_STREAM))[1])
            rate = 1.0 - float(noisy.max())
            bayes = Estimate(rate, (rate * (1.0 - rate) / _SAMPLES) ** 0.5)
        else:
            bayes = Estimate(1.0 + certificate.bayes_error.value, certificate.bayes_error.stderr)
        return dataclasses.replace(
            certificate,
            degree_share={},
            level_share={},
            level_covariance=(),
            contamination={},
            bayes_error=bayes,
            weakest_share=None,
        )
