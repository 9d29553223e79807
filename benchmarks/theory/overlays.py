"""Predicted learning curves under the measured ones: eigenlearning at the hyperparameters that rows report.

For kernel learners with a closed-form spectrum, on targets whose power by harmonic degree and radius is
known, each row gets the error that ``hierbench.benchmarks.theory.eigenlearning`` expects for its n, its
kernel and its ridge. Nothing is fitted to the measured errors; the choice of kernel and ridge is that of the
row.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from hierbench.benchmarks.theory.eigenlearning import predict
from hierbench.benchmarks.theory.kernel_spectrum import (
    LAWS,
    DotProductKernel,
    GaussianKernel,
    KernelSpectrum,
    spectrum,
)
from hierbench.benchmarks.units import draw
from hierbench.benchmarks.units.rows import FITTED, Metric, Row
from hierbench.benchmarks.units.vocabulary import Parameters, TargetSpec
from hierbench.targets.base import Certificate
from hierbench.targets.radial import target_power

ClosedForm = GaussianKernel | DotProductKernel


def _rbf(parameters: Parameters, chosen: Parameters) -> ClosedForm:
    return GaussianKernel(float(chosen["length_scale"]), float(parameters.get("intercept", 1.0)))


def _polynomial(parameters: Parameters, chosen: Parameters) -> ClosedForm:
    return DotProductKernel.polynomial(int(parameters.get("degree", 4)), float(chosen["offset"]))


def _dot_product(parameters: Parameters, chosen: Parameters) -> ClosedForm:
    top = max(int(name[1:]) for name in chosen if name[0] == "w" and name[1:].isdigit())
    return DotProductKernel(tuple(float(chosen[f"w{p}"]) for p in range(top + 1)))


_KERNELS: Mapping[str, Callable[[Parameters, Parameters], ClosedForm]] = {
    "krr_rbf": _rbf,
    "krr_polynomial": _polynomial,
    "krr_dot_product": _dot_product,
}
"""From a learner's parameters and a row's hyperparameters to the kernel that was used."""


def kernel_of(row: Row) -> ClosedForm | None:
    """The kernel that a row's fit chose; None for learners without a closed-form spectrum."""
    build = _KERNELS.get(row.learner_spec.get("name", ""))
    return None if build is None else build(row.learner_spec.get("parameters", {}), row.hyperparameters)


def predictions(
    rows: Iterable[Row], certificates: Mapping[tuple[str, int, int], Certificate]
) -> list[tuple[Row, float]]:
    """Rows that the theory speaks about, each with its expected relative MSE.

    Left out: other learners, laws of the inputs that are not invariant under rotations, labels that
    are classes, and targets whose power by degree and radius is not exactly known.
    """
    predicted = []
    for row in rows:
        certificate = certificates.get((row.target, row.d, row.target_index))
        if certificate is None or row.learner_spec.get("name") not in _KERNELS:
            continue
        try:
            expected = _expected(row, certificate)
        except (ArithmeticError, KeyError, ValueError):
            # A row of an older version, or a target that this version refuses: no line, but a figure.
            continue
        if expected is not None:
            predicted.append((row, expected))
    return predicted


def _expected(row: Row, certificate: Certificate) -> float | None:
    if row.status not in FITTED or row.metric != Metric.RELATIVE_MSE or certificate.classes or row.d < 2:
        return None
    power = power_of(row.target_spec, row.d, row.target_index, certificate)
    kernel = kernel_of(row)
    if power is None or kernel is None:
        return None
    modes = _spectrum(kernel, certificate.inputs, row.d).modes(power)
    noise = certificate.bayes_error.value
    return predict(modes, row.n, float(row.hyperparameters["ridge"]), noise).mse


def power_of(spec: TargetSpec, d: int, index: int, certificate: Certificate) -> dict[int, np.ndarray] | None:
    """Power of a target by sector, for ``KernelSpectrum.modes``; None where it is not exactly known.

    On the sphere the certificate has it. On Gaussian inputs the target is drawn again: shares by
    Hermite degree do not tell harmonics from radial functions.
    """
    shares = certificate.degree_share
    if certificate.inputs not in LAWS or certificate.method != "exact" or not shares:
        return None
    if max(shares) > certificate.degree:
        return None  # an agnostic remainder, of which only the sum over all higher degrees is known
    if certificate.inputs == "sphere":
        return {k: np.array([[share.value]]) for k, share in shares.items()}
    return _gaussian_power(json.dumps(spec, sort_keys=True), d, index)


@functools.lru_cache(maxsize=4096)
def _gaussian_power(spec: str, d: int, index: int) -> dict[int, np.ndarray] | None:

    return target_power(draw.draw_target(json.loads(spec), d, index))


@functools.lru_cache(maxsize=512)
def _spectrum(kernel: ClosedForm, law: str, d: int) -> KernelSpectrum:
    return spectrum(kernel, law, d)
