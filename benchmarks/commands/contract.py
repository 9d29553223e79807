"""What is printed of the contract of a learner or a target."""

from __future__ import annotations

from collections.abc import Iterable

SECONDS = 120.0
"""That one check may take."""


def show_contract(outcomes: Iterable[tuple[str, str, str, float]]) -> bool:
    """Print what holds, and what fails with its reason; return whether nothing fails.

    Parameters
    ----------
    outcomes : iterable of (check, outcome, reason, seconds)
        As of ``hierbench.benchmarks.isolation.outcomes.outcomes``.
    """
    count = {"holds": 0, "skipped": 0, "fails": 0}
    reasons: dict[str, int] = {}
    total = 0.0
    for check, outcome, reason, seconds in outcomes:
        count[outcome] += 1
        total += seconds
        if outcome == "fails":
            print(f"fails: {check.partition('_')[2].replace('_', ' ')}: {reason}")
        elif outcome == "skipped":
            reasons[reason] = reasons.get(reason, 0) + 1
    print(f"contract: {count['holds']} checks hold, {count['fails']} fail ({total:.0f} s)")
    for reason, number in reasons.items():
        print(f"  {number} not asked: {reason}")
    return not count["fails"]
