"""What a campaign of faults counts."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable


@dataclasses.dataclass
class Tally:
    """One line of the table in docs/robustness.md.

    Attributes
    ----------
    fault : str
        What was done.
    outcomes : Counter
        How often what came of it.
    wrong : list of str
        What should not have come of it, in a line each.
    """

    fault: str
    outcomes: Counter[str] = dataclasses.field(default_factory=Counter)
    wrong: list[str] = dataclasses.field(default_factory=list)

    def add(self, outcome: str, wrong: Iterable[str] = ()) -> None:
        """Count one try."""
        self.outcomes[outcome] += 1
        self.wrong.extend(wrong)


def markdown(tallies: Iterable[Tally]) -> str:
    """The table, with what went wrong below it."""
    tallies = list(tallies)
    lines = ["| what was done | how often | what came of it | wrong |", "|---|---|---|---|"]
    for tally in tallies:
        outcomes = "; ".join(f"{count} {outcome}" for outcome, count in sorted(tally.outcomes.items()))
        lines.append(f"| {tally.fault} | {tally.outcomes.total()} | {outcomes} | {len(tally.wrong)} |")
    return "\n".join([*lines, *(f"- {t.fault}: {line}" for t in tallies for line in t.wrong)])
