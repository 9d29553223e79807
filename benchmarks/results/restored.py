"""From results in one file back to a store, so that a run goes on where they end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from hierbench.benchmarks.results.reference import Reference
from hierbench.benchmarks.results.stages import Stages
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.devices import as_run
from hierbench.benchmarks.suites.plan import make_plan
from hierbench.benchmarks.suites.suite import Suite
from hierbench.benchmarks.units.rows import Row
from hierbench.benchmarks.units.unit import CertificateUnit, CurveUnit, Result, UnitStatus, row_key


def restore(packed: Reference, suite: Suite, store: Store) -> int:
    """Commit the units of a suite that a file holds whole to a store, as finished ones.

    A unit counts where its key is the one that the present code, library versions and suite file give it, and
    all its rows are there. Later stages of adaptive blocks follow from the rows of earlier ones, so that they
    are looked for as those come in.

    Parameters
    ----------
    store : Store
        Open for writing.

    Returns
    -------
    int
        Rows of the file that belong to no such unit.
    """
    plan = make_plan(as_run(suite, (row.learner_spec for row in packed.rows)))
    rows: dict[str, dict[str, Row]] = defaultdict(dict)
    for row in packed.rows:  # a unit under two labels has its rows twice
        rows[row.unit][row.key] = row
    keys = {row.unit for row in packed.rows}
    current = {unit.target for unit in plan.curves if unit.key in keys}
    for certified in plan.certificates:
        if _is_current(certified, packed, current):
            where = (certified.target, certified.d, certified.target_index)
            found = packed.certificates[where].to_json()
            store.commit(certified, Result(UnitStatus.DONE, certificate=found))
    stages, placed = Stages(plan, store), set()
    while ready := [u for u in stages.resolved().curves if u.key not in placed and _is_whole(u, rows)]:
        for unit in ready:
            own = tuple(rows[unit.key].values())
            seconds = sum((row.fit_seconds or 0.0) + (row.predict_seconds or 0.0) for row in own)
            store.commit(unit, Result(UnitStatus.DONE, rows=own, seconds=seconds))
            placed.add(unit.key)
    return sum(row.unit not in placed for row in packed.rows)


def _is_current(unit: CertificateUnit, packed: Reference, current: Collection[str]) -> bool:
    """Whether a certificate is the unit's: by its key, or where it has none by rows of its target."""
    where = (unit.target, unit.d, unit.target_index)
    if where not in packed.certificates:
        return False
    if key := packed.certificate_keys.get(where):
        return key == unit.key
    return unit.target in current


def _is_whole(unit: CurveUnit, rows: Mapping[str, Mapping[str, Row]]) -> bool:
    """Whether all rows of a unit are there, and one at least has come of more than the unit's failure."""
    own = rows.get(unit.key)
    if own is None or unit.traces:  # a file holds no traces
        return False
    sizes = zip(unit.replicates, unit.sizes, strict=True)
    wanted = {row_key(unit.key, replicate, n) for replicate, some in sizes for n in some}
    tried_again = (UnitStatus.FAILED, UnitStatus.TIMEOUT, UnitStatus.SKIPPED)
    return wanted == own.keys() and any(row.status not in tried_again for row in own.values())
