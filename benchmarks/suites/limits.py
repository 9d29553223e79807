"""Bounds of what a suite file may ask for, checked before anything is built."""

from __future__ import annotations

LARGEST_FILE = 2**18
"""Bytes of a suite file."""
MOST_TABLES = 1000
"""Targets, learners, runs, bars and experiments of a suite, each."""
MOST_VALUES = 1000
"""Entries of a list."""
LONGEST_NAME = 100
"""Characters of a suite's name: a folder is called so."""
MOST_REPLICATES = 10_000
MOST_SIZES = 1000
"""Of one curve."""
MOST_UNITS = 10_000
"""Units of work of a suite."""
MOST_ROWS = 200_000
LARGEST_SIZE = 10**8
"""Of a training or test set."""
LARGEST_SAMPLE = 2**31
"""Numbers in the inputs of a training or test set, n d: 16 GiB in float64."""
LONGEST = 1e8
"""Seconds, of a unit or its time limit: three years."""
EPSILONS = (1e-12, 1e6)
SCALES = (1e-12, 1e8)
"""Of the factor in front of a size plan."""
LARGEST_POWER = 1000.0
"""Of d in a size plan."""
LARGEST_BAR = 1e12


def workers_allowed(cores: int) -> int:
    """Most worker processes on a machine of so many cores."""
    return max(16, 4 * cores)
