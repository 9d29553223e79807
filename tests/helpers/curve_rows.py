"""Rows and certificates with only what n* reads of them."""

from __future__ import annotations

from hierbench.benchmarks.units.rows import Row
from hierbench.targets.base import Certificate, Estimate


def certificate(degree_share: dict[int, float]) -> Certificate:
    one = Estimate(1.0)
    shares = {p: Estimate(s) for p, s in degree_share.items()}
    return Certificate(max(degree_share), 100, "exact", one, one, one, shares, {1: one}, ((1.0,),), {}, {})


def row(n: int, error: float | None, d: int = 8, r: int = 0, status: str = "ok", **other: object) -> Row:
    fields: dict = dict.fromkeys(Row.__dataclass_fields__)
    fields |= {
        "suite": "s",
        "learner": "net",
        "target": "t",
        "d": d,
        "n": n,
        "error": error,
        "status": status,
    }
    fields |= {"target_index": r, "sample_index": r, "init_index": r, "code": "c"}
    return Row(**(fields | other))
