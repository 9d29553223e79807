"""What the spread between replicates is made of: the target drawn, the training sample, the initialisation.

Needs rows of a crossed cell (``crossed`` in a suite file): several samples of each target, several
initialisations on each sample.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from hierbench.benchmarks.statistics.sample_complexity import Certificates, NStar, n_stars
from hierbench.benchmarks.suites.epsilon import Epsilon
from hierbench.benchmarks.units.rows import FITTED, Replicate, Row

NAMES = ("target", "sample", "initialisation")
DRAWS = 20_000


@dataclasses.dataclass(frozen=True)
class Component:
    """One component of variance.

    Attributes
    ----------
    value : float
        The estimate, 0 where it comes out negative.
    raw : float
        Before that.
    low, high : float
        95 % generalised confidence interval.
    share : float
        Of the sum of the three values.
    """

    value: float
    raw: float
    low: float
    high: float
    share: float


def variance_components(
    values: np.ndarray, confidence: float = 0.95, draws: int = DRAWS
) -> dict[str, Component]:
    r"""Components of variance of a balanced nested design, by the analysis of variance.

    .. math::
        y_{tsi} = \mu + T_t + S_{ts} + I_{tsi}

    with independent normal terms: the target, the sample drawn on it, the initialisation on that, each
    with its interactions. Samples of one index share their inputs across targets, and initialisations
    their seed, so that the layout could be read as crossed; the effect that inputs have on all targets alike
    would then have (samples - 1) degrees of freedom, one, and an interval without an upper end worth
    the name. It is nested where there is no such effect, which ``shared_effect`` tests; where there is,
    the sample's interval is too narrow, and the target's component too low by 1/samples of the effect.

    Estimates equate mean squares with their expectations (Searle, Casella & McCulloch, Variance Components,
    1992, section 3); intervals are generalised ones (Weerahandi, J. Am. Stat. Assoc. 88, 1993): quantiles of
    the components over draws of the chi-square variables that the sums of squares are divided by, cut at 0.
    That of the initialisation is then the usual chi-square interval.

    Small samples: four targets leave 3 degrees of freedom, and an upper end for the target's component
    that is more than ten times the estimate.

    Parameters
    ----------
    values : array of shape (targets, samples, initialisations)
        At least two of each.

    Raises
    ------
    ValueError
        Another shape, or values that are not finite.
    """
    if values.ndim != 3 or min(values.shape) < 2 or not np.isfinite(values).all():
        raise ValueError(f"values of shape {values.shape}: finite ones, two of each factor at least, needed")
    t, s, i = values.shape
    cells = values.mean(axis=2)
    targets = cells.mean(axis=1)
    squares = np.array(
        [
            s * i * np.square(targets - targets.mean()).sum(),
            i * np.square(cells - targets[:, None]).sum(),
            np.square(values - cells[:, :, None]).sum(),
        ]
    )
    freedom = np.array([t - 1, t * (s - 1), t * s * (i - 1)])
    rng = np.random.default_rng(0)
    possible = _components(squares / rng.chisquare(freedom, (draws, 3)), s, i)
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.maximum(possible, 0.0), [tail, 1 - tail], axis=0)
    raw = _components((squares / freedom)[None], s, i)[0]
    variances = np.maximum(raw, 0.0)
    total = float(variances.sum())
    return {
        name: Component(float(v), float(r), float(a), float(b), float(v) / total if total else math.nan)
        for name, v, r, a, b in zip(NAMES, variances, raw, low, high, strict=True)
    }


def shared_effect(values: np.ndarray) -> float:
    """P of the hypothesis that samples of one index, with their inputs, do not move all targets alike.

    F test of the sample's main effect against its interaction with the target, in the two-way layout of the
    means over initialisations: (samples - 1) and (targets - 1)(samples - 1) degrees of freedom. With
    two samples it is the paired t test over targets. NaN where nothing but rounding is left.

    Parameters
    ----------
    values : array of shape (targets, samples, initialisations)
    """
    # scipy.special starts slowly
    from scipy import special

    cells = values.mean(axis=2)
    t, s = cells.shape
    main = cells.mean(axis=0) - cells.mean()
    rest = cells - cells.mean(axis=1, keepdims=True) - main
    between, within = t * np.square(main).sum(), np.square(rest).sum()
    if math.sqrt(between + within) <= 1e-9 * max(1.0, float(np.abs(cells).max())):
        return math.nan
    ratio = (t - 1) * between / within if within else math.inf
    return float(special.fdtrc(s - 1, (t - 1) * (s - 1), ratio))


def _components(mean_squares: np.ndarray, s: int, i: int) -> np.ndarray:
    """From mean squares (n, 3) to the components, by their expectations."""
    target, sample, init = mean_squares.T
    return np.stack([(target - sample) / (s * i), (sample - init) / i, init], axis=1)


@dataclasses.dataclass(frozen=True)
class Spread:
    """Components of one quantity of one learner on one target at one d.

    Attributes
    ----------
    quantity : str
        log n* at an epsilon, or log error at an n.
    n : float
        Geometric mean of n*, or that n.
    components : mapping of str to Component, or None
        None where ``reason`` says why.
    of_grid : float
        What the width of the intervals adds to the variance of log n*, (log of the ratio)^2 / 12 on
        average; 0 for errors.
    shared : float
        p of ``shared_effect``; NaN where there are no components.
    """

    learner: str
    target: str
    d: int
    quantity: str
    n: float
    components: Mapping[str, Component] | None
    of_grid: float = 0.0
    shared: float = math.nan
    reason: str = ""


def spreads(rows: Sequence[Row], certificates: Certificates, epsilons: Sequence[Epsilon]) -> list[Spread]:
    """Components of log n*, and of the log error at every n that all replicates have, of crossed cells.

    log n* enters as the middle of its interval. A cell in which a replicate is censored has no components of
    n*: they would be those of the ones that got there. One that was run at a single n has no n*. Errors are
    not interpolated: grids are staggered by the sample's index, so that between sizes, where a curve falls
    steeply, the grid would pass for an effect of the sample.
    """
    cells: dict[tuple[str, str, int], list[Row]] = defaultdict(list)
    for row in rows:
        cells[row.learner, row.target, row.d].append(row)
    all_spreads = []
    for name, cell_rows in cells.items():
        curves: dict[Replicate, list[Row]] = defaultdict(list)
        for row in cell_rows:
            curves[row.replicate].append(row)
        shape = _crossed(set(curves))
        if shape is None:
            continue
        if any(len(curve) > 1 for curve in curves.values()):
            all_spreads += [
                _of_n_star(name, e, n_stars(cell_rows, certificates, [e]), shape) for e in epsilons
            ]
        all_spreads += _of_errors(name, curves, shape)
    return all_spreads


def _crossed(replicates: set[Replicate]) -> tuple[int, int, int] | None:
    """Numbers of targets, samples and initialisations of a crossed cell; None where it is not one."""
    axes = [sorted({r[k] for r in map(dataclasses.astuple, replicates)}) for k in range(3)]
    shape = (len(axes[0]), len(axes[1]), len(axes[2]))
    whole = {Replicate(*triple) for triple in itertools.product(*axes)}
    return shape if min(shape) >= 2 and whole == replicates else None


def _of_n_star(
    name: tuple[str, str, int], epsilon: Epsilon, stars: Sequence[NStar], shape: tuple[int, int, int]
) -> Spread:
    quantity = f"log n*, {epsilon.label}"
    stars = sorted(stars, key=lambda star: star.replicate)
    bracketed = sum(star.censoring == "bracketed" for star in stars)
    if bracketed < math.prod(shape):
        reason = f"unidentified: {bracketed} of {math.prod(shape)} bracketed"
        return Spread(*name, quantity, math.nan, None, reason=reason)
    logs = np.log([[star.lower, star.upper] for star in stars])
    middle, width = logs.mean(axis=1).reshape(shape), logs[:, 1] - logs[:, 0]
    n = float(np.exp(middle.mean()))
    grid = float(np.mean(width**2)) / 12
    return Spread(*name, quantity, n, variance_components(middle), grid, shared_effect(middle))


def _of_errors(
    name: tuple[str, str, int], curves: Mapping[Replicate, Sequence[Row]], shape: tuple[int, int, int]
) -> list[Spread]:
    errors = [
        {r.n: r.error for r in curves[replicate] if r.status in FITTED and r.error}
        for replicate in sorted(curves)
    ]
    at_each_size = []
    for n in sorted(set.intersection(*map(set, errors))):
        values = np.log([of_curve[n] for of_curve in errors]).reshape(shape)
        components, shared = variance_components(values), shared_effect(values)
        at_each_size.append(Spread(*name, f"log error, n = {n}", n, components, shared=shared))
    return at_each_size
