"""The console of every table and message: a text is printed as it is."""

from __future__ import annotations

from rich.console import Console


def make_console(stderr: bool = False) -> Console:
    """A console to which brackets and colons in a label or a path mean nothing."""
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False)
