"""Which units are current, written down; to be taken over by later code that computes the same numbers.

A key covers the syntax trees of all code that a number depends on, so that moving a file makes every
stored unit stale although no number has changed. ``--current`` writes down, under the code as it is, which
units are current; ``--adopt`` gives exactly these their keys under the code that came after.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import modules
from benchmarks.fingerprint import closure, digest
from benchmarks.output import deliver
from benchmarks.plan import key_of
from benchmarks.store import Store

FORMAT = 1


def write_current(store: Store, path: Path) -> int:
    """Write the units of a store that are current under this code to ``path``, as JSON.

    Beside each key stand the library versions that it covers and a digest of the code that is not
    hierbench's (a researcher's own learner): what adoption must find unchanged.

    Returns
    -------
    int
        How many there are.

    Raises
    ------
    UserError
        The file cannot be written.
    """
    units = {}
    for unit in store.units():
        try:
            key, _, versions = key_of(unit.axes)
        except (KeyError, ValueError):
            continue
        if key == unit.key:
            units[key] = {"versions": versions, "outside": outside(unit.axes)}
    head = {"format": FORMAT, "hierbench": importlib.metadata.version("hierbench")}
    deliver(json.dumps({**head, "units": units}, indent=1, sort_keys=True) + "\n", path)
    return len(units)


def outside(axes: Mapping[str, Any]) -> str:
    """Digest of the code that a unit depends on and that is not hierbench's; empty where there is none."""
    module = axes.get("learner", {}).get("path", "").partition(":")[0]
    if not module or module.partition(".")[0] in modules.OUR_PACKAGES:
        return ""
    code, _ = closure([module])
    foreign = {k: v for k, v in code.items() if k.partition(".")[0] not in modules.OUR_PACKAGES}
    return digest(sorted(foreign.items()))
