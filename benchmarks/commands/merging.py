"""``hierbench merge``: the results of several folders in one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hierbench.benchmarks.show.output import say
from hierbench.benchmarks.store import lock
from hierbench.benchmarks.store.merging import merge
from hierbench.benchmarks.store.store import NAME, Store
from hierbench.errors import UserError


def merge_into(results: Path, others: Sequence[Path], wait: bool) -> None:
    """Take over what other stores hold, one after the other, and print what came of their units.

    Parameters
    ----------
    results : Path
        Folder of the store that is written; made if it is not there.
    others : sequence of Path
        Folders of results, or the stores in them. Nothing is written there.
    wait : bool
        Wait for another writer.

    Raises
    ------
    UserError
        There is no such store, it is the written one, or two disagree; stores before that are merged.
    """
    folders = [path.parent if path.name == NAME else path for path in others]
    for folder in folders:
        if folder.resolve() == results.resolve():
            raise UserError(f"{folder} is merged into itself: give other folders, or another --results")
        Store.readable(folder).close()  # all of them are looked for before one is merged
    with lock.writer(results, wait, say=say), Store.writable(results) as store:
        for folder in folders:
            with Store.readable(folder) as other:
                print(f"{folder}: {_line(merge(store, other))}", flush=True)


def _line(outcomes: Counter[str]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())) or "no units"
