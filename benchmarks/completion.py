"""What a shell offers after the tab key: names, without importing a learner or a target.

Each function takes what has been typed so far and gives (name, summary) pairs; a shell that shows no
summaries drops them. Nothing here raises: an error would be printed into the line that is being typed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import typer

Offer = list[tuple[str, str]]


def suites(incomplete: str) -> Offer:
    """Suites that come with hierbench."""
    # completion imports what it offers: no command waits for it
    from hierbench.benchmarks.suites.suite_file import summaries

    return _starting(incomplete, summaries())


def targets(incomplete: str) -> Offer:
    """Families of targets."""
    # as above
    from hierbench.targets.registry import known

    return _starting(incomplete, {name: family.summary for name, family in known().items()})


def learners(ctx: typer.Context, incomplete: str) -> Offer:
    """Learners by name, and by their labels in the suite that has been typed."""
    # as above
    from hierbench.learners.registry import known

    labels = _labels(ctx, "learner")
    return _starting(incomplete, {**labels, **{name: x.summary for name, x in known().items()}})


def suite_learners(ctx: typer.Context, incomplete: str) -> Offer:
    """Learners by their labels in the suite that has been typed."""
    return _starting(incomplete, _labels(ctx, "learner"))


def suite_targets(ctx: typer.Context, incomplete: str) -> Offer:
    """Targets by their labels in the suite that has been typed."""
    return _starting(incomplete, _labels(ctx, "target"))


def suite_experiments(ctx: typer.Context, incomplete: str) -> Offer:
    """Experiments by their labels in the suite that has been typed."""
    return _starting(incomplete, _labels(ctx, "experiment"))


def entries(ctx: typer.Context, incomplete: str) -> Offer:
    """What ``hierbench list`` takes."""
    kinds = {kind: f"all {kind}" for kind in ("learners", "targets", "suites")}
    return [
        *_starting(incomplete, kinds),
        *learners(ctx, incomplete),
        *targets(incomplete),
        *suites(incomplete),
    ]


def _starting(incomplete: str, texts: Mapping[str, str]) -> Offer:
    return [(name, text) for name, text in texts.items() if name.startswith(incomplete)]


def _labels(ctx: typer.Context, kind: str) -> dict[str, str]:
    """Labels in the suite file, unchecked: it may be one that is being written."""
    # as above
    import tomllib
    from pathlib import Path

    from hierbench.benchmarks.suites.suite_file import known_suites

    # behind an option without its value yet, the parser leaves arguments where they are
    suite = next(iter(ctx.args), None) or ctx.params.get("suite") or ""
    labels: dict[str, str] = {}
    with contextlib.suppress(OSError, ValueError, AttributeError, TypeError):
        document: dict[str, Any] = tomllib.loads(known_suites().get(suite, Path(suite)).read_text("utf-8"))
        for table in document.get(kind, []):
            label = table.get("label") or table.get(kind)
            labels[str(label)] = str(table.get("family") or table.get(kind) or "")
    return labels
