"""What grouping costs: information about a location when an observation is known by its cell only."""

from __future__ import annotations

import functools
import math

import numpy as np
from scipy.special import ndtr

_OFFSETS = 200
_TABLE = np.geomspace(0.1, 4.0, 160)
_VANISHING = 1e-14  # probability of a cell below which it adds nothing that float64 can hold


def kept_information(sigma: float) -> float:
    """Share of the Fisher information about the mean of a normal variable that cells of width 1 keep.

    The variable has standard deviation ``sigma`` and is seen as the cell it falls into; where the cells
    begin is uniform. With p(cell) = Phi(z_2) - Phi(z_1) the share is the mean over that beginning of
    sum over cells of (phi(z_2) - phi(z_1))^2 / p. It is 1.806 sigma where sigma is small (only what is
    within sigma of an end says more than the cell), and sigma^2 / (sigma^2 + 1/12) where it is not
    (Sheppard's correction).

    Parameters
    ----------
    sigma : float
        Above 0, in widths of a cell. The sum is taken as far as nine of it.
    """
    begin = (np.arange(_OFFSETS) + 0.5) / _OFFSETS
    far = math.ceil(9 * sigma) + 2
    z = (np.arange(-far, far + 2)[:, None] - begin) / sigma
    p = np.where(z[:-1] > 0, ndtr(-z[:-1]) - ndtr(-z[1:]), ndtr(z[1:]) - ndtr(z[:-1]))
    rise = np.diff(np.exp(-(z**2) / 2), axis=0) / math.sqrt(2 * math.pi)
    counts = p > _VANISHING
    return float(np.where(counts, rise**2 / np.where(counts, p, 1.0), 0.0).sum(0).mean())


def log_matching_prior(log_sigma: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """log of the prior density of log sigma under which intervals of a line's slope hold the truth.

    Method: the observations are y = a + b x + sigma z, each seen as a cell of its ``widths``, where cells
    begin being uniform. Nothing then depends on a or b: they are orthogonal to sigma, and any
    prior da db g(sigma) matches posterior and coverage of b to first order (Tibshirani, Biometrika 76,
    1989). To second order g must make g L / (I_b I_sigma) constant, I the information and
    L the mean of d^3 log p / db^2 dsigma (Mukerjee & Dey, Biometrika 80, 1993, for I_b^(1/2) times our g
    over it). As p solves the heat equation and integrates over the beginning of the cells, L is
    I_sigma / sigma at every width, so that g = sigma I_b: dsigma / sigma times the share of the
    information that grouping keeps, averaged over the observations.

    Exact observations keep all: dsigma / sigma, whose interval is Student's t. Scatter well below the width
    gets a constant density in sigma, so that the prior holds a finite mass at 0 and no smallest
    sigma is needed.

    Parameters
    ----------
    log_sigma : array
    widths : array, shape (N,)
        Of the intervals with two finite ends.

    Returns
    -------
    array, shape of ``log_sigma``
        Not normalised; 0 where sigma is far above all widths.
    """
    s = np.exp(np.asarray(log_sigma)[..., None]) / np.asarray(widths)
    share = np.interp(s, _TABLE, _table())
    share = np.where(s < _TABLE[0], s * (_table()[0] / _TABLE[0]), share)
    share = np.where(s > _TABLE[-1], s**2 / (s**2 + 1 / 12), share)
    return np.log(share.mean(-1))


@functools.cache
def _table() -> np.ndarray:
    return np.array([kept_information(float(s)) for s in _TABLE])
