"""Certificates of folded targets."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from targets.base import Certificate
from targets.cascade import Cascade
from targets.spectrum import Spectrum


def certify(
    cascade: Cascade,
    spectrum: Spectrum | None,
    *,
    degree: int,
    n_parameters: int,
    weights: Mapping[tuple[int, int], np.ndarray],
    sd: Mapping[int, np.ndarray],
    lower: tuple[int, np.ndarray],
) -> Certificate:
    raise NotImplementedError
