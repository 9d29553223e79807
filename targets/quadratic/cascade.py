"""A hierarchical target with all its constants folded in: what is evaluated and certified."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from hierbench.targets.algebra.terms import Polynomial, mapped, merged, trimmed
from hierbench.targets.laws.padded_rows import CHUNK, padded_chunks


@dataclasses.dataclass(frozen=True, eq=False)
class Cascade:
    """Label y = intercept + sum_l output_l . p_l, p_l = s_l^2, s_l = offset_l + sum_j weights_{l,j} p_j.

    Here p_0 = z = basis x, in as few orthonormal coordinates as the target depends on.

    Attributes
    ----------
    m : int
        Number of coordinates z.
    depth : int
    basis : array of shape (m, d), or None where z = x
        Orthonormal rows.
    weights : mapping (l, j) -> array of shape (k_l, k_j)
        Without (1, 0), s_1 = z.
    offsets, outputs : mapping l -> array of shape (k_l,)
        Where absent, zero.
    intercept : float
    """

    m: int
    depth: int
    basis: np.ndarray | None
    weights: Mapping[tuple[int, int], np.ndarray]
    offsets: Mapping[int, np.ndarray]
    outputs: Mapping[int, np.ndarray]
    intercept: float

    def reduced(self, X: np.ndarray) -> np.ndarray:
        """Coordinates z of the rows of X, shape (n, m)."""
        return X if self.basis is None else X @ self.basis.T

    def pre_activations(self, Z: np.ndarray) -> list[np.ndarray]:
        """s_1, ..., s_L at the rows of Z, each of shape (n, k_l)."""
        squares, result = [Z], []
        for level in range(1, self.depth + 1):
            terms = [squares[j] @ w.T for (i, j), w in self.weights.items() if i == level]
            s = terms[0] if terms else Z.copy()
            for term in terms[1:]:
                s += term
            if level in self.offsets:
                s += self.offsets[level]
            result.append(s)
            squares.append(np.square(s))
        return result

    def level_outputs(self, Z: np.ndarray) -> np.ndarray:
        """output_l . p_l of the levels that reach y, shape (n, levels)."""
        s = self.pre_activations(Z)
        return np.stack([np.square(s[level - 1]) @ a for level, a in sorted(self.outputs.items())], axis=1)

    def evaluate(self, X: np.ndarray) -> np.ndarray:
        """Label y at the rows of X, shapes (n, d) -> (n,), in memory bounded by the chunk."""
        y = np.empty(len(X))
        for rows, chunk in padded_chunks(X):
            s = self.pre_activations(self.reduced(chunk))
            total = np.full(CHUNK, self.intercept)
            for level, a in self.outputs.items():
                total += np.square(s[level - 1], out=s[level - 1]) @ a
            y[rows] = total[: rows.stop - rows.start]
        return y

    def hidden_features(self, X: np.ndarray) -> list[np.ndarray]:
        """s_1, ..., s_L at the rows of X, each of shape (n, k_l)."""
        parts = [
            [s[: rows.stop - rows.start] for s in self.pre_activations(self.reduced(chunk))]
            for rows, chunk in padded_chunks(X)
        ]
        return [np.concatenate(level) for level in zip(*parts, strict=True)]

    def squares(self, z: Polynomial) -> Iterator[Polynomial]:
        """p_1, ..., p_L as polynomials in the variables of ``z``, the coordinates p_0.

        Raises
        ------
        TooManyTermsError
            At the first level past the reach of the algebra.
        """
        polynomials = [z]
        for level in range(1, self.depth + 1):
            polynomials.append(self.next_square(level, polynomials))
            yield polynomials[-1]

    def next_square(self, level: int, below: Sequence[Polynomial]) -> Polynomial:
        """p_level from ``below`` = [z, p_1, ..., p_{level-1}]."""
        return self.pre_activation(level, below).square()

    def pre_activation(self, level: int, below: Sequence[Polynomial]) -> Polynomial:
        """s_level from ``below`` = [z, p_1, ..., p_{level-1}]."""
        terms = [mapped(below[j], w) for (i, j), w in self.weights.items() if i == level]
        if not terms:
            return below[0]
        if level in self.offsets:
            terms.append(Polynomial.of_constant(self.offsets[level], below[0].n_variables))
        return trimmed(merged(terms))
