"""Which figures are drawn of a suite's rows and measurements, and where they are written."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from hierbench import plots
from hierbench.benchmarks.provenance import machine
from hierbench.benchmarks.results.reference import NAME as REFERENCE
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.show.drawn import keep, state_of, unchanged
from hierbench.benchmarks.show.figure_data import figure_data
from hierbench.benchmarks.statistics.sample_complexity import Certificates
from hierbench.benchmarks.store.store import NAME
from hierbench.benchmarks.suites.epsilon import EPSILONS, Epsilon, epsilons_of
from hierbench.benchmarks.suites.fixed_sizes import FixedSizes
from hierbench.benchmarks.suites.suite import Suite
from hierbench.benchmarks.units.rows import Row
from hierbench.errors import UserError
from hierbench.plots.data import Provenance


def provenance_of(rows: Sequence[Row], source: str, version: str, reference: str = "") -> Provenance:
    """Provenance of ``rows`` from there, read by that version of hierbench.

    With a ``reference`` some rows come from there, and not from the store.
    """
    suites = ", ".join(sorted({row.suite for row in rows}))
    own = sum(row.suite != REFERENCE for row in rows) if reference else len(rows)
    return Provenance(suites, source, own, tuple(sorted({row.code for row in rows})), version, reference)


def source_of(shown: SuiteResults) -> str:
    """Where these results are read from."""
    return shown.shipped or f"store {NAME}"


def write_curve_figures(
    rows: Sequence[Row],
    certificates: Certificates,
    epsilons: Sequence[Epsilon] = EPSILONS,
    out_dir: Path = Path("results/figures"),
    provenance: Provenance | None = None,
    reference: Collection[str] = (),
    processes: int = 1,
    fixed: Sequence[Row] = (),
    declared: Sequence[FixedSizes] = (),
) -> list[Path]:
    """Write all figures of rows, those at ``fixed`` sizes among them, below ``out_dir``; their paths."""
    if provenance is None:
        provenance = provenance_of([*rows, *fixed], "an unnamed store", "unknown")
    data = figure_data(rows, certificates, epsilons, provenance, reference, fixed, declared)
    return plots.write_figures(data, out_dir, processes)


def draw_figures(
    suite: Suite, shown: SuiteResults, results: Path, announce: Callable[[str], None] | None = None
) -> list[Path]:
    """Write the figures of a suite's rows and measurements to ``figures/SUITE`` in the results folder.

    Those that are there already, of the same rows and the same code, stay.

    Parameters
    ----------
    announce : callable, optional
        Is told, in a line, before any is drawn.

    Raises
    ------
    UserError
        The folder cannot be written.
    """
    with _no_backend():
        return _draw_figures(suite, shown, results, announce)


@contextlib.contextmanager
def _no_backend() -> Iterator[None]:
    """Import matplotlib without the window that the environment asks for, which it may not have."""
    before = os.environ.pop("MPLBACKEND", None)
    try:
        yield
    finally:
        if before is not None:
            os.environ["MPLBACKEND"] = before


def _draw_figures(
    suite: Suite, shown: SuiteResults, results: Path, announce: Callable[[str], None] | None
) -> list[Path]:
    folder = results / "figures" / suite.name
    version = importlib.metadata.version("hierbench")
    drawn: list[Path] = []
    source = source_of(shown)
    state = state_of(
        suite,
        source,
        [*shown.rows, *shown.fixed],
        sorted(shown.certificates.items()),
        shown.measurements,
        sorted(shown.reference),
        version,
    )
    if there := unchanged(folder, state):
        return there
    if announce:
        announce(f"drawing the figures of {suite.name}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if shown.rows:
            provenance = provenance_of([*shown.rows, *shown.fixed], source, version, shown.reference_source)
            drawn += write_curve_figures(
                shown.rows,
                shown.certificates,
                epsilons_of(suite),
                folder,
                provenance,
                shown.reference,
                machine.cores(),
                shown.fixed,
                suite.fixed,
            )
        if shown.measurements and shown.plan:
            # matplotlib starts slowly
            from hierbench.benchmarks.show.correction_figures import write

            # of what ships the code of now is not the code that measured it
            codes = {u.code for u in shown.plan.experiments} if not shown.shipped else ()
            found = Provenance(suite.name, source, 0, tuple(sorted(codes)), version)
            drawn += write(shown.measurements, folder, found)
        keep(folder, state, drawn)
        return drawn
    except OSError as error:
        raise UserError(f"figures cannot be written to {folder}: {error}") from error
