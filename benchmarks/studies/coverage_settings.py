"""What the study of coverage simulates, and what it counts."""

from __future__ import annotations

import dataclasses
import itertools

DIMENSIONS = (8, 12, 16, 24, 32)


@dataclasses.dataclass(frozen=True)
class Setting:
    """What is simulated: log n* = a + exponent log d + log_sd z, seen through staggered grids.

    Attributes
    ----------
    exponent : float or None
        None: drawn between 1 and 4 in every simulation.
    ratio : float
        Of neighbouring sizes.
    censored : float
        Share of the population above the largest size, which is the same at all d.
    one_plan : bool
        The same plan of sizes in all simulations, and the level of the curve drawn. Else the plan's scale is
        drawn, and with it the stagger of every d.
    """

    exponent: float | None
    replicates: int
    log_sd: float
    ratio: float
    censored: float = 0.4
    one_plan: bool = False
    dimensions: tuple[int, ...] = DIMENSIONS
    shock: float = 0.0
    own_slope: float = 0.0
    bend: float = 0.0

    def seed_parts(self) -> dict[str, object]:
        """What its random numbers follow from; what is usual goes without saying."""
        usual = {"dimensions": DIMENSIONS, "shock": 0.0, "own_slope": 0.0, "bend": 0.0}
        return {k: v for k, v in dataclasses.asdict(self).items() if k not in usual or v != usual[k]}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What was counted in one setting.

    Coverages are shares; those of the interval and of the bounds are conditional on
    that there is one. ``agree`` is the share of simulations in which some line meets all intervals, so that
    they show no scatter; ``bootstrap`` is None where it was not computed. Coverage and widths are those of
    the interval for independent replicates, ``reported`` and ``reported_width`` of the one that is reported;
    ``unfit`` is the share in which a lack of fit is flagged (p < 0.05).
    """

    setting: Setting
    simulations: int
    censored: float
    agree: float
    estimates: int
    coverage: float
    median_width: float
    smallest_width: float
    bounds: int
    bounds_true: int
    naive: float
    bootstrap: float | None
    reported: float
    reported_width: float
    unfit: float


STUDY = tuple(
    Setting(*values)
    for values in itertools.product((1.0, 1.37, 2.6, 4.0), (3, 5, 10), (0.05, 0.2, 0.5), (1.4, 2.0))
)
AVERAGED = tuple(Setting(None, *v) for v in itertools.product((3, 5, 10), (0.05,), (1.4, 2.0)))
ONE_PLAN = tuple(dataclasses.replace(s, one_plan=True) for s in STUDY if s.log_sd == 0.05)
HARDER = tuple(Setting(*v, 0.7) for v in itertools.product((1.37, 2.6), (3, 5), (0.2, 0.5), (2.0,)))
KINDS = ((0.0, 0.0), (0.15, 0.0), (0.3, 0.0), (0.0, 0.3))
"""Shocks of a d, and slopes of a replicate."""
FOUR, EIGHT = (8, 12, 16, 24), (6, 8, 10, 12, 16, 20, 24, 32)
BOTH = (0.15, 0.3)
TOGETHER = tuple(
    Setting(2.6, replicates, 0.2, 1.4, 0.1, dimensions=d, shock=shock, own_slope=own)
    for d, replicates, kinds in (
        (FOUR, 4, (*KINDS, BOTH)),
        (FOUR, 16, KINDS),
        (DIMENSIONS, 8, (*KINDS, BOTH)),
        (EIGHT, 4, KINDS),
        (EIGHT, 8, KINDS),
        (EIGHT, 16, KINDS),
    )
    for shock, own in kinds
)
BENDS = tuple(
    Setting(2.0, replicates, 0.2, 1.4, 0.1, dimensions=d, bend=0.3)
    for d, replicates in ((DIMENSIONS, 4), (DIMENSIONS, 16), (EIGHT, 8), ((8, 12, 16, 24, 32, 48, 64, 96), 8))
)
THREE = tuple(
    Setting(*v, 0.1, dimensions=(6, 8, 10))
    for v in itertools.product((2.0, 3.0), (4, 8), (0.05, 0.2, 0.5), (1.4, 2.0))
)
