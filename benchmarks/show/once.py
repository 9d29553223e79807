"""What is printed on a console, as it was made when it was made of the same."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from hierbench.benchmarks.show.drawn import keep_text, state_of, text_of


@contextlib.contextmanager
def once(console: Console, kept: Path, *data: Any) -> Iterator[bool]:
    """Print what the block prints on ``console``, and keep it; True if it has to print.

    False where ``kept`` has what was made of the same ``data`` for the same medium, which is printed then.
    """
    medium = [
        getattr(console, name)
        for name in ("width", "is_terminal", "color_system", "no_color", "legacy_windows", "encoding")
    ]
    state = state_of(*data, medium)
    text = text_of(kept, state)
    with console.capture() as captured:
        yield text is None
    if text is None:
        text = captured.get()
        keep_text(kept, state, text)
    console.file.write(text)
    console.file.flush()
