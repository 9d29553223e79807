"""Label noise."""

from __future__ import annotations

import dataclasses

import numpy as np

from hierbench.checks import scale
from hierbench.targets.base import Certificate, Estimate
from hierbench.targets.modifiers.wrapper import Wrapper, require_real


@dataclasses.dataclass(frozen=True)
class Noisy(Wrapper):
    """Gaussian noise on the training labels of ``base``.

    ::

        y_i = f(x_i) + noise e_i,   e_i ~ N(0, 1) independent

    Test labels stay noise-free: what is measured is the excess error E (prediction - f)^2,
    and the best possible relative MSE on noisy labels, noise^2, is the Bayes error of the
    certificate.

    Parameters
    ----------
    base : Target
        With real labels.
    noise : float
        Standard deviation relative to the unit label, > 0.

    Raises
    ------
    ValueError
        On another ``noise``, or labels that are classes.
    """

    noise: float

    def __post_init__(self) -> None:
        noise = scale("noise", self.noise, zero=True)
        object.__setattr__(self, "noise", noise)
        require_real(self.base, "noise", noise)

    def evaluate(self, X: np.ndarray) -> np.ndarray:
        """Noise-free label of each row, shapes (n, d) -> (n,)."""
        return self.base.evaluate(X)

    def sample(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Training sample: inputs of the law, labels with noise from a stream of their own."""
        (noise,) = rng.spawn(1)
        X, y = self.base.sample(n, rng)
        return X, y + self.noise * noise.standard_normal(n)

    def sample_test(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Test sample without noise; not of the inputs that ``sample`` draws from an equal generator."""
        return self.base.sample_test(n, rng)

    def importance_sample(
        self, n: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw ``(X, y, weights)`` to measure errors on, without noise."""
        return self.base.importance_sample(n, rng)

    def _modified(self, certificate: Certificate) -> Certificate:
        inner = certificate.bayes_error
        bayes = Estimate(inner.value + self.noise**2, inner.stderr)
        return dataclasses.replace(certificate, bayes_error=bayes)
