"""How often three standard errors hold the error of a fit, on plain and on weighted test points.

``python -m hierbench.benchmarks.studies.error_of_tests`` prints a table: deep nets that have learned part of
a target of degree 8, whose squared errors have the heaviest tails of any suite. The truth is the mean over
all test sets, weighted ones.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

from hierbench.benchmarks.show.output import markdown_row
from hierbench.benchmarks.statistics.sample_complexity import DOUBT
from hierbench.benchmarks.units.metric import ErrorEstimate, relative_mse
from hierbench.learners import DenseNetRegressor
from hierbench.targets.base import Target
from hierbench.targets.registry import make_target

HEAD = ("d", "points", "drawn", "median standard error", "unreliable", "3 standard errors hold")
TRAINED = 1500


def fitted(d: int, seed: int) -> tuple[Target, DenseNetRegressor]:
    """A target of degree 8 and a net fitted to some of it."""
    target = make_target("squares", d=d, seed=seed, depth=3, width=3, alpha=0.5, rho=0.5)
    net = DenseNetRegressor(3, 24, steps=3000, learning_rate=0.01, weight_decay=0.01, random_state=0)
    return target, net.fit(*target.sample(TRAINED, np.random.default_rng(seed)))


def estimates(
    target: Target, net: DenseNetRegressor, sets: int, points: int, weighted: bool
) -> Iterator[ErrorEstimate]:
    """Errors of one net on as many test sets."""
    for i in range(sets):
        rng = np.random.default_rng([i, weighted])
        X, y, weights = (
            target.importance_sample(points, rng)
            if weighted
            else (*target.sample_test(points, rng), np.ones(points))
        )
        yield relative_mse(net.predict(X) - y, y, weights)


def table(dims: tuple[int, ...], sets: int, points: int) -> Iterator[str]:
    """Lines of a Markdown table, as they are found."""
    yield markdown_row(HEAD)
    yield markdown_row(["---"] * len(HEAD))
    for d in dims:
        target, net = fitted(d, 0)
        found = {w: list(estimates(target, net, sets, points, w)) for w in (True, False)}
        truth = float(np.mean([e.error for e in found[True]]))
        for weighted in (False, True):
            of_kind = found[weighted]
            held = np.mean([abs(e.error - truth) <= DOUBT * e.standard_error for e in of_kind])
            doubt = np.median([e.standard_error / e.error for e in of_kind])
            unreliable = np.mean([e.unreliable for e in of_kind])
            kind = "spread, weighted" if weighted else "from the law"
            yield markdown_row(
                [str(d), str(points), kind, f"{doubt:.1%}", f"{unreliable:.0%}", f"{held:.3f}"]
            )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Coverage of three standard errors of a test error.")
    parser.add_argument("--d", type=int, nargs="+", default=[6, 12])
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--points", type=int, default=16384)
    given = parser.parse_args()
    for line in table(tuple(given.d), given.sets, given.points):
        print(line, flush=True)


if __name__ == "__main__":
    main()
