"""How MNIST-1D makes a signal of a digit: from its ten drawings to 40 numbers.

Source: Greydanus & Kobak, "Scaling down deep learning with MNIST-1D", arXiv 2011.14439; numbers and the
order of the steps after the authors' package ``mnist1d`` 0.0.2.post1 (Apache-2.0).
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from scipy.ndimage import gaussian_filter1d

from hierbench.targets.data.data_set import DataSet

N_CLASSES = 10
N_INPUTS = 40
CANVAS = 72
"""Points of a signal while it is being made."""
SHORTEST, LONGEST = 36, 60
"""Zeros put behind a drawing; what is longer is squeezed more, so that the digit comes out narrower."""
PADDINGS = LONGEST - SHORTEST + 1
SHIFTS = 48
"""Points that a signal is moved round by: 0 to 47."""
SCALE, SHEAR = 0.4, 0.75
"""Full widths of the intervals of the relative height, around 1, and of the slope, around 0."""
CORRELATED, INDEPENDENT = 0.25, 0.02
"""Standard deviations of the noise: before it is smoothed, off the digit; and everywhere."""
SMOOTHING = 2.0
"""Standard deviation of the Gaussian that smooths it, in points."""
HEIGHT = 6.0
LIFT = 1e-8
"""Keeps points of a drawing off zero: noise goes where a signal is exactly zero."""

PUBLISHED_SEED, PUBLISHED_A_CLASS, PUBLISHED_TRAIN = 42, 500, 4000
PUBLISHED_MEAN, PUBLISHED_DEVIATION = -0.00550750643127718, 0.15467803420593051
"""Of all numbers of the published signals before they are standardised."""

_DRAWINGS = np.array(
    [
        [5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5],
        [5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5],
        [5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5],
        [5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5],
        [5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5],
        [5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5],
        [5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5],
        [5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5],
    ]
)


@dataclasses.dataclass(frozen=True)
class Chances:
    """What chance decides about n signals.

    Attributes
    ----------
    classes, padding, shift : (n,) int
        Padding counts from the shortest.
    height, slope : (n,)
        Uniform in [0, 1).
    noise : (n, 2, CANVAS)
        Standard normal; what is smoothed comes first.
    """

    classes: np.ndarray
    padding: np.ndarray
    shift: np.ndarray
    height: np.ndarray
    slope: np.ndarray
    noise: np.ndarray


def raw_signals(chances: Chances) -> np.ndarray:
    """Signals before they are standardised, (n, 40)."""
    points = np.arange(CANVAS)
    x = _squeezed()[chances.classes, chances.padding]
    x = x * (1.0 + SCALE * (chances.height - 0.5))[:, None]
    x = np.take_along_axis(x, (points - chances.shift[:, None]) % CANVAS, axis=1)
    smooth = gaussian_filter1d(CORRELATED * chances.noise[:, 0], SMOOTHING, axis=1)
    x = np.where(x != 0, x, smooth) + INDEPENDENT * chances.noise[:, 1]
    x = x - (SHEAR * (chances.slope - 0.5))[:, None] * np.linspace(-0.5, 0.5, CANVAS)
    return resampled(x, N_INPUTS)


def resampled(x: np.ndarray, points: int) -> np.ndarray:
    """Linear interpolation to evenly spaced points, shapes (..., m) -> (..., points)."""
    old, new = np.linspace(0.0, 1.0, x.shape[-1]), np.linspace(0.0, 1.0, points)
    left = np.minimum(np.searchsorted(old, new, side="right") - 1, x.shape[-1] - 2)
    slope = (x[..., left + 1] - x[..., left]) / (old[left + 1] - old[left])
    values = slope * (new - old[left]) + x[..., left]
    values[..., -1] = x[..., -1]
    return np.asarray(values)


@functools.cache
def _squeezed() -> np.ndarray:
    """Drawings with each number of zeros behind, on the canvas: (10, PADDINGS, CANVAS)."""
    x = _DRAWINGS - _DRAWINGS.mean(axis=1, keepdims=True)
    x = x / x.std(axis=1, keepdims=True)
    x = (x - x[:, :1]) / HEIGHT + LIFT
    padded = (np.pad(x, ((0, 0), (0, SHORTEST + extra))) for extra in range(PADDINGS))
    return np.stack([resampled(p, CANVAS) for p in padded], axis=1)


def draw_chances(
    n: int, kept: np.ndarray, streams: tuple[np.random.Generator, np.random.Generator, np.random.Generator]
) -> Chances:
    """Chances of n signals of the classes ``kept``, all equally frequent.

    Parameters
    ----------
    kept : (k,) int
    streams : tuple of three generators
        Of classes, of uniform numbers and of noise: longer samples begin with the shorter ones.
    """
    of_classes, of_uniforms, of_noise = streams
    padding, shift, height, slope = of_uniforms.random((n, 4)).T
    return Chances(
        classes=kept[of_classes.integers(0, len(kept), n)],
        padding=(padding * PADDINGS).astype(int),
        shift=(shift * SHIFTS).astype(int),
        height=height,
        slope=slope,
        noise=of_noise.standard_normal((n, 2, CANVAS)),
    )


@functools.cache
def published() -> DataSet:
    """The published data set: 4000 signals for training, 1000 for tests, from the authors' seed.

    Classes are balanced in the 5000 together, which are standardised together, by one mean and one standard
    deviation. Equal to the authors' file ``mnist1d_data.pkl`` up to rounding.
    """
    rng = np.random.RandomState(PUBLISHED_SEED)
    classes = np.repeat(np.arange(N_CLASSES), PUBLISHED_A_CLASS)
    drawn = [_as_published(rng) for _ in classes]
    padding, height, shift, noise, slope = (np.array(column) for column in zip(*drawn, strict=True))
    chances = Chances(classes, (padding * PADDINGS).astype(int), shift, height, slope, noise)
    order = rng.permutation(len(classes))
    raw, classes = raw_signals(chances)[order], classes[order]
    X = (raw - raw.mean()) / raw.std()
    cut = PUBLISHED_TRAIN
    return DataSet(
        pool=X[:cut],
        pool_classes=classes[:cut],
        held_out=X[cut:],
        held_out_classes=classes[cut:],
        shape=(1, 1, N_INPUTS),
        center=np.zeros(N_INPUTS),
        scale=np.ones(N_INPUTS),
    )


def _as_published(rng: np.random.RandomState) -> tuple[float, float, int, np.ndarray, float]:
    """Chances of one signal in the authors' order: padding, height, shift, noise, slope."""
    padding, height, shift = rng.rand(), rng.rand(), rng.choice(SHIFTS)
    noise = rng.randn(2, CANVAS)
    return padding, height, shift, noise, rng.rand()
