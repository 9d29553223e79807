"""Which units are current, written down; to be taken over by later code that computes the same numbers.

A key covers the syntax trees of all code that a number depends on, so that moving a file makes every
stored unit stale although no number has changed. ``--current`` writes down, under the code as it is, which
units are current; ``--adopt`` gives exactly these their keys under the code that came after.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict, cast

from hierbench.benchmarks.provenance import modules
from hierbench.benchmarks.provenance.fingerprint import closure, digest
from hierbench.benchmarks.show.output import deliver
from hierbench.benchmarks.store.store import Adoption, Store
from hierbench.benchmarks.suites.plan import key_of
from hierbench.benchmarks.units.vocabulary import Axes
from hierbench.errors import UserError
from hierbench.learners.registry import LEARNERS

FORMAT = 1


class CurrentUnit(TypedDict):
    """What is written down of a unit, besides its key."""

    versions: dict[str, str]
    outside: str


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
    units: dict[str, CurrentUnit] = {}
    for unit in store.units():
        try:
            key, _, versions = key_of(unit.axes)
        except (KeyError, ValueError):
            continue
        if key == unit.key and not unit.change:
            units[key] = {"versions": versions, "outside": outside(unit.axes)}
    head = {"format": FORMAT, "hierbench": importlib.metadata.version("hierbench")}
    deliver(json.dumps({**head, "units": units}, indent=1, sort_keys=True) + "\n", path)
    return len(units)


def imported_module(axes: Axes) -> str:
    """Module of a learner that is given by its import path; empty for all other units."""
    return axes["learner"].get("name", "").rpartition(":")[0] if "learner" in axes else ""


def outside(axes: Axes) -> str:
    """Digest of the code that a unit depends on and that is not hierbench's; empty where there is none."""
    module = imported_module(axes)
    if not module or module.partition(".")[0] in modules.OUR_PACKAGES:
        return ""
    code, _ = closure([module])
    foreign = {k: v for k, v in code.items() if k.partition(".")[0] not in modules.OUR_PACKAGES}
    return digest(sorted(foreign.items()))


def adopt(store: Store, units: Mapping[str, CurrentUnit], reason: str) -> Counter[str]:
    """Give units that ``write_current`` wrote down their keys under this code.

    Parameters
    ----------
    store : Store
        Open for writing, and held by this process.
    units : mapping
        By key, from ``read_current``.
    reason : str
        Why the numbers are the same; kept in the store.

    Returns
    -------
    Counter
        How many were adopted, and how many not, by reason.
    """
    outcomes: Counter[str] = Counter()
    adoptions = []
    stored = {unit.key: unit for unit in store.units()}
    for earlier_key, recorded in units.items():
        if earlier_key not in stored:
            outcomes["not in this store"] += 1
            continue
        axes = known_by_name(stored[earlier_key].axes)
        try:
            key, code, versions = key_of(axes)
        except (KeyError, ValueError):
            outcomes["of a learner, target or experiment that is gone"] += 1
            continue
        if versions != recorded["versions"]:
            outcomes["measured with other library versions"] += 1
        elif outside(axes) != recorded["outside"]:
            outcomes["of a learner from elsewhere whose code has changed"] += 1
        elif key == earlier_key:
            outcomes["current already"] += 1
        elif key in stored:
            outcomes["computed anew already"] += 1
        else:
            adoptions.append(Adoption(earlier_key, key, axes, code))
            outcomes["adopted"] += 1
    store.adopt(adoptions, reason)
    return outcomes


def read_current(path: Path) -> Mapping[str, CurrentUnit]:
    """The units that ``write_current`` wrote to a file, by key.

    Raises
    ------
    UserError
        The file cannot be read, or is none of these.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        units: dict[str, CurrentUnit] = content["units"]
        if content["format"] == FORMAT and all({"versions", "outside"} == u.keys() for u in units.values()):
            return units
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise UserError(f"{path} does not list current units: hierbench status --current FILE writes such a file")


def known_by_name(axes: Mapping[str, Any]) -> Axes:
    """Axes as they are written today: until version 0.1.0 they had the path of a registered learner.

    Where several names share a class, the name is the one whose parameters fit best.
    """
    learner = axes.get("learner", {})
    if "path" not in learner:
        return cast("Axes", dict(axes))
    path, parameters = learner["path"], learner["parameters"]
    fitting = [
        d
        for d in LEARNERS.values()
        if path.startswith("learners.")
        and d.path.rpartition(":")[2] == path.rpartition(":")[2]
        and d.parameters.items() <= parameters.items()
    ]
    name = max(fitting, key=lambda d: len(d.parameters)).name if fitting else path
    return cast("Axes", {**axes, "learner": {"name": name, "parameters": parameters}})
