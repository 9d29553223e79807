"""The seed that a ``random_state`` stands for: nets with the same one start from the same parameters."""

from __future__ import annotations

import numpy as np
from sklearn.utils import check_random_state


def seed_of(random_state: int | np.random.RandomState | None) -> int:
    """Return an integer as it is; of a RandomState, or of numpy's own for None, the next draw.

    Raises
    ------
    ValueError
        ``random_state`` is none of these.
    """
    if isinstance(random_state, (int, np.integer)):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))
