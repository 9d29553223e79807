"""What modifiers of a target share: a target around another one."""

from __future__ import annotations

import abc
import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from hierbench.errors import refusal
from hierbench.targets.base import Certificate, Estimate, Size, Target
from hierbench.targets.certificates.kurtosis import label_moments
from hierbench.targets.laws.inputs import InputLaw
from hierbench.targets.laws.padded_rows import CHUNK
from hierbench.targets.laws.sampling import BATCH, generator, jackknife

SAMPLES = 2**20
NUMBERS = 2**26
"""Inputs drawn for a sampled moment: at most ``SAMPLES`` points, and about this many numbers."""


@dataclasses.dataclass(frozen=True)
class Wrapper(Target):
    """A target that changes the labels of ``base`` and delegates everything else to it."""

    base: Target

    @property
    def d(self) -> int:  # type: ignore[override]
        """Input dimension, that of ``base``."""
        return self.base.d

    @property
    def seed(self) -> int:  # type: ignore[override]
        """Seed of ``base``."""
        return self.base.seed

    @property
    def degree(self) -> int:
        """Degree of ``base``."""
        return self.base.degree

    @property
    def classes(self) -> tuple[float, ...]:
        """Values of the label, increasing; empty for regression."""
        return self.base.classes

    @property
    def nominal(self) -> bool:
        """Whether the classes of ``base`` have no order."""
        return self.base.nominal

    @property
    def size(self) -> Size:
        """Of ``base``, with a chunk of rows, and batches of samples of a moment."""
        return self.base.size + Size(2.0 * CHUNK * self.d, 3.0 * BATCH * self.d, float(NUMBERS))

    @property
    def law(self) -> InputLaw | None:
        """Law of the inputs, None where it is none of ``hierbench.targets.laws.inputs``."""
        return law_of(self.base)

    def sample_inputs(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw inputs of the law, shape (n, d)."""
        return self.base.sample_inputs(n, rng)

    def hidden_features(self, X: np.ndarray) -> list[np.ndarray]:
        """Hidden features of ``base``, level by level, each of shape (n, k_l)."""
        return self.base.hidden_features(X)

    def certificate(self) -> Certificate:
        """Certificate of ``base`` with what the modifier changes; computed once."""
        return self._certificate

    @functools.cached_property
    def _certificate(self) -> Certificate:
        return self._modified(self.base.certificate())

    @abc.abstractmethod
    def _modified(self, certificate: Certificate) -> Certificate:
        """Certificate of the modified target, from that of ``base``."""


def law_of(target: Target) -> InputLaw | None:
    """Law of a target's inputs, None where it is none of ``hierbench.targets.laws.inputs``."""
    law = getattr(target, "law", None)
    return law if isinstance(law, InputLaw) else None


def require_real(target: Target, name: str, value: object) -> None:
    """Raise ValueError if the labels are classes: the modifier ``name = value`` needs real ones."""
    if target.classes:
        remedy = "those of this family are classes already"
        raise ValueError(refusal(name, value, "targets with real labels", remedy))


def sampled(
    draw: Callable[[int, np.random.Generator], np.ndarray],
    moments: Callable[[np.ndarray], np.ndarray],
    function: Callable[[np.ndarray], np.ndarray],
    d: int,
    stream: int,
) -> list[Estimate]:
    """Functions of the moments of what ``draw`` gives, with jackknife standard errors.

    Parameters
    ----------
    draw : callable (n, rng) -> array of shape (n, ...)
    moments : callable
        From a batch to an array, to be averaged over batches.
    function : callable
        From mean moments to an array of shape (q,).
    d : int
        Numbers behind each draw: the larger, the fewer draws.
    stream : int
        Tells apart uses that must be independent of one another.
    """
    rng = generator(stream)
    rows = np.stack([moments(draw(BATCH, rng)) for _ in range(_n_batches(d))])
    value, stderr = jackknife(rows, function)
    return [Estimate(float(v), float(e)) for v, e in zip(value, stderr, strict=True)]


def sampled_kurtosis(target: Target, stream: int) -> Estimate:
    """E y^4 / (E y^2)^2 of the noise-free label, centred."""
    rng = generator(stream)
    labels = (target.sample_test(BATCH, rng)[1] for _ in range(_n_batches(target.d)))
    return label_moments(labels)[2]


def _n_batches(d: int) -> int:
    return max(min(SAMPLES, NUMBERS // d) // BATCH, 2)
