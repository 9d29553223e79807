"""Files that are replaced whole or left as they were."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Write a file beside ``path`` and give it that name once it is complete.

    Raises
    ------
    OSError
        Nothing was written (a full disk, a folder without permission); what was there is still there.
    """
    if path.exists() and not path.is_file():  # a pipe or a terminal takes what comes
        path.write_bytes(content)
        return
    real = Path(os.path.realpath(path))  # a link stays one
    partial = real.with_name(f".{real.name[:200]}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, real)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
