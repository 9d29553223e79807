"""One store out of several: every unit once, rows of each machine apart, and no disagreement within one."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from hierbench.benchmarks.store.integrity import Content
from hierbench.benchmarks.store.schema import COLUMNS
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.units.unit import UnitStatus
from hierbench.errors import UserError

FOUND = (
    *("status", "reason", "metric", "error", "error_se", "top10_share", "n_test", "train_error"),
    *("steps", "flops", "hyperparameters", "health"),
)
"""Columns of a row that two runs on one machine have alike."""

ROUNDING = 1e-6
"""Relative difference that certificates of two machines may have."""

_AT = {table: {name: i for i, name in enumerate(columns)} for table, columns in COLUMNS.items()}


class _Disagreement(Exception):
    """What two stores hold differently."""


def merge(store: Store, other: Store, named: str = "") -> Counter[str]:
    """Take over what another store holds, in one transaction.

    A unit that the store lacks, or has without numbers, is taken over as it is. Of one that both have
    finished, rows of further machines are put beside those that are there; its certificate or measurements
    stay those of the first store. A unit that is damaged, here or there, counts as missing.

    Parameters
    ----------
    store : Store
        Open for writing, and held by this process.
    other : Store
    named : str
        What the other one is called; by default its path.

    Returns
    -------
    Counter
        Units, by what came of them.

    Raises
    ------
    UserError
        The stores have different numbers for one unit, of one machine. Nothing is changed then.
    """
    outcomes: Counter[str] = Counter()

    def join(here: Content | None, there: Content) -> Content | None:
        try:
            joined, outcome = _joined(here, there)
        except _Disagreement as difference:
            title = ": ".join(_of("units", there.record, "suite", "title"))
            raise UserError(
                f"{store.path} and {named or other.path} disagree on {title}: {difference}; "
                "nothing is merged: hierbench run --fresh in one of them computes it again"
            ) from None
        outcomes[outcome] += 1
        return joined

    store.take_over(other.contents(), join)
    return outcomes


def _joined(here: Content | None, there: Content) -> tuple[Content | None, str]:
    """What becomes of a unit (None: it stays), and that in words."""
    if here is None:
        return there, "taken over"
    if not _is_done(there):
        return None, "present"
    if not _is_done(here):
        return there, "taken over, without numbers here"
    _compare(here, there)
    machines = {_of("rows", row, "machine") for row in here.parts["rows"]}
    further = [row for row in there.parts["rows"] if _of("rows", row, "machine") not in machines]
    if not further:
        return None, "present"
    rows = [*here.parts["rows"], *further]
    record = list(here.record)
    record[_AT["units"]["row_count"]] = len(rows)
    return Content(tuple(record), {**here.parts, "rows": rows}), "put beside those of another machine"


def _compare(here: Content, there: Content) -> None:
    """Hold what one machine found to what it found again."""
    found = {_of("rows", row, "key", "machine"): row for row in here.parts["rows"]}
    for row in there.parts["rows"]:
        twin = found.get(_of("rows", row, "key", "machine"))
        for name in FOUND if twin is not None else ():
            first, second = _of("rows", twin, name)[0], _of("rows", row, name)[0]
            if first != second:
                n = _of("rows", row, "n")[0]
                raise _Disagreement(f"{name} {first} and {second} at n = {n}, of one machine")
    machines = [{_of("experiments", e, "machine") for e in c.parts["experiments"]} for c in (here, there)]
    if machines[0] == machines[1]:
        vals = [sorted(c.parts["measurements"]) for c in (here, there)]
        if vals[0] != vals[1]:
            raise _Disagreement("other measurements, of one machine")
    for first, second in zip(here.parts["certificates"], there.parts["certificates"], strict=True):
        texts = [_of("certificates", c, "certificate")[0] for c in (first, second)]
        if not _alike(*map(json.loads, texts)):
            raise _Disagreement("other certificates")


def _is_done(content: Content) -> bool:
    return bool(_of("units", content.record, "status") == (UnitStatus.DONE,))


def _of(table: str, record: Any, *columns: str) -> tuple[Any, ...]:
    return tuple(record[_AT[table][column]] for column in columns)


def _alike(first: Any, second: Any) -> bool:
    """Whether two values of JSON are the same but for rounding."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(_alike(v, second[k]) for k, v in first.items())
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(_alike, first, second))
    if isinstance(first, float) and isinstance(second, float):
        return math.isclose(first, second, rel_tol=ROUNDING, abs_tol=ROUNDING)
    return bool(first == second)
