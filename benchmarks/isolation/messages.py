"""Messages between a unit and the process of its learner: a JSON head, then arrays as raw bytes.

Nothing that arrives is executed: no pickle, no class of the other side.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

TYPES = ("float64", "int64")
LONGEST_HEAD = 2**26
_LENGTH = struct.Struct("<Q")


class BrokenMessageError(Exception):
    """Bytes that are no message."""


def encoded(head: dict[str, Any], arrays: Sequence[np.ndarray] = ()) -> list[memoryview]:
    """Pieces to be written one after the other.

    Parameters
    ----------
    head : dict
        Plain data.
    arrays : sequence of ndarray
        Of float64 or int64.
    """
    whole = [np.ascontiguousarray(a) for a in arrays]
    described = {**head, "arrays": [[str(a.dtype), list(a.shape)] for a in whole]}
    text = json.dumps(described).encode()
    views = [a.data.cast("B") for a in whole if a.size]
    return [memoryview(_LENGTH.pack(len(text)) + text), *views]


def decoded(read: Callable[[int], bytes | bytearray]) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Read one message: ``read(k)`` gives exactly k bytes.

    Raises
    ------
    BrokenMessageError
    """
    (length,) = _LENGTH.unpack(read(_LENGTH.size))
    if length > LONGEST_HEAD:
        raise BrokenMessageError(f"a head of {length} bytes")
    try:
        head = json.loads(bytes(read(length)))
        descriptions = [(str(kind), [int(k) for k in shape]) for kind, shape in head.pop("arrays")]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BrokenMessageError(f"no head: {type(error).__name__}") from error
    arrays = []
    for kind, shape in descriptions:
        if kind not in TYPES or any(k < 0 for k in shape):
            raise BrokenMessageError(f"an array of type {kind} and shape {shape}")
        content = read(8 * math.prod(shape)) if math.prod(shape) else b""
        arrays.append(np.frombuffer(content, kind).reshape(shape))
    return head, arrays
