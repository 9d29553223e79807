"""``hierbench status --prune``: what would be deleted and why, said before it is done."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from hierbench.benchmarks.commands import adoption
from hierbench.benchmarks.provenance import modules
from hierbench.benchmarks.show.output import say
from hierbench.benchmarks.store import lock
from hierbench.benchmarks.store.store import Store, UnitRecord
from hierbench.benchmarks.suites.plan import key_of
from hierbench.errors import UserError


def is_stale(unit: UnitRecord) -> bool:
    """Whether the same axes have another key by now: code or a library version has changed.

    Or what its process had loaded besides is not any more what it was (``unit.change``).
    A learner from elsewhere that cannot be found from here, now, is no sign of that, nor is one
    in the middle of an edit, which cannot be read.
    """
    if unit.change:
        return True
    module = adoption.imported_module(unit.axes)
    if module and not modules.is_ours(module) and not modules.can_be_found(module):
        return False
    try:
        return key_of(unit.axes)[0] != unit.key
    except modules.UnreadableSourceError:
        return False
    except (KeyError, ValueError):
        return True  # the target family is gone


def why_stale(unit: UnitRecord, code: str, versions: Mapping[str, str]) -> str:
    """What has changed since a stale unit was computed by this code and these library versions."""
    if unit.change:
        return unit.change
    try:
        _, code_now, versions_now = key_of(unit.axes)
    except (KeyError, ValueError) as error:
        return f"a learner, target or experiment is gone ({' '.join(map(str, error.args))})"
    if not code:
        return "code or library versions changed"
    reasons = ["code changed"] if code != code_now else []
    changes = [
        f"{name} {versions.get(name, 'none')} -> {versions_now.get(name, 'none')}"
        for name in sorted(versions.keys() | versions_now.keys())
        if versions.get(name) != versions_now.get(name)
    ]
    if changes:
        reasons.append(f"library versions changed ({', '.join(changes)})")
    return " and ".join(reasons) or "the form of keys changed"


def prune(results: Path, wait: bool, yes: bool, everything: bool) -> None:
    """Delete stale and damaged units, after showing them by suite and reason and asking.

    Parameters
    ----------
    yes : bool
        Do not ask.
    everything : bool
        Delete even if no unit would be left.

    Raises
    ------
    UserError
        There is no store, nobody can be asked, or no unit would be left.
    """
    with Store.readable(results) as store:  # there must be one: pruning creates nothing
        units = store.units()
        stale = [u for u in units if is_stale(u)]
        damaged = store.damages()
        origins = store.origins()
    if not stale and not damaged:
        print("0 stale units deleted")
        return
    n_units = len(units) + len(damaged.keys() - {u.key for u in units})
    print(f"{len(stale)} of {n_units} units in {results} are stale, {len(damaged)} are damaged:")
    for line in _groups((u.suite, why_stale(u, *origins.get(u.key, ("", {})))) for u in stale):
        print(f"  {line}")
    for line in sorted(damaged.values()):
        print(f"  {line}")
    shown = {*(u.key for u in stale), *damaged}
    if len(shown) >= n_units and not everything:
        raise UserError(
            f"every unit in {results} would be deleted: are this folder and this hierbench "
            f"({Path(__file__).parents[1]}) the right ones? --prune --all deletes them"
        )
    if not yes and not _agreed(f"delete these {len(shown)} units? [y/N] "):
        print("nothing is deleted")
        return
    with lock.writer(results, wait, say=say), Store.writable(results) as store:
        # of what another process has finished meanwhile nobody was asked
        stale_keys = [u.key for u in store.units() if u.key in shown]
        damaged_keys = [key for key in store.damages() if key in damaged]
        store.prune([*stale_keys, *damaged_keys])
    print(f"{len(stale_keys)} stale units deleted")
    if damaged_keys:
        print(f"{len(damaged_keys)} damaged units deleted")


def _groups(stale: Iterable[tuple[str, str]]) -> list[str]:
    by_reason: dict[str, Counter[str]] = defaultdict(Counter)
    for suite, reason in stale:
        by_reason[reason][suite] += 1
    return [
        f"{reason}: " + ", ".join(f"{count} of {suite}" for suite, count in sorted(counts.items()))
        for reason, counts in sorted(by_reason.items())
    ]


def _agreed(question: str) -> bool:
    if sys.stdin is None or not sys.stdin.isatty():
        raise UserError("--prune asks before it deletes, and nobody is here to answer: --yes deletes unasked")
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
