"""Errors that a user caused: one clear line, exit status 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Bad input. The message is one line: what was given, what is allowed, what to do."""


def unknown(kind: str, given: str, known: Iterable[str]) -> UserError:
    """Error for a misspelt name, naming the nearest known one and all that are allowed."""
    names = sorted(known)
    nearest = difflib.get_close_matches(given, names, n=1, cutoff=0.4)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    return UserError(f"unknown {kind} {given!r}: {hint}known are {', '.join(names) or 'none'}")
