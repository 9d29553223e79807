"""The rows of a suite as columns, one block for each learner of a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hierbench.benchmarks.report.columns import Data, Table, column, rounded, scalar
from hierbench.benchmarks.units.rows import Row


class RowTables:
    """What many rows share, stored once: replicates, code, environments and reasons.

    Attributes
    ----------
    replicates : Table
        [target, sample, initialisation].
    codes : Table
        Fingerprints of the code.
    environments : Table
        {"versions": ..., "machine": ...}.
    reasons : Table
        Why a row is not ok.
    """

    def __init__(self) -> None:
        self.replicates, self.codes = Table(), Table()
        self.environments, self.reasons = Table(), Table()

    def data(self) -> Data:
        """All tables, by name."""
        return {
            "replicates": self.replicates.values,
            "codes": self.codes.values,
            "environments": self.environments.values,
            "reasons": self.reasons.values,
        }


def row_blocks(rows: Sequence[Row], learners: Mapping[str, int], tables: RowTables) -> list[Data]:
    """Every row of one target, in blocks by learner; a column that is one value throughout is that value."""
    by_learner: dict[str, list[Row]] = {}
    for row in rows:
        by_learner.setdefault(row.learner, []).append(row)
    return [{"learner": learners[name], **_block(some, tables)} for name, some in by_learner.items()]


def _block(rows: Sequence[Row], tables: RowTables) -> Data:
    names = list(dict.fromkeys(name for row in rows for name in row.hyperparameters or {}))
    columns: dict[str, list[Any]] = {
        "d": [row.d for row in rows],
        "n": [row.n for row in rows],
        "replicate": [
            tables.replicates.number([row.target_index, row.sample_index, row.init_index]) for row in rows
        ],
        "error": [rounded(row.error) for row in rows],
        "se": [rounded(row.error_se) for row in rows],
        "steps": [row.steps for row in rows],
        "seconds": [rounded(row.fit_seconds) for row in rows],
        "timing": [row.timing for row in rows],
        "status": [str(row.status) for row in rows],
        "reason": [tables.reasons.number(row.reason or "") for row in rows],
        "code": [tables.codes.number(row.code) for row in rows],
        "environment": [
            tables.environments.number({"versions": row.versions or {}, "machine": row.machine or {}})
            for row in rows
        ],
    }
    return {
        "count": len(rows),
        **{name: column(values) for name, values in columns.items()},
        "hyperparameters": {
            name: column([scalar((row.hyperparameters or {}).get(name)) for row in rows]) for name in names
        },
    }
