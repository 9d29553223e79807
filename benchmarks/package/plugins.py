"""What installed packages bring: learners and targets by the names of their entry points."""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Container

LEARNERS = "hierbench.learners"
TARGETS = "hierbench.targets"


@functools.cache
def installed(group: str) -> dict[str, str]:
    """Import paths ``module:Class`` by name, of one group of entry points; nothing is imported.

    Of two packages with one name the one whose path comes first in alphabetical order counts.
    """
    found = [e for e in importlib.metadata.entry_points(group=group) if ":" in e.value]
    return {e.name: e.value for e in sorted(found, key=lambda e: e.value, reverse=True)}


def located(group: str, name: str, ours: Container[str]) -> str:
    """Import path of the name of an entry point; any other name as it is.

    What is stored is known by the path: a name may stand for another class tomorrow.

    Parameters
    ----------
    ours : names of hierbench, which come first
    """
    return name if name in ours else installed(group).get(name, name)
