"""Messages about bad input, in one grammar: what was given, what is allowed, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Bad input, as the command line reports it: one line, exit status 2."""


def refusal(name: str, value: object, allowed: str, remedy: str = "") -> str:
    """One line that refuses a value.

    Parameters
    ----------
    name : str
        What was given a value: a parameter, an option, a key of a file.
    value : object
    allowed : str
        What would have been accepted: "a number > 0", "integers from 1", "gaussian, sphere".
    remedy : str, optional
        What to do next.

    Returns
    -------
    str
        ``width = 0: allowed are integers from 1``, and the remedy behind a semicolon.
    """
    verb = "is" if allowed.startswith(("a ", "an ", "one ")) else "are"
    end = f"; {remedy}" if remedy else ""
    return f"{name} = {value!r}: allowed {verb} {allowed}{end}"


def unknown(kind: str, name: str, known: Iterable[str], remedy: str = "") -> str:
    """One line for a misspelt name, with the nearest known one.

    Returns
    -------
    str
        ``unknown learner 'densnet': did you mean 'densenet'? known are ...``, and the remedy behind a comma.
    """
    names = sorted(known)
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    end = f", {remedy}" if remedy else ""
    return f"unknown {kind} {name!r}: {hint}known are {', '.join(names) or 'none'}{end}"
