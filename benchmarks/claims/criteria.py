"""The claims that the suite measures: ``claims.toml`` as plain typed data.

A claim has criteria. A criterion is one figure (a quantity of ``hierbench.benchmarks.claims.quantities``, of
every learner, target and epsilon that it names) and the bounds that decide it, written down beforehand.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hierbench.benchmarks.suites.epsilon import Epsilon


FIXED = ("before any of its rows", "after rows of its suites had been seen")
"""When the bounds of a claim were written down; the first may name the commit: "...: 1a2b3c4"."""
KINDS = ("theorem", "lower bound", "open", "assumption", "talk")
"""What kind of statement a claim is: an upper bound that is proved, a lower bound that is, what the paper
says nobody knows, what a theorem assumes, a heuristic of the talk. A theorem that assumes something is not
contradicted where one can do without: an assumption is needed here or not."""


@dataclasses.dataclass(frozen=True)
class Bounds:
    """Where a figure has to lie: ``low <= figure <= high``; infinite on a side that is free."""

    low: float = -math.inf
    high: float = math.inf

    def text(self) -> str:
        """Say the bounds in words."""
        if math.isinf(self.low):
            return f"at most {self.high:g}"
        return f"at least {self.low:g}" if math.isinf(self.high) else f"in [{self.low:g}, {self.high:g}]"


@dataclasses.dataclass(frozen=True)
class Criterion:
    """One figure and its bounds.

    Attributes
    ----------
    what : str
        The figure in words.
    quantity : str
        Name in ``hierbench.benchmarks.claims.quantities.QUANTITIES``.
    targets, learners : tuple of str
        Labels of the suite.
    reference : str or None
        Learner that the others are compared with.
    beside : bool
        Shown, and decides nothing.
    experiments : tuple of str
        Labels of the suite's experiments, for a figure that is not made of learning curves; then there
        are no targets and learners.
    d : tuple of int
        The dimensions whose rows count; empty: all.
    looks : int
        How often it has been judged: 2 where it decided nothing and its cells or its interval changed.
    """

    claim: str
    what: str
    suite: str
    quantity: str
    bounds: Bounds
    targets: tuple[str, ...]
    learners: tuple[str, ...]
    reference: str | None = None
    epsilons: tuple[Epsilon, ...] = ()
    beside: bool = False
    experiments: tuple[str, ...] = ()
    looks: int = 1
    d: tuple[int, ...] = ()

    def cells(self) -> set[tuple[str, str]]:
        """(learner, target) pairs that the figure is made of."""
        learners = (*self.learners, *([self.reference] if self.reference else []))
        return {(learner, target) for learner in learners for target in self.targets}


@dataclasses.dataclass(frozen=True)
class Claim:
    """A claim of the paper or the talk.

    Attributes
    ----------
    scope : str
        What a verdict is about where it is about less than the statement; may be empty.
    fixed : str
        One of ``FIXED``, the first with a commit or without.
    kind : str
        One of ``KINDS``.
    """

    id: str
    statement: str
    source: str
    scope: str
    fixed: str
    criteria: tuple[Criterion, ...]
    kind: str = "theorem"
