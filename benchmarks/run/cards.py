"""Memory of GPUs, asked in a process of its own: one that has looked keeps some of it."""

from __future__ import annotations

import math
import subprocess
import sys

_ASK = "import sys, torch; print(torch.cuda.mem_get_info(sys.argv[1])[0])"
_SECONDS = 60.0


def free(device: str) -> float:
    """Bytes that are free on a GPU; infinitely many where nobody says."""
    try:
        asked = subprocess.run(
            [sys.executable, "-c", _ASK, device], capture_output=True, text=True, timeout=_SECONDS
        )
        return float(asked.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return math.inf
