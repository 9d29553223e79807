"""``hierbench.read_results``: stored rows for a notebook or a script."""

from __future__ import annotations

import os
from pathlib import Path

from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.store.store import NAME, Store
from hierbench.benchmarks.units.rows import Row


def read_results(results: str | os.PathLike[str] = "results", suite: str | None = None) -> list[Row]:
    """Read the rows that a results folder holds.

    Parameters
    ----------
    results : path
        The folder that ``hierbench run`` wrote to, or the store in it.
    suite : str, optional
        Name or path of a suite: only its rows, if they are those of the present code, under its labels and
        in its order. By default all rows, stale ones too.

    Returns
    -------
    list of Row
        One for each learning curve and n; ``dataclasses.asdict(row)`` makes a record of one. Damaged units
        are left out, and named on standard error.

    Raises
    ------
    UserError
        There is no store, it is none of hierbench's, or there is no such suite.

    Examples
    --------
    >>> rows = read_results("results", suite="smoke")  # doctest: +SKIP
    >>> [(row.learner, row.d, row.n, row.error) for row in rows]  # doctest: +SKIP
    """
    folder = Path(results)
    if folder.name == NAME:
        folder = folder.parent
    with Store.readable(folder) as store:
        return store.rows() if suite is None else list(SuiteResults.read(suite, store).rows)
