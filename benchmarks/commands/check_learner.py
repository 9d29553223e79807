"""``hierbench check-learner``: what a learner keeps, what it needs, and where it lands."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from hierbench.benchmarks.commands.contract import SECONDS, show_contract
from hierbench.benchmarks.commands.run import execute
from hierbench.benchmarks.isolation.outcomes import outcomes
from hierbench.benchmarks.results import reference
from hierbench.benchmarks.results.beside import evidence_of
from hierbench.benchmarks.show.table import format_summary
from hierbench.benchmarks.show.takeaway import success
from hierbench.benchmarks.statistics.ranks import ALARM_RATE, compare_with, holm
from hierbench.benchmarks.statistics.sample_complexity import NStar, n_stars, summarise
from hierbench.benchmarks.suites.choices import choose
from hierbench.benchmarks.suites.epsilon import Scale, epsilons_of
from hierbench.benchmarks.suites.suite import Suite
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.benchmarks.units.rows import FITTED
from hierbench.learners.registry import LEARNERS

SUITE = "quick"


def check(name: str, settings: Sequence[str], results: Path, workers: int | None, figures: bool) -> int:
    """Print whether a learner keeps the contract, what it needs, and where it lands among the others.

    Parameters
    ----------
    name : str
        Registered name or import path.
    settings : sequence of str
        ``learner.parameter=value``, as of ``hierbench run``.

    Returns
    -------
    int
        Exit status: 1 if a check of the contract fails, or as of ``hierbench run``.

    Raises
    ------
    UserError
        No such learner or parameter.
    """
    to_run, to_show = choose(load_suite(SUITE), [name], settings=settings)
    (label,) = {learner for run in to_run.runs for learner in run.learners}
    entry = next(e for e in to_run.learners if e.label == label)
    print(f"{label} ({entry.learner})")
    kept = show_contract(outcomes(entry.learner, entry.params, SECONDS))
    ours = entry.learner in LEARNERS
    print(f"test labels: {'in the process of all learners of hierbench' if ours else 'never in its process'}")
    called = [SUITE, f"--learner={name}", "--against=reference"]
    status = execute(
        to_run, to_show, results, called, workers, wait=True, figures=figures, against=reference.SUITE,
        part=bool(settings),
    )  # fmt: skip
    for line in _card(label, to_show, results):
        print(line)
    return status if kept else max(status, 1)


def _card(label: str, suite: Suite, results: Path) -> list[str]:
    """What a fit takes, and where it lands at the largest error and at that which counts as success."""
    shown = evidence_of(suite, results, reference.SUITE)
    rows = [r for r in shown.rows if r.learner == label and r.status in FITTED]
    if not rows or label in shown.reference:
        return []
    largest = max(r.n for r in rows)
    seconds = statistics.median(r.fit_seconds or 0.0 for r in rows if r.n == largest)
    memory = max(r.peak_memory_bytes or 0 for r in rows) / 2**20
    lines = [f"needs: {seconds:.2g} s a fit at n = {largest}; a process of {memory:.0f} MiB at most"]
    stars = n_stars(shown.rows, shown.certificates, epsilons_of(suite))
    for target in dict.fromkeys(r.target for r in rows):
        of_target = [s for s in stars if s.target == target]
        easiest = max({s.epsilon for s in of_target if s.epsilon.scale == Scale.VARIANCE}, default=None)
        for epsilon in dict.fromkeys([easiest, success(of_target)]):
            if line := _landing(label, [s for s in of_target if s.epsilon == epsilon]):
                lines.append(f"lands: {target}: {line}")
    return lines


def _landing(label: str, stars: Sequence[NStar]) -> str:
    """Where a learner is at one error; empty if nothing is known."""
    own = [s for s in summarise(stars) if s.learner == label and s.value is not None]
    if not own:
        return ""
    found = f"{stars[0].epsilon.label}, d = {own[-1].d}: n* {format_summary(own[-1])}"
    every = compare_with(label, stars)
    comparisons = [c for c in every if c.dimensions]
    adjusted = holm([c.p for c in comparisons])
    sure = [c.sign * (p <= ALARM_RATE) for c, p in zip(comparisons, adjusted, strict=True)]
    more, fewer, alike = (sum(s == sign for s in sure) for sign in (1, -1, 0))
    rest = f" ({len(every) - len(sure)} not comparable)" if len(sure) < len(every) else ""
    counts = f"more than {more} of {len(sure)}, fewer than {fewer}, not told apart from {alike}{rest}"
    return f"{found}; over all d {counts}"
