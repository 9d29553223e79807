"""Whether kernels' lattices end too early: ``python -m hierbench.benchmarks.studies.lattice_ends``.

A kernel that is chosen at an end of its lattice, of an axis with no natural end there, is fitted again with
one value beyond. It pays where that lowers the inner error, by which kernels are chosen, by more than 5 %:
what a net says of its grid itself.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from hierbench.benchmarks.show.output import markdown_row
from hierbench.benchmarks.units.draw import draw_sample, draw_target, random_state
from hierbench.benchmarks.units.metric import relative_mse
from hierbench.benchmarks.units.vocabulary import TargetSpec
from hierbench.learners.net_kernels import compositional, infinite_width, ntk, ntk_dual
from hierbench.learners.registry import LEARNERS, make_learner

PAYS = 0.05
"""Share of the inner error that a step beyond must take off."""
REPLICATES = 8
TEST_POINTS = 2**14

Ends = Mapping[str, tuple[Sequence[float], Sequence[float]]]
"""By parameter: the values of its lattice, and those next to its ends that are no natural ones."""

_DEEP: Ends = {
    "bias": (infinite_width.BIASES.values, (30.0,)),
    "depth": (infinite_width.DEPTHS.values, (6,)),
}
OPEN: Mapping[str, Ends] = {
    "compositional": {
        "bias": (compositional.BIASES.values, (10.0,)),
        "homogeneity": (compositional.HOMOGENEITIES.values, (8.0,)),
        "depth": (infinite_width.DEPTHS.values, (6,)),
    },
    "ntk": {"bias": (ntk.BIASES.values, (10.0,)), "depth": (ntk.DEPTHS.values, (6,))},
    "ntk_densenet": {
        "share": (ntk_dual.SHARES.values, (0.03, 0.97)),
        "bias": (infinite_width.BIASES.values, (30.0,)),
    },
    "ntk_erf": _DEEP,
    "nngp": _DEEP,
}
"""Learners with axes of a few values; length scales and offsets span three decades and are left out."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """A target, as suites draw it, and the size of a sample."""

    family: str
    parameters: Mapping[str, Any]
    depth: int
    d: int
    n: int

    @property
    def spec(self) -> TargetSpec:
        """The target as a suite has it."""
        return {"family": self.family, "parameters": dict(self.parameters)}

    def title(self) -> str:
        """Say family, degree, d and n."""
        return f"{self.family}, degree {2**self.depth}, d = {self.d}, n = {self.n}"


_SQUARES = {"width": 3, "alpha": 0.5, "rho": 0.5}
CELLS = tuple(
    Cell(family, {"depth": depth, **rest}, depth, d, n)
    for family, depth, rest, d, sizes in (
        ("squares", 2, _SQUARES, 8, (250, 500)),
        ("projected", 2, {"width": 3}, 7, (150, 300)),
        ("squares", 3, _SQUARES, 6, (900, 1800)),
    )
    for n in sizes
)


@dataclasses.dataclass(frozen=True)
class Step:
    """What one value beyond an end does to a fit: inner and test error with it over those without."""

    parameter: str
    inner: float
    test: float


@dataclasses.dataclass(frozen=True)
class Found:
    """A fit of a cell: its test error, and the steps beyond the ends at which it was chosen."""

    error: float
    steps: tuple[Step, ...]

    @property
    def paying(self) -> Step | None:
        """The step that lowers the inner error most, if by more than ``PAYS``."""
        best = min(self.steps, key=lambda step: step.inner, default=None)
        return best if best and best.inner < 1.0 - PAYS else None


def beyond(chosen: Mapping[str, Any], ends: Ends) -> Iterator[tuple[str, list[float]]]:
    """Parameters that were chosen at an open end, each with its lattice and the value beyond."""
    for parameter, (values, outside) in ends.items():
        for value in outside:
            end = max(values) if value > max(values) else min(values)
            if chosen[parameter] == end:
                whole = [*values, value]
                yield parameter, [int(x) for x in whole] if parameter == "depth" else whole


def examine(learner: str, cell: Cell, index: int, test_points: int = TEST_POINTS) -> Found:
    """Fit a learner to one replicate of a cell, and again with each step beyond an end at which it is."""
    target = draw_target(cell.spec, cell.d, index)
    X, y = draw_sample(target, cell.spec, index, cell.n)
    X_test, y_test, weights = target.importance_sample(test_points, np.random.default_rng(index))
    known = {LEARNERS[learner].knows_depth: cell.depth, LEARNERS[learner].knows_degree: 2**cell.depth}
    own = {name: value for name, value in known.items() if name}

    def errors(**parameters: Any) -> tuple[float, float, Mapping[str, Any]]:
        fitted = make_learner(learner, **own, **parameters)
        if "random_state" in fitted.get_params():
            fitted.set_params(random_state=random_state(cell.spec, cell.d, index))
        fitted.fit(X, y)
        test = relative_mse(fitted.predict(X_test) - y_test, y_test, weights).error
        report = fitted.fit_report_
        return report.health["loo_mse"], test, report.hyperparameters

    inner, test, chosen = errors()
    ends = {name: pair for name, pair in OPEN[learner].items() if name not in own}
    steps = []
    for parameter, values in beyond(chosen, ends):
        inner_with, test_with, _ = errors(**{parameter: values})
        steps.append(Step(parameter, inner_with / inner, test_with / test))
    return Found(test, tuple(steps))


HEADINGS = (
    "learner",
    "target",
    "test error",
    "at an end",
    "a step beyond pays",
    "which",
    "inner error with it",
    "test error with it",
)


def row(learner: str, cell: Cell, found: Sequence[Found]) -> tuple[str, ...]:
    """A line of the table, of geometric means: test errors of all fits, then of those in which a step pays.

    The latter are ratios, with the step over without; of several steps of a fit the one that lowers its inner
    error most counts.
    """
    paying = [step for one in found if (step := one.paying)]
    return (
        learner,
        cell.title(),
        _geometric([one.error for one in found]),
        f"{sum(bool(one.steps) for one in found)} of {len(found)}",
        f"{len(paying)} of {len(found)}",
        ", ".join(sorted({step.parameter for step in paying})) or "-",
        _geometric([step.inner for step in paying]),
        _geometric([step.test for step in paying]),
    )


def _geometric(values: Sequence[float]) -> str:
    return f"{math.exp(sum(map(math.log, values)) / len(values)):.2g}" if values else "-"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each learner and cell, as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m hierbench.benchmarks.studies.lattice_ends")
    parser.description = "Print whether a step beyond the ends of kernels' lattices pays, as Markdown."
    parser.add_argument("learner", nargs="*", help=f"of {', '.join(OPEN)}; by default all")
    given = parser.parse_args(arguments)
    for name in given.learner:
        if name not in OPEN:
            parser.error(f"learner = {name!r}: allowed are {', '.join(OPEN)}")
    for line in (HEADINGS, ["---"] * len(HEADINGS)):
        print(markdown_row(line), flush=True)
    for learner in given.learner or OPEN:
        for cell in CELLS:
            found = [examine(learner, cell, index) for index in range(REPLICATES)]
            print(markdown_row(row(learner, cell, found)), flush=True)


if __name__ == "__main__":
    main()
