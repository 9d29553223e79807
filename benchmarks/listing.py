"""``hierbench list`` and ``hierbench describe``."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Sequence

from benchmarks.errors import UserError, unknown
from benchmarks.suite_file import check_target, summaries


def print_lists(what: Iterable[str]) -> None:
    """Learners, targets and suites, a line or two each. Imports no learner and no target."""
    for i, kind in enumerate(what):
        if i:
            print()
        if kind == "learners":
            from learners.registry import LEARNERS

            _print(
                "learners",
                [(x.name, f"{x.summary} (learns: {x.learns}; cost: {x.cost})") for x in LEARNERS.values()],
            )
            print("  or any scikit-learn estimator by import path, as in sklearn.linear_model:Ridge")
        elif kind == "targets":
            from targets.registry import FAMILIES

            _print("targets", [(name, family.summary) for name, family in FAMILIES.items()])
        else:
            _print("suites", list(summaries().items()))


def _print(title: str, entries: Sequence[tuple[str, str]]) -> None:
    print(f"{title}:")
    width = max((len(name) for name, _ in entries), default=0)
    room = max(shutil.get_terminal_size((110, 24)).columns - width - 4, 40)
    for name, text in entries:
        first, *rest = textwrap.wrap(text, room) or [""]
        print(f"  {name:{width}}  {first}")
        for line in rest:
            print(f"  {'':{width}}  {line}")


def print_certificate(family: str, d: int, settings: Sequence[str], index: int) -> None:
    """Everything that is known about one target, independent of any learner."""
    from benchmarks.choices import parse_value
    from targets.registry import FAMILIES

    if family not in FAMILIES:
        raise unknown("target", family, FAMILIES)
    params = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise UserError(f"--set {setting}: parameter=value needed")
        params[name.strip()] = parse_value(value.strip())
    try:
        check_target(family, d, params)
    except ValueError as error:
        raise UserError(str(error)) from error

    from benchmarks.draw import draw_target
    from targets.base import Estimate

    spec = {"family": family, "parameters": params}
    target = draw_target(spec, d, index)
    c = target.certificate()

    def text(e: Estimate) -> str:
        return f"{e.value:.6g}" if e.exact else f"{e.value:.4g} +- {e.stderr:.1g}"

    def per(values: dict[int, Estimate], what: str) -> list[tuple[str, str]]:
        return [(f"{what} {k}", text(v)) for k, v in values.items()]

    share = c.top_half_share()
    lines = [
        ("target", f"{family}, d = {d}, {params or 'default parameters'}, number {index}"),
        ("degree", str(c.degree)),
        ("parameters", str(c.n_parameters)),
        ("method", c.method),
        ("mean", text(c.mean)),
        ("variance", text(c.variance)),
        ("kurtosis", text(c.kurtosis)),
        *per(dict(c.degree_share), "share of variance at degree"),
        (
            f"share above degree {c.degree // 2}",
            "under 0.001: eps_rel undefined" if share is None else f"{share:.4g}",
        ),
        *per(dict(c.level_share), "share of variance of level"),
        *per(dict(c.contamination), "contamination of level"),
        *(
            (f"condition number of {k}", f"{a:.3g} before, {b:.3g} after normalisation")
            for k, (a, b) in c.condition_numbers.items()
        ),
        *((f"error {e:g} needs", f"degree {c.degree_needed(e)}") for e in (0.1, 0.03, 0.01, 0.001)),
    ]
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        print(f"{name:{width}}  {value}")
    print("correlation of the levels")
    for row in c.level_covariance:
        print("  " + "  ".join(f"{x:6.3f}" for x in row))
