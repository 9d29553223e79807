"""Messages about bad input, in one grammar: what was given, what is allowed, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST_SHOWN = 200
"""Characters of a value, and of a name, in a message."""


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
    return f"{printable(name)} = {shown(value)}: allowed {verb} {allowed}{end}"


def unknown(kind: str, name: str, known: Iterable[str], remedy: str = "") -> str:
    """One line for a misspelt name, with the nearest known one.

    Returns
    -------
    str
        ``unknown learner 'densnet': did you mean 'densenet'? known are ...``, and the remedy behind a comma.
    """
    names = sorted(known)
    nearest = difflib.get_close_matches(name[:LONGEST_SHOWN], names, n=1, cutoff=0.4)
    hint = f"did you mean {shown(nearest[0])}? " if nearest else ""
    end = f", {remedy}" if remedy else ""
    listed = ", ".join(map(printable, names)) or "none"
    return f"unknown {printable(kind)} {shown(name)}: {hint}known are {listed}{end}"


def shown(value: object) -> str:
    """A value as a message shows it: one line of at most ``LONGEST_SHOWN`` characters, whatever it is.

    Python prints no integer of more than 4300 digits, and no list in lists in lists past its own depth.
    """
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        if isinstance(value, int):
            return f"an integer of {value.bit_length()} bits"
        return f"a {type(value).__name__} too large"
    return _cut(" ".join(text.split()) if "\n" in text else text)


def printable(name: str) -> str:
    """A name that a user may have made up, on one line."""
    return _cut(name if name.isprintable() else repr(name)[1:-1])


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."
