"""``python -m hierbench.benchmarks.studies.faults``: the table of docs/robustness.md."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from hierbench.benchmarks.studies.faults import environments, hostile, kills
from hierbench.benchmarks.studies.faults.tally import Tally, markdown

Part = Callable[[Path, float], Iterator[Tally]]


def killed_runs(folder: Path, share: float) -> Iterator[Tally]:
    """200 kills."""
    campaign = kills.Campaign(folder)
    for kind in kills.STRIKES:
        yield campaign.killed(kind, round(30 * share))
    yield kills.statements(folder, round(80 * share), campaign)


def hostile_learners(folder: Path, share: float) -> Iterator[Tally]:
    """Every hostile learner."""
    yield hostile.campaign(folder)


def odd_environments(folder: Path, share: float) -> Iterator[Tally]:
    """Every odd environment."""
    yield environments.campaign(folder)


PARTS: dict[str, Part] = {
    "kills": killed_runs,
    "hostile": hostile_learners,
    "environments": odd_environments,
}


def main() -> int:
    """Run campaigns and print their table; exit status 1 if something came out wrong."""
    parser = argparse.ArgumentParser(prog="hierbench.benchmarks.studies.faults", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", default=[], metavar="PART", help=f"of {', '.join(PARTS)}; default: all"
    )
    parser.add_argument("--share", type=float, default=1.0, help="of the full number of tries")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"unknown parts {', '.join(sorted(unknown))}: known are {', '.join(PARTS)}")
    tallies = []
    for name in options.parts or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            for tally in PARTS[name](Path(folder), options.share):
                print(markdown([tally]).splitlines()[2], flush=True)  # progress
                tallies.append(tally)
    print(f"\n{markdown(tallies)}")
    return int(any(tally.wrong for tally in tallies))


if __name__ == "__main__":
    raise SystemExit(main())
