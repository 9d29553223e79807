"""Negative control: a hierarchy whose levels do not help one another."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from hierbench.targets.base import Certificate, Size
from hierbench.targets.certificates.certify import certify
from hierbench.targets.laws.weights import extend, row_space, stream
from hierbench.targets.quadratic.cascade import Cascade
from hierbench.targets.quadratic.hierarchy import CascadeTarget, Hierarchy, cascade_model
from hierbench.targets.quadratic.normalise import Blueprint, Normalised, normalise

_COPIES = 2000  # stream of a target's seed, past those of weights and inputs


@dataclasses.dataclass(frozen=True)
class Rerandomised(CascadeTarget):
    r"""The levels of a hierarchical target, each on lower levels drawn anew.

    ::

        y = (1/c) sum_l alpha_l S_l^(l)

    with S_l^(l) the level l of an independent target of the same family and parameters. Degree,
    weights and shares of the levels are about those of the original, but what a lower level has
    learned is of no use to a higher one: a learner that gains from the hierarchy gains less here.

    Hidden features are those of all copies side by side, copy by copy.

    Parameters
    ----------
    base : Hierarchy
        The target whose family, parameters and seed are taken.
    """

    base: Hierarchy

    @property
    def d(self) -> int:  # type: ignore[override]
        """Input dimension, that of ``base``."""
        return self.base.d

    @property
    def seed(self) -> int:  # type: ignore[override]
        """Seed of ``base``."""
        return self.base.seed

    @property
    def inputs(self) -> str:  # type: ignore[override]
        """Law of x, that of ``base``."""
        return self.base.inputs

    @functools.cached_property
    def law(self):  # type: ignore[no-untyped-def, override]
        """Law of the inputs, that of ``base``."""
        return self.base.law

    @property
    def degree(self) -> int:
        """Degree of ``base``."""
        return self.base.degree

    @property
    def size(self) -> Size:
        """Of as many targets as there are levels, and of the basis of all their coordinates."""
        return functools.reduce(Size.__add__, [self.base.size] * (3 * len(self.base.alphas)))

    @functools.cached_property
    def copies(self) -> dict[int, Hierarchy]:
        """By level l, the target of depth l whose top level is taken."""
        base, copies = self.base, {}
        for level in base.alphas:
            seed = int(stream(base.seed, _COPIES, level).integers(2**62))
            copies[level] = dataclasses.replace(
                base,
                seed=seed,
                depth=level,
                alpha=1.0,
                skips=None if base.skips is None else base.skips[: level - 1],
            )
        return copies

    @functools.cached_property
    def blueprint(self) -> Blueprint:
        """All copies as one wide cascade with block-diagonal weights."""
        copies = self.copies
        first = {level: _first_rows(copy) for level, copy in copies.items()}
        blocks: dict[tuple[int, int], dict[int, np.ndarray]] = {}
        for name, copy in copies.items():
            for key, w in {(1, 0): first[name], **copy.weight_matrices}.items():
                blocks.setdefault(key, {})[name] = w
        basis = row_space(first[min(first)])
        for (_, source), parts in blocks.items():
            if source == 0:
                for w in parts.values():
                    basis = extend(basis, w)
        widths = {
            level: {
                name: len(parts[(level, j)])
                for name, parts in _by_copy(blocks).items()
                for j in _any(parts, level)
            }
            for level in range(1, self.base.depth + 1)
        }
        weights = {}
        for (level, source), parts in blocks.items():
            rows = []
            for name, width in widths[level].items():
                if source == 0:
                    row = parts[name] @ basis.T if name in parts else np.zeros((width, len(basis)))
                else:
                    row = np.concatenate(
                        [
                            parts[name] if other == name and name in parts else np.zeros((width, columns))
                            for other, columns in widths[source].items()
                        ],
                        axis=1,
                    )
                rows.append(row)
            w = np.concatenate(rows)
            weights[level, source] = np.where(np.abs(w) < 1e-13, 0.0, w) if source == 0 else w
        nodes = {
            level: np.repeat([name == level for name in widths[level]], list(widths[level].values()))
            for level in self.base.alphas
        }
        return Blueprint(
            basis,
            self.law.reduce(basis),
            self.base.depth,
            dict(sorted(weights.items())),
            self.base.alphas,
            nodes,
        )

    @functools.cached_property
    def _normalised(self) -> Normalised:
        return normalise(self.blueprint)

    @property
    def cascade(self) -> Cascade:
        """Cascade of the label, with all constants folded in."""
        return self._normalised.cascade

    @functools.cached_property
    def _certificate(self) -> Certificate:
        model = cascade_model(self.cascade, self.blueprint, self.degree)
        n_parameters = sum(copy.n_parameters for copy in self.copies.values())
        return certify(model, self._normalised.spectrum, n_parameters=n_parameters, law=self.law)


def _first_rows(copy: Hierarchy) -> np.ndarray:
    """Rows of s_1 in x, shape (k_1, d)."""
    if (1, 0) in copy.weight_matrices:
        return copy.weight_matrices[1, 0]
    rotation = getattr(copy, "rotation", None)
    return np.eye(copy.d) if rotation is None else np.asarray(rotation)


def _by_copy(
    blocks: dict[tuple[int, int], dict[int, np.ndarray]],
) -> dict[int, dict[tuple[int, int], np.ndarray]]:
    names = sorted({name for parts in blocks.values() for name in parts})
    return {name: {key: parts[name] for key, parts in blocks.items() if name in parts} for name in names}


def _any(parts: dict[tuple[int, int], np.ndarray], level: int) -> list[int]:
    """One source of the level, if the copy has the level at all."""
    return sorted(j for i, j in parts if i == level)[:1]
