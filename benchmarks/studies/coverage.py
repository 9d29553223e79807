"""How often the interval of an exponent holds the truth: a simulation study.

``python -m hierbench.benchmarks.studies.coverage --simulations 500 --out docs/coverage.md`` writes the
tables. Everything about a simulation follows from its setting and number.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import itertools
import math
import multiprocessing
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import optimize, stats
from scipy.special import ndtr

from hierbench.benchmarks.statistics.exponents import FLAGGED, exponent
from hierbench.benchmarks.statistics.sample_complexity import Censoring, NStar
from hierbench.benchmarks.studies.coverage_settings import (
    AVERAGED,
    BENDS,
    DIMENSIONS,
    HARDER,
    ONE_PLAN,
    STUDY,
    THREE,
    TOGETHER,
    Outcome,
    Setting,
)
from hierbench.benchmarks.studies.coverage_tables import PLAIN, SHARED, summary, table
from hierbench.benchmarks.suites.epsilon import Epsilon
from hierbench.benchmarks.suites.suite import SizePlan
from hierbench.benchmarks.units.rows import Replicate
from hierbench.benchmarks.units.seeds import generator
from hierbench.errors import refusal

RESAMPLES = 299
_EPSILON = Epsilon(0.1)


def curve(slope: float, setting: Setting) -> np.ndarray:
    """Log n* at each d, less that at the first."""
    x = np.log(np.array(setting.dimensions, dtype=float))
    line: np.ndarray = slope * (x - x[0]) + setting.bend * (x**2 - x[0] ** 2)
    return line


def largest_size(slope: float, setting: Setting) -> float:
    """Log of the size above which n* lies with the share of ``setting``.

    Grids stop at their last point below it, anywhere within one step of it.
    """
    means = curve(slope, setting)
    step = math.log(setting.ratio)
    short = (np.arange(64) + 0.5)[:, None] / 64 * step

    def excess(log_n: float) -> float:
        scatter = math.hypot(setting.log_sd, setting.shock)
        return float(np.mean(stats.norm.sf((log_n - short - means) / scatter))) - setting.censored

    return float(optimize.brentq(excess, means[0] - 10, means[-1] + 10))


def simulate(slope: float, largest: float, setting: Setting, rng: np.random.Generator) -> list[NStar]:
    """n* of every d and replicate, on the grids that ``SizePlan`` lays out."""
    step = math.log(setting.ratio)
    scale = 1.0 if setting.one_plan else math.exp(rng.uniform(0, 10))
    plan = SizePlan(scale, power=0, ratio=setting.ratio, count=1, max=2)
    level = math.log(scale) + rng.uniform(0, step)
    stars = []
    means = curve(slope, setting)
    x = np.log(setting.dimensions) - np.mean(np.log(setting.dimensions))
    if setting.shock:
        means = means + setting.shock * rng.standard_normal(len(means))
    own = setting.own_slope * rng.standard_normal(setting.replicates) if setting.own_slope else None
    for r, (i_d, d) in itertools.product(range(setting.replicates), enumerate(setting.dimensions)):
        log_n = level + float(means[i_d]) + setting.log_sd * rng.standard_normal()
        log_n += 0.0 if own is None else float(own[r] * x[i_d])
        offset = math.log(scale) + plan.stagger(d, r) * step
        i, last = math.ceil((log_n - offset) / step), math.floor((level + largest - offset) / step)
        kind: Censoring = "bracketed" if i <= last else "right"
        lower = math.exp(offset + (min(i - 1, last)) * step)
        upper = math.exp(offset + i * step) if i <= last else math.inf
        stars.append(NStar("l", "t", d, Replicate(r, r, r), _EPSILON, lower, upper, kind, 0.1, None))
    return stars


def naive_interval(stars: Sequence[NStar]) -> tuple[float, float]:
    """Student's t interval of least squares through the middles, censored replicates dropped."""
    bracketed = [s for s in stars if s.censoring == "bracketed"]
    if len(bracketed) < 3 or len({s.d for s in bracketed}) < 2:
        return -math.inf, math.inf
    x, y = np.log([s.d for s in bracketed]), np.log([math.sqrt(s.lower * s.upper) for s in bracketed])
    line = stats.linregress(x, y)
    half = float(stats.t.ppf(0.975, len(bracketed) - 2)) * float(line.stderr)
    return float(line.slope) - half, float(line.slope) + half


def bootstrap_interval(stars: Sequence[NStar], rng: np.random.Generator) -> tuple[float, float]:
    """Percentile bootstrap of the censored maximum-likelihood slope, resampled within each d.

    All resamples at once, by expectation and maximisation (Dempster, Laird & Rubin 1977).
    """
    x = np.log([s.d for s in stars])
    x = x - x.mean()
    with np.errstate(divide="ignore"):
        lower, upper = np.log([s.lower for s in stars]), np.log([s.upper for s in stars])
    weights = np.zeros((RESAMPLES, len(stars)))
    for value in np.unique(x):
        here = np.flatnonzero(x == value)
        weights[:, here] = rng.multinomial(len(here), np.full(len(here), 1 / len(here)), RESAMPLES)
    middle = np.where(
        np.isfinite(upper), (lower + np.where(np.isfinite(upper), upper, lower)) / 2, lower + 0.2
    )
    y, extra = np.tile(middle, (RESAMPLES, 1)), np.zeros_like(weights)
    sw, sx, sxx = weights.sum(1), weights @ x, weights @ x**2
    slope = np.zeros(RESAMPLES)
    for _ in range(200):
        sy, sxy = (weights * y).sum(1), (weights * y) @ x
        before, slope = slope, (sw * sxy - sx * sy) / (sw * sxx - sx * sx)
        line = ((sy - slope * sx) / sw)[:, None] + slope[:, None] * x
        sigma = np.sqrt((weights * ((y - line) ** 2 + extra)).sum(1) / sw)[:, None]
        sigma = np.maximum(sigma, 0.02)
        if np.max(np.abs(slope - before)) < 1e-4:
            break
        low, high = (lower - line) / sigma, (upper - line) / sigma
        mirror = low > 0
        low, high = np.where(mirror, -high, low), np.where(mirror, -low, high)
        p = np.maximum(ndtr(high) - ndtr(low), 1e-290)
        f_low, f_high = np.exp(-(low**2) / 2), np.exp(-(high**2) / 2)
        root = math.sqrt(2 * math.pi) * p
        shift = (f_low - f_high) / root
        ends = np.where(f_low > 0, low, 0.0) * f_low - np.where(f_high > 0, high, 0.0) * f_high
        y = np.clip(line + sigma * np.where(mirror, -shift, shift), lower, upper)
        extra = sigma**2 * np.clip(1 + ends / root - shift**2, 0.0, 1.0)
    low_end, high_end = np.quantile(slope, [0.025, 0.975])
    return float(low_end), float(high_end)


def some_line_meets(stars: Sequence[NStar]) -> bool:
    """Whether one power law lies in the intervals of all replicates.

    A line of slope b meets two intervals unless one lies above the other once both are moved along b to
    the same place; of all pairs that asks b to be at least, or at most, something.
    """
    x = np.log([s.d for s in stars])
    with np.errstate(divide="ignore"):
        lower, upper = np.log([s.lower for s in stars]), np.log([s.upper for s in stars])
    run, rise = x[:, None] - x, lower[:, None] - upper  # b run >= rise
    if np.any((run == 0) & (rise > 0)):
        return False
    slopes = rise[run != 0] / run[run != 0]
    right = run[run != 0] > 0
    return bool(slopes[right].max(initial=-math.inf) <= slopes[~right].min(initial=math.inf))


def study(setting: Setting, simulations: int, bootstrap: bool = False) -> Outcome:
    """Simulate one setting; what is drawn follows from the setting alone."""
    rng = generator("coverage", **setting.seed_parts())
    widths, covered, bounds, bounds_true, naive, resampled, censored, agree = [], 0, 0, 0, 0, 0, 0, 0
    reported, reported_widths, unfit = 0, [], 0
    largest = {} if setting.exponent is None else {setting.exponent: largest_size(setting.exponent, setting)}
    for _ in range(simulations):
        slope = float(rng.uniform(1, 4)) if setting.exponent is None else setting.exponent
        stars = simulate(slope, largest.get(slope) or largest_size(slope, setting), setting, rng)
        censored += sum(s.censoring == "right" for s in stars)
        agree += some_line_meets(stars)
        estimate = exponent(stars)
        if estimate.kind == "estimate":
            covered += estimate.alone[0] <= slope <= estimate.alone[1]
            widths.append(estimate.alone[1] - estimate.alone[0])
            reported += estimate.low <= slope <= estimate.high
            reported_widths.append(estimate.high - estimate.low)
            unfit += estimate.lack_of_fit is not None and estimate.lack_of_fit < FLAGGED
        elif estimate.kind == "lower bound":
            bounds += 1
            bounds_true += estimate.low <= slope
        low, high = naive_interval(stars)
        naive += low <= slope <= high
        if bootstrap:
            low, high = bootstrap_interval(stars, rng)
            resampled += low <= slope <= high
    return Outcome(
        setting=setting,
        simulations=simulations,
        censored=censored / (simulations * setting.replicates * len(setting.dimensions)),
        agree=agree / simulations,
        estimates=len(widths),
        coverage=covered / len(widths) if widths else math.nan,
        median_width=float(np.median(widths)) if widths else math.nan,
        smallest_width=min(widths, default=math.nan),
        bounds=bounds,
        bounds_true=bounds_true,
        naive=naive / simulations,
        bootstrap=resampled / simulations if bootstrap else None,
        reported=reported / len(widths) if widths else math.nan,
        reported_width=float(np.median(reported_widths)) if widths else math.nan,
        unfit=unfit / len(widths) if widths else math.nan,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=500, help="of every setting")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", help="only parts whose heading contains this, such as 'Three dimensions'")
    parser.add_argument("--out", type=Path, help="Markdown file (default: standard output)")
    options = parser.parse_args(arguments)
    for name in ("simulations", "workers"):
        if getattr(options, name) < 1:
            parser.error(refusal(f"--{name}", getattr(options, name), "integers from 1"))
    groups = {
        "Forty per cent censored": (STUDY, True, PLAIN),
        "Little scatter, averaged over exponents": (AVERAGED, False, PLAIN),
        "Little scatter, one plan of sizes in all simulations": (ONE_PLAN, False, PLAIN),
        "Seventy per cent censored": (HARDER, False, PLAIN),
        "Three dimensions, d = 6, 8, 10, ten per cent censored": (THREE, False, PLAIN),
        "Replicates that scatter together": (TOGETHER, False, SHARED),
        "Lines that bend": (BENDS, False, SHARED),
    }
    if options.only:
        groups = {heading: group for heading, group in groups.items() if options.only in heading}
        if not groups:
            parser.error(f"--only {options.only}: no part has this in its heading")
    parts: list[str] = [
        "# Coverage of the exponent's interval\n",
        "Written by `python -m hierbench.benchmarks.studies.coverage --simulations "
        f"{options.simulations}`. Unless stated otherwise, n* is simulated at d = "
        + ", ".join(map(str, DIMENSIONS))
        + " and seen as intervals between the sizes of a suite's plan (`SizePlan`); the plan's scale, "
        "and with it the stagger, is drawn anew in every simulation. Replicates scatter "
        "independently of one another, and the interval is the one for such replicates, except in the parts "
        "on replicates that scatter together and on lines that bend. The interval that is reported contains "
        "it, so that it covers at least as often. The nominal level is 95 %. Coverage is the share of "
        "intervals that hold the true exponent, among simulations that have an estimate. Naive: "
        "least squares through the middles of the intervals, without the censored ones. Bootstrap: "
        f"percentile, {RESAMPLES} resamples of replicates within d, of the censored "
        "maximum-likelihood slope (at 3 replicates and ratio 1.4). 'A line meets all': one power "
        "law passes through the intervals of all replicates, so that they show no scatter. 'One "
        "plan of sizes in all simulations': only the level of the curve and its scatter are drawn.\n",
    ]
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(options.workers, mp_context=context) as pool:
        for heading, (settings, resample, columns) in groups.items():
            waiting = [
                pool.submit(study, s, options.simulations, resample and s.replicates == 3 and s.ratio < 2)
                for s in settings
            ]
            outcomes = []
            for future in waiting:
                outcomes.append(future.result())
                print(table(outcomes[-1:], columns).splitlines()[-1], file=sys.stderr, flush=True)
            counted = [summary(outcomes) + "\n"] if columns is PLAIN else []
            parts += [f"## {heading}\n", *counted, table(outcomes, columns)]
    text = "\n".join(parts)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
