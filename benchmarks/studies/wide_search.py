"""Kernel learners with a search more than ten times as large as their own: twins for suite ``search``.

Every hyperparameter takes every value of its lattice, at the full sample rather than on prefixes, and the
walk that follows has no end but a minimum. What a kernel learner loses by looking at few of them on short
prefixes is then what ``python -m hierbench.benchmarks.studies.paired search`` prints.
"""

from __future__ import annotations

import dataclasses
import math

from hierbench.learners.engines.kernel_engine import Axis
from hierbench.learners.engines.kernel_tuning import Budget
from hierbench.learners.kernels.kernel_estimator import KernelRegressor
from hierbench.learners.kernels.kernel_ridge import KernelRidgeRBF
from hierbench.learners.kernels.polynomial_ridge import KernelRidgePolynomial
from hierbench.learners.net_kernels.compositional import CompositionalKernelRegressor
from hierbench.learners.net_kernels.ntk import NTKRegressor
from hierbench.learners.net_kernels.ntk_dual import DenseNetNTKRegressor

WIDE = Budget(
    scan=(1.0, 1),
    walk=(1.0, 1),
    starts=10,
    walk_points=1000,
    worth=0.0,
    finalists=10,
    hopeless=math.inf,
    drift=20,
)


class Wide(KernelRegressor):
    """A kernel regression that scans its whole lattice at the full sample."""

    def _axes(self) -> tuple[Axis, ...]:
        own = super()._axes()  # type: ignore[safe-super]  # a kernel's class comes after this one
        return tuple(dataclasses.replace(axis, coarse=tuple(range(len(axis.values)))) for axis in own)

    def _budget(self) -> Budget:
        return WIDE


class WideRBF(Wide, KernelRidgeRBF):
    """The Gaussian kernel."""


class WidePolynomial(Wide, KernelRidgePolynomial):
    """The polynomial kernel."""


class WideCompositional(Wide, CompositionalKernelRegressor):
    """Neural compositional kernels."""


class WideNTK(Wide, NTKRegressor):
    """The tangent kernel of ReLU nets."""


class WideDenseNetNTK(Wide, DenseNetNTKRegressor):
    """The tangent kernel of the quadratic DenseNet."""
