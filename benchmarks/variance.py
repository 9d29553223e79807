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
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.rows import Replicate, Row
from benchmarks.sample_complexity import Certificates, Epsilon, NStar, n_stars

if TYPE_CHECKING:
    from rich.console import Console

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

    with independent normal terms: the target, the sample drawn on it, the initialisation on that. Samples
    of one index share their inputs across targets, and initialisations their seed; with two of each
    an effect of the inputs alone has one degree of freedom and could not be told from nothing, so that it
    counts to the component of the sample. Estimates equate mean squares with their expectations; intervals
    are the generalised ones (Weerahandi, J. Am. Stat. Assoc. 88, 1993): quantiles of the components over
    draws of the chi-square variables that the sums of squares are divided by, cut at 0. That of
    the initialisation is then the usual chi-square interval.

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
    found = np.maximum(raw, 0.0)
    total = float(found.sum())
    return {
        name: Component(float(v), float(r), float(a), float(b), float(v) / total if total else math.nan)
        for name, v, r, a, b in zip(NAMES, found, raw, low, high, strict=True)
    }


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
    """

    learner: str
    target: str
    d: int
    quantity: str
    n: float
    components: Mapping[str, Component] | None
    of_grid: float = 0.0
    reason: str = ""


def spreads(rows: Sequence[Row], certificates: Certificates, epsilons: Sequence[Epsilon]) -> list[Spread]:
    """Components of log n*, and of the log error at the same n, for every crossed cell of the rows.

    log n* enters as the middle of its interval. The error at n, the geometric mean of n*, is
    interpolated between sizes (log against log), since grids are staggered. A cell in which a replicate is
    censored has no components of n*: they would be those of the ones that got there.
    """
    cells: dict[tuple[str, str, int], list[Row]] = defaultdict(list)
    for row in rows:
        cells[row.learner, row.target, row.d].append(row)
    found = []
    for (learner, target, d), own in cells.items():
        shape = _crossed({Replicate(r.target_index, r.sample_index, r.init_index) for r in own})
        if shape is None:
            continue
        for epsilon in epsilons:
            found += _of_cell(
                (learner, target, d), epsilon, n_stars(own, certificates, [epsilon]), own, shape
            )
    return found


def _crossed(replicates: set[Replicate]) -> tuple[int, int, int] | None:
    """Numbers of targets, samples and initialisations of a crossed cell; None where it is not one."""
    axes = [sorted({r[k] for r in map(dataclasses.astuple, replicates)}) for k in range(3)]
    shape = (len(axes[0]), len(axes[1]), len(axes[2]))
    whole = {Replicate(*triple) for triple in itertools.product(*axes)}
    return shape if min(shape) >= 2 and whole == replicates else None


def _of_cell(
    name: tuple[str, str, int],
    epsilon: Epsilon,
    stars: Sequence[NStar],
    rows: Sequence[Row],
    shape: tuple[int, int, int],
) -> list[Spread]:
    quantity = f"log n*, {epsilon.label}"
    stars = sorted(stars, key=lambda star: dataclasses.astuple(star.replicate))
    censored = sum(star.censoring != "bracketed" for star in stars)
    if censored or len(stars) != math.prod(shape):
        return [Spread(*name, quantity, math.nan, None, 0.0, f"{censored} of {len(stars)} not bracketed")]
    logs = np.log([[star.lower, star.upper] for star in stars])
    middle, width = logs.mean(axis=1), logs[:, 1] - logs[:, 0]
    n = float(np.exp(middle.mean()))
    found = [
        Spread(*name, quantity, n, variance_components(middle.reshape(shape)), float(np.mean(width**2)) / 12)
    ]
    errors = [_log_error(rows, star.replicate, n) for star in stars]
    what = f"log error at n = {n:.0f}"
    if any(error is None for error in errors):
        return [*found, Spread(*name, what, n, None, 0.0, "n is outside of some grids")]
    values = np.array(errors, dtype=np.float64).reshape(shape)
    return [*found, Spread(*name, what, n, variance_components(values))]


def _log_error(rows: Sequence[Row], replicate: Replicate, n: float) -> float | None:
    points = sorted(
        (math.log(r.n), math.log(r.error))
        for r in rows
        if Replicate(r.target_index, r.sample_index, r.init_index) == replicate
        and r.status in ("ok", "unreliable")
        and r.error is not None
        and r.error > 0
    )
    x = math.log(n)
    if not points or not points[0][0] <= x <= points[-1][0]:
        return None
    return float(np.interp(x, [p[0] for p in points], [p[1] for p in points]))


def variance_tables(
    rows: Sequence[Row], certificates: Certificates, epsilons: Sequence[Epsilon], console: Console
) -> None:
    """Print a table for each target and d that has a crossed cell; nothing where there is none."""
    from rich.table import Table

    tables: dict[tuple[str, int], list[Spread]] = defaultdict(list)
    for spread in spreads(rows, certificates, epsilons):
        tables[spread.target, spread.d].append(spread)
    for (target, d), found in tables.items():
        table = Table(
            title=f"Variance components on {target}, d = {d}: standard deviations of logs with 95 % "
            "intervals, and shares of the variance",
            title_justify="left",
        )
        for column in ("learner", "quantity", *NAMES, "total", "of it the grid"):
            table.add_column(column)
        for spread in found:
            table.add_row(spread.learner, spread.quantity, *cells_of(spread))
        console.print(table)


def cells_of(spread: Spread) -> list[str]:
    """The three components, their sum, and the part of the grid, as texts."""
    if spread.components is None:
        return [spread.reason, *[""] * (len(NAMES) + 1)]
    total = sum(c.value for c in spread.components.values())
    texts = [
        f"{math.sqrt(c.value):.2f} [{math.sqrt(c.low):.2f}, {math.sqrt(c.high):.2f}], {100 * c.share:.0f} %"
        for c in spread.components.values()
    ]
    grid = f"{math.sqrt(spread.of_grid):.2f}" if spread.of_grid else ""
    return [*texts, f"{math.sqrt(total):.2f}", grid]
