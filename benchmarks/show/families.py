"""The families that the learners of rows are shown in."""

from __future__ import annotations

from collections.abc import Iterable

from hierbench.benchmarks.units.rows import Row
from hierbench.learners.catalogue.families import OTHER, family_of


def families_of(rows: Iterable[Row]) -> dict[str, str]:
    """Family by label; a learner that is not registered is a family of its own."""
    families = {row.learner: family_of(row.learner_spec["name"]) for row in rows}
    return {label: label if family == OTHER else family for label, family in families.items()}
