"""Where the command ``hierbench`` starts: it hears signals before anything is imported that takes time."""

from __future__ import annotations

import sys

from hierbench.benchmarks import ending
from hierbench.benchmarks.isolation import signals


def main() -> None:
    """Entry point: see ``hierbench.benchmarks.cli``."""
    signals.as_by_default()  # before and after the command
    with signals.heard():
        sys.exit(ending.status_of(_command))


def _command() -> int:
    # signals are heard, and the environment's errors explained, by now
    from hierbench.benchmarks import cli

    cli.main()
    return 0
