"""Independent seeds from the names of the axes.

A seed is a hash of names and numbers, never a position in a list: adding a learner, a stage
or a block changes no existing number.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np


def derive(purpose: str, **axes: Any) -> int:
    """A 63-bit seed for ``purpose`` ("target", "sample", "test", "init") at these axes.

    Axes must be JSON-serialisable; their order does not matter.
    """
    text = json.dumps([purpose, axes], sort_keys=True, separators=(",", ":"))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(purpose: str, **axes: Any) -> np.random.Generator:
    """A generator on its own stream; see ``derive``."""
    return np.random.Generator(np.random.PCG64(derive(purpose, **axes)))
