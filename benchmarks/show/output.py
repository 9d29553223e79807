"""What a command prints: a Markdown row, a text or a file of it, a line on standard error."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from hierbench.errors import UserError
from hierbench.files import replace_file

_MARKDOWN = {**{c: "\\" + c for c in "\\`*_[]|"}, "<": "&lt;", ">": "&gt;"}

LATEX = {
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}"},
    **{c: "\\" + c for c in "&%$#_{}"},
}
"""What LaTeX has to be told of characters that mean something to it."""


def escaped(cell: str, characters: dict[str, str] = _MARKDOWN) -> str:
    """A cell in which no character means anything to Markdown, or to whom ``characters`` are for."""
    return "".join(characters.get(c, c) for c in cell)


def markdown_row(cells: Sequence[str]) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(escaped(cell) for cell in cells) + " |"


def say(text: str) -> None:
    """Print a line beside the output: on standard error."""
    print(text, file=sys.stderr, flush=True)


def deliver(text: str, output: Path | None) -> None:
    """Print a text, or write it to a file and print its name.

    Raises
    ------
    UserError
        The file cannot be written.
    """
    if output is None:
        print(text, end="")
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        replace_file(output, text.encode("utf-8", "replace"))
    except OSError as error:
        raise UserError(f"{output} cannot be written: {error}") from error
    print(output)
