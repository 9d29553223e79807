"""Negative control: the same degree and variance by degree, without a hierarchy."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np

from hierbench.errors import refusal
from hierbench.targets.base import Certificate, Estimate, Size, rows_of
from hierbench.targets.laws.inputs import Gaussian, UniformSphere
from hierbench.targets.laws.padded_rows import CHUNK, padded_chunks
from hierbench.targets.laws.weights import stream
from hierbench.targets.modifiers.ridge import ridge, ridge_gram
from hierbench.targets.modifiers.wrapper import (
    NUMBERS,
    Wrapper,
    require_real,
    sampled_kurtosis,
)

_STREAM, _KURTOSIS = 2100, 213
DIRECTIONS_PER_INPUT = 4


@dataclasses.dataclass(frozen=True)
class Flat(Wrapper):
    r"""A random polynomial with the degree and the variance by degree of another target.

    ::

        y = sum_p sqrt(share_p) Q_p(x) / sd(Q_p),   Q_p = sum_i c_pi h_p(<v_pi, x>),  i <= 4d

    with c_pi Gaussian, v_pi uniform on the sphere, both fresh for every p, and h_p the
    orthonormal Hermite polynomial (Gaussian inputs, whitened) or zonal harmonic (sphere) of
    degree p. Var Q_p = sum_ij c_pi c_pj P_p(<v_pi, v_pj>) exactly, see ``hierbench.targets.modifiers.ridge``,
    so that the shares are those asked for, exactly. A kernel finds it as hard as the original;
    whoever lives on the hierarchy finds it harder. There are no hidden features.

    Parameters
    ----------
    base : Target
        With real labels; its certificate gives the shares, at first use.

    Raises
    ------
    ValueError
        On inputs whose law rotations change: no closed form there makes Q_p one of degree p
        alone. On labels that are classes.
    """

    def __post_init__(self) -> None:
        require_real(self.base, "control", "flat")
        law = self.law
        if not isinstance(law, Gaussian | UniformSphere) or (self.d < 2 and law.name == "sphere"):
            inputs = "this family's own" if law is None else law.text
            allowed = "gaussian and, from d = 2, sphere with control = 'flat'"
            remedy = "for these the variance of polynomials in random directions has a closed form"
            raise ValueError(refusal("inputs", inputs, allowed, remedy))

    @property
    def size(self) -> Size:
        """With the certificate of ``base``, whose shares it has, and m directions of every degree."""
        m = DIRECTIONS_PER_INPUT * self.d
        base = self.base.size
        drawn = self.degree * m * self.d + 2 * m * m + 2 * CHUNK * m
        return super().size + Size(base.certificate + drawn, drawn, self.degree * 2.0 * NUMBERS * m)

    @functools.cached_property
    def shares(self) -> dict[int, float]:
        """Share of variance of each degree, summing to 1."""
        degree_share = self.base.certificate().degree_share
        if not degree_share:
            raise ValueError(refusal("control", "flat", "targets whose variance by degree is known"))
        # A sampled share may come out below zero by its standard error.
        kept = {p: max(e.value, 0.0) for p, e in degree_share.items()}
        total = math.fsum(kept.values())
        return {p: share / total for p, share in kept.items()}

    @functools.cached_property
    def components(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """Directions (4d, d) and coefficients (4d,) of each degree, of variance share_p."""
        law, m = self.law, DIRECTIONS_PER_INPUT * self.d
        assert law is not None
        components = {}
        for p, share in self.shares.items():
            rng = stream(self.seed, _STREAM, p)
            V = rng.standard_normal((m, self.d))
            V /= np.linalg.norm(V, axis=1)[:, None]
            c = rng.standard_normal(m)
            variance = float(c @ ridge_gram(law, V @ V.T, p) @ c)
            if isinstance(law, Gaussian) and not law.isotropic:
                V = V @ law.root(-0.5)
            components[p] = (V, c * math.sqrt(share / variance))
        return components

    def evaluate(self, X: np.ndarray) -> np.ndarray:
        """Noise-free label of each row, shapes (n, d) -> (n,)."""
        X = rows_of(X, self.d)
        law = self.law
        assert law is not None
        y = np.empty(len(X))
        for part, block in padded_chunks(X):
            total = np.zeros(len(block))
            for p, (V, c) in self.components.items():
                total += ridge(law, block @ V.T, p) @ c
            y[part] = total[: part.stop - part.start]
        return y

    def importance_sample(
        self, n: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw ``(X, y, weights)`` to measure errors on: the points of ``base``."""
        X, _, weights = self.base.importance_sample(n, rng)
        return X, self.evaluate(X), weights

    def hidden_features(self, X: np.ndarray) -> list[np.ndarray]:
        """None: there is no hierarchy."""
        return []

    def _modified(self, certificate: Certificate) -> Certificate:
        m = DIRECTIONS_PER_INPUT * self.d
        return dataclasses.replace(
            certificate,
            n_parameters=sum(m * (self.d + 1) for share in self.shares.values() if share > 0),
            method="exact",
            mean=Estimate(0.0),
            variance=Estimate(1.0),
            kurtosis=sampled_kurtosis(self, _KURTOSIS),
            degree_share={p: Estimate(share) for p, share in self.shares.items()},
            level_share={},
            level_covariance=(),
            contamination={},
            condition_numbers={},
            weakest_share=None,
        )
