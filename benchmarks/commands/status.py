"""``hierbench status``: what the store holds, and what of it is stale."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hierbench.benchmarks.commands import adoption
from hierbench.benchmarks.commands.pruning import is_stale
from hierbench.benchmarks.commands.regress import regress
from hierbench.benchmarks.results import stages
from hierbench.benchmarks.results.suite_results import on_its_device
from hierbench.benchmarks.show.output import say
from hierbench.benchmarks.store import lock
from hierbench.benchmarks.store.store import NAME, Store, UnitRecord
from hierbench.benchmarks.suites.plan import make_plan
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.benchmarks.units.unit import UnitStatus
from hierbench.errors import UserError


def record_current(results: Path, path: Path) -> None:
    """Write down which units are current under this code, for ``--adopt`` under a later one."""
    with Store.readable(results) as store:
        current = adoption.write_current(store, path)
        print(f"{current} of {len(store.units())} units are current under this code")


def adopt_current(results: Path, path: Path, reason: str, wait: bool) -> int:
    """Re-key the units that ``path`` lists, if the exact tier of the gate finds every number unchanged.

    Returns
    -------
    int
        Exit status: 0, 1 (the exact tier fails: nothing is adopted), 128 + k (stopped by signal k).

    Raises
    ------
    UserError
        No reason, no such file, or no store.
    """
    if not reason.strip():
        raise UserError('--adopt needs --reason "..." (why the numbers are the same): it is kept beside them')
    units = adoption.read_current(path)
    if not (results / NAME).is_file():
        raise UserError(f"no results in {results}: there is nothing to adopt")
    with tempfile.TemporaryDirectory() as scratch:
        code = regress("ci", Path(scratch), exact=True, statistical=False)
    if code > 128:  # by a signal, as has been said
        return code
    if code:
        say("nothing is adopted: this code does not make the numbers that the baselines hold")
        return code
    with lock.writer(results, wait, say=say), Store.writable(results) as store:
        outcomes = adoption.adopt(store, units, reason)
    for outcome, count in outcomes.items():
        print(f"{count} units {outcome}")
    return 0


def show_status(suite: str | None, results: Path) -> None:
    """Print counts of units by state."""
    with Store.readable(results) as store:
        units = store.units()
        stale_keys = {u.key for u in units if is_stale(u)}
        if suite is None:
            _by_suite(units, stale_keys)
        else:
            _one_suite(suite, store, units, stale_keys)
    if stale_keys:
        print(
            f"{len(stale_keys)} units are stale (code or versions changed): "
            "hierbench status --prune deletes them"
        )
    for unit in units:
        if unit.change:
            print(f"stale: {unit.suite}: {unit.title}: {unit.change}")
        if unit.status != UnitStatus.DONE and unit.key not in stale_keys:
            print(f"{unit.status}: {unit.suite}: {unit.title}: {unit.reason}")


def _state(unit: UnitRecord, stale: set[str]) -> str:
    return "stale" if unit.key in stale else unit.status


def _by_suite(units: Sequence[UnitRecord], stale: set[str]) -> None:
    counts = Counter((u.suite, _state(u, stale)) for u in units)
    if not units:
        print("the store is empty")
    for suite in sorted({u.suite for u in units}):
        by_state = {state: counts[suite, state] for state in (*UnitStatus, "stale")}
        print(f"{suite}: " + ", ".join(f"{n} {state}" for state, n in by_state.items() if n))


def _one_suite(name: str, store: Store, units: Sequence[UnitRecord], stale: set[str]) -> None:
    plan = stages.resolved(make_plan(on_its_device(load_suite(name), store)), store)
    units_by_key = {u.key: u for u in units}
    titles = Counter(u.title for u in units if u.key in stale)
    lines: dict[str, Counter[str]] = {}
    for unit in plan.units:
        what = unit.cell()
        state = _state(units_by_key[unit.key], stale) if unit.key in units_by_key else "missing"
        lines.setdefault(what, Counter())[state] += 1
        if state == "missing" and titles[unit.title()]:
            lines[what]["stale"] += titles[unit.title()]
    for what, counts in lines.items():
        print(f"{what}: " + ", ".join(f"{n} {state}" for state, n in counts.items()))
