"""``hierbench export``: stored rows as a file that others read."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from pathlib import Path

from hierbench.benchmarks.results import frame, reference
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.benchmarks.units.rows import Row
from hierbench.errors import UserError, refusal
from hierbench.files import replace_file

WRITERS: dict[str, Callable[[list[Row]], bytes]] = {".parquet": frame.as_parquet, ".csv": frame.as_csv}


def write(suite: str | None, results: Path, output: Path, partial: bool = False) -> None:
    """Write the rows of a suite, or all rows that a store has, and print the name of the file.

    Parameters
    ----------
    output : Path
        Its ending says what it becomes: .parquet, .csv, or .json.gz, which has the certificates of the
        targets as well and is what ships as reference results.
    partial : bool
        Whether a .json.gz may be made of a suite of which units are missing, which it then says.

    Raises
    ------
    UserError
        No such ending, no such suite, no row, no store, or a file that cannot be written.
    """
    packs = output.name.endswith(reference.SUFFIX)
    if not packs and output.suffix not in WRITERS:
        allowed = f"names that end in {', '.join(WRITERS)} or {reference.SUFFIX}"
        raise UserError(refusal("--output", output.name, allowed))
    if packs and suite is None:
        raise UserError(f"{reference.SUFFIX} needs a suite: hierbench export SUITE --output {output}")
    with Store.readable(results) as store:
        shown = SuiteResults.read(suite, store) if suite else None
        rows = store.rows() if shown is None else [*shown.rows, *shown.fixed]
    if not rows and not (packs and shown is not None and shown.measurements):
        of = f" of suite {suite}" if suite else ""
        raise UserError(f"no rows{of} in {results}: hierbench run {suite or 'SUITE'} makes them")
    if packs and suite and shown is not None:
        left = sum(shown.missing.values()) + sum(shown.missing_experiments.values())
        if left and not partial:
            remedy = f"hierbench run {suite}, or --partial for what is there"
            raise UserError(f"{left} units of suite {suite} are missing or failed: {remedy}")
        data = reference.packed(load_suite(suite).name, shown, importlib.metadata.version("hierbench"))
    else:
        data = WRITERS[output.suffix](rows)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        replace_file(output, data)
    except OSError as error:
        raise UserError(f"{output} cannot be written: {error}") from error
    print(f"{len(rows)} rows: {output}")
