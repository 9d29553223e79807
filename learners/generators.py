"""Random generators of the nets, one for each use, so that no draw moves another."""

from __future__ import annotations

import enum

import numpy as np


class Purpose(enum.IntEnum):
    """What a generator is for."""

    INITIALISATION = 0
    MINIBATCHES = 1
    SPLIT = 2
    TUNING = 3
    RESTARTS = 4


def generator(seed: tuple[int, int], purpose: Purpose, restart: int = 0) -> np.random.Generator:
    """Make the generator of one cell (random_state, n), purpose and restart, independent of all others."""
    key = [*seed, purpose] if restart == 0 else [*seed, Purpose.RESTARTS, purpose, restart]
    return np.random.default_rng(np.random.SeedSequence([int(part) for part in key]))
