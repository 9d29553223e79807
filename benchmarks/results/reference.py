"""Results that ship: the rows of a suite in one compressed file, to see other learners beside one's own."""

from __future__ import annotations

import dataclasses
import functools
import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from hierbench.benchmarks.results.suite_results import Missing, SuiteResults
from hierbench.benchmarks.statistics.sample_complexity import Certificates
from hierbench.benchmarks.store.encoding import MAPPINGS, ROW_FIELDS, as_json
from hierbench.benchmarks.units.measurement import Measurement
from hierbench.benchmarks.units.plain import one_line_of
from hierbench.benchmarks.units.rows import Row
from hierbench.errors import UserError
from hierbench.targets.base import Certificate

NAME = "reference"
"""What stands for these results where a folder of results may stand."""
SUITE = "default"
"""Suite whose rows these are where none is named."""
SUFFIX = ".json.gz"
FORMAT = 2
"""In format 1 missing units are known by learner and target, not by d, and certificates have no key."""


@dataclasses.dataclass(frozen=True)
class Reference:
    """Rows and certificates of a suite, and what is said of them as a whole.

    header : suite, version of hierbench, machine and number of rows
    missing : units that were not there when the file was made, by learner, target and d; empty for all
    certificate_keys : keys of the units that made the certificates, as far as they are known
    measurements : of experiments, by label
    missing_experiments : units of experiments that were not there, by label
    """

    rows: tuple[Row, ...]
    certificates: Certificates
    header: Mapping[str, Any]
    missing: Missing = dataclasses.field(default_factory=dict)
    measurements: Mapping[str, Sequence[Measurement]] = dataclasses.field(default_factory=dict)
    missing_experiments: Mapping[str, int] = dataclasses.field(default_factory=dict)
    certificate_keys: Mapping[tuple[str, int, int], str] = dataclasses.field(default_factory=dict)

    def sentence(self) -> str:
        """Where the rows come from, in one line."""
        machine = self.header["machine"]
        processors = [machine[name] for name in ("gpu", "cpu") if name in machine] or ["an unnamed machine"]
        return (
            f"suite {self.header['suite']} by hierbench {self.header['version']} on {', '.join(processors)}"
        )


def packed(suite: str, shown: SuiteResults, version: str) -> bytes:
    """One compressed JSON object; the same results give the same bytes.

    Columns are lists of values in the order of the rows. A mapping stands once, under ``mappings``, and its
    place in the columns.

    Raises
    ------
    UserError
        There is nothing.
    """
    rows = [*shown.rows, *shown.fixed]
    if not rows and not shown.measurements:
        raise UserError(f"suite {suite} has no row: hierbench run {suite} makes them")
    mappings: dict[str, int] = {}
    columns: dict[str, list[Any]] = {name: [] for name in ROW_FIELDS}
    for row in rows:
        for name in ROW_FIELDS:
            value = getattr(row, name)
            if name in MAPPINGS:
                value = mappings.setdefault(as_json(value), len(mappings))
            columns[name].append(value)
    units = shown.plan.certificates if shown.plan else ()
    keys = {(unit.target, unit.d, unit.target_index): unit.key for unit in units}
    content = {
        "header": {
            "format": FORMAT,
            "suite": suite,
            "version": version,
            "machine": rows[0].machine if rows else {},
            "rows": len(rows),
            "missing": [
                [learner, target, d, shown.missing[learner, target, d]]
                for learner, target, d in sorted(shown.missing, key=lambda cell: (*cell[:2], cell[2] or 0))
            ],
            "missing_experiments": dict(shown.missing_experiments),
        },
        "mappings": [json.loads(text) for text in mappings],
        "columns": columns,
        "certificates": [
            [*where, certificate.to_json(), keys.get(where)]
            for where, certificate in sorted(shown.certificates.items())
        ],
        "measurements": {
            label: [[m.labels, m.values] for m in found] for label, found in shown.measurements.items()
        },
    }
    return gzip.compress(as_json(content).encode(), mtime=0)


def unpacked(data: bytes) -> Reference:
    """What ``packed`` made.

    Raises
    ------
    UserError
        The bytes are not of this format.
    """
    try:
        content = json.loads(gzip.decompress(data))
        header, columns, mappings = content["header"], content["columns"], content["mappings"]
        if not isinstance(header["suite"], str):
            raise ValueError(f"its suite is {header['suite']!r}")
        if header["format"] not in (1, FORMAT):
            raise UserError(
                f"reference results of format {header['format']}; this hierbench reads 1 and {FORMAT}"
            )
        missing: Missing = {
            (learner, target, d[0] if d else None): count
            for learner, target, *d, count in header.get("missing", ())
        }
        rows = tuple(
            Row(
                **{
                    name: mappings[value] if name in MAPPINGS else value
                    for name, value in zip(columns, values, strict=True)
                }
            )
            for values in zip(*columns.values(), strict=True)
        )
        certificates = {
            (target, d, index): Certificate.from_json(one)
            for target, d, index, one, *_ in content["certificates"]
        }
        certificate_keys = {
            (target, d, index): key[0]
            for target, d, index, _, *key in content["certificates"]
            if key and key[0]
        }
        measurements = {
            label: [Measurement(labels, values) for labels, values in found]
            for label, found in content.get("measurements", {}).items()
        }
    except (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"no reference results of hierbench: {one_line_of(error)}") from error
    experiments = header.get("missing_experiments", {})
    return Reference(rows, certificates, header, missing, measurements, experiments, certificate_keys)


def shipped() -> list[str]:
    """Names of the suites whose results ship."""
    return sorted(f.name.removesuffix(SUFFIX) for f in folder().iterdir() if f.name.endswith(SUFFIX))


def folder() -> Traversable:
    """Where the files of these results are."""
    return resources.files("hierbench.benchmarks.results") / "reference_rows"


@functools.cache
def read(suite: str = SUITE) -> Reference:
    """Read the results of a suite that ship with hierbench.

    Raises
    ------
    UserError
        None of this suite do.
    """
    file = folder() / f"{suite}{SUFFIX}"
    if not file.is_file():
        known = ", ".join(shipped())
        raise UserError(f"no reference results of suite {suite!r} ship with hierbench; of these do: {known}")
    return unpacked(file.read_bytes())
