"""``hierbench.read_results``: stored rows for a notebook or a script."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hierbench.benchmarks.results import reference
from hierbench.benchmarks.results.frame import frame_of
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.store.store import NAME, Store
from hierbench.benchmarks.units.rows import Row

if TYPE_CHECKING:
    import pandas as pd


def read_results(results: str | os.PathLike[str] = "results", suite: str | None = None) -> pd.DataFrame:
    """Read the rows that a results folder holds, or those that ship with hierbench, as a frame of pandas.

    Parameters
    ----------
    results : path
        The folder that ``hierbench run`` wrote to, or the store in it; "reference" is the results that ship
        (a folder of that name is "./reference").
    suite : str, optional
        Name or path of a suite: only its rows, if they are those of the present code, under its labels and
        in its order. By default all rows, stale ones too. Of "reference" the suite whose rows ship.

    Returns
    -------
    pandas.DataFrame
        One row for each learning curve and n; ``hierbench.benchmarks.results.frame.COLUMNS`` says what the
        columns hold. Damaged units are left out, and named on standard error.

    Raises
    ------
    UserError
        There is no store, it is none of hierbench's, there is no such suite, or pandas is not installed.

    Examples
    --------
    >>> frame = read_results("reference")
    >>> frame.groupby("learner")["error"].min()  # doctest: +SKIP
    """
    return frame_of(read_rows(results, suite))


def read_rows(results: str | os.PathLike[str] = "results", suite: str | None = None) -> list[Row]:
    """Read the same as a list of ``Row``; ``dataclasses.asdict(row)`` makes a record of one."""
    if results == reference.NAME:
        return list(reference.read(suite or reference.SUITE).rows)
    folder = Path(results)
    if folder.name == NAME:
        folder = folder.parent
    with Store.readable(folder) as store:
        if suite is None:
            return store.rows()
        shown = SuiteResults.read(suite, store)
        return [*shown.rows, *shown.fixed]
