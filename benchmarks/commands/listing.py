"""``hierbench list``: everything in one line each, or one entry in full. Imports no learner and no target."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from hierbench.benchmarks.provenance.modules import constructor_parameters
from hierbench.benchmarks.suites.epsilon import Epsilon, epsilons_of
from hierbench.benchmarks.suites.suite import Run, SizePlan, Suite, TestPlan
from hierbench.benchmarks.suites.suite_file import known_suites, load_suite, summaries
from hierbench.errors import UserError, unknown
from hierbench.learners.base import Descriptor
from hierbench.learners.registry import known as known_learners
from hierbench.targets.catalogue.spec import FamilySpec
from hierbench.targets.modifiers.modifiers import MODIFIERS
from hierbench.targets.registry import LAWS
from hierbench.targets.registry import known as known_families

Entries = list[tuple[str, str]]
KINDS = ("learners", "targets", "suites")
WIDTH = 110
"""Columns, where the output is no terminal that says how many it has."""
NARROWEST = 40
"""Columns that a text gets beside its name, however narrow the terminal is."""


def print_list(what: str | None) -> None:
    """Print what there is, one line an entry; of the name of an entry, or the path of a suite, the details.

    Parameters
    ----------
    what : str or None
        None for everything; one of ``KINDS``; a learner, a target family or a suite.

    Raises
    ------
    UserError
        No such name, with the nearest known one; an error in the suite.
    """
    if what is None or what in KINDS:
        _print_summaries([what] if what else KINDS)
        return
    suites = known_suites()
    details: list[Callable[[], None]] = []
    learners, families = known_learners(), known_families()
    if what in learners:
        details.append(lambda: _print_learner(learners[what]))
    if what in families:
        details.append(lambda: _print_target(families[what]))
    if what in suites or what.endswith(".toml"):
        suite = load_suite(what)
        details.append(lambda: _print_entry("suite", suite.name, suite.summary, list(_suite(suite))))
    if not details:
        known = {*learners, *families, *suites, *KINDS}
        raise UserError(unknown("learner, target or suite", what, known, "or the path of a suite file"))
    for i, show in enumerate(details):
        if i:
            print()
        show()


def _print_summaries(kinds: Iterable[str]) -> None:
    texts = {
        "learners": lambda: {name: x.summary for name, x in known_learners().items()},
        "targets": lambda: {name: family.summary for name, family in known_families().items()},
        "suites": summaries,
    }
    listed = {kind: texts[kind]() for kind in kinds}
    width = max(len(name) for entries in listed.values() for name in entries)
    for kind, entries in listed.items():
        print(f"{kind}:")
        for name, text in entries.items():
            print(f"  {name:{width}}  {_cut(text, max(_columns() - width - 4, NARROWEST))}")
        if kind == "learners":
            print("  or any scikit-learn estimator by import path, as in sklearn.linear_model:Ridge")
        print()
    print("hierbench list NAME prints all there is to know about one of them")


def _cut(text: str, room: int) -> str:
    """The beginning of a text, up to a word."""
    return textwrap.shorten(text, room, placeholder=" ...", break_on_hyphens=False)


def _print_learner(x: Descriptor) -> None:
    settings = ", ".join(f"{key} = {value_text(value)}" for key, value in x.parameters.items())
    entries = [
        ("learns", x.learns),
        ("cost", "unknown" if x.cost is None else str(x.cost)),
        ("memory", "unknown" if x.memory is None else f"{x.memory}, beyond the data"),
        ("sets", settings),  # what the name sets of a class that other names leave at its defaults
        ("parameters", _parameters(x)),
        ("class", x.path),
        ("source", x.source),
    ]
    _print_entry("learner", x.name, x.summary, [(name, text) for name, text in entries if text])


def _parameters(x: Descriptor) -> str:
    """Parameters of the constructor with their defaults, as its source has them."""
    of_class = constructor_parameters(x.path) or {}
    return ", ".join(f"{name} = {default}" if default else name for name, default in of_class.items())


def _print_target(family: FamilySpec) -> None:
    entries = [
        ("formula", family.formula),
        ("degree", family.degree),
        ("inputs", _laws(family)),
        ("class", family.path),
        ("source", family.source),
    ]
    _print_entry("target", family.name, family.summary, entries)
    print_parameters("parameters", family.parameters)
    if family.modifiers:
        print_parameters("parameters that every target takes as well", MODIFIERS)
    print(f"hierbench describe {family.name} --set d=40 --set PARAMETER=VALUE prints a target's certificate")


def _laws(family: FamilySpec) -> str:
    """Laws of the inputs that a family admits, and why not the others, equal reasons together."""
    reasons: dict[str, list[str]] = {}
    for law, reason in family.refused_inputs.items():
        reasons.setdefault(reason, []).append(law)
    admitted = ", ".join(law for law in LAWS if law not in family.refused_inputs) or "its own"
    return "; ".join([admitted, *(f"not {', '.join(laws)}: {reason}" for reason, laws in reasons.items())])


def _suite(suite: Suite) -> Iterator[tuple[str, str]]:
    if suite.runs:
        yield "errors", "; ".join(_errors(epsilons_of(suite)))
        yield "test sets", _test(suite.test)
    yield "timeout", f"{suite.timeout_seconds:g} s a unit"
    for target in suite.targets:
        yield "target", _labelled(target.label, target.family, target.params)
    for learner in suite.learners:
        yield "learner", _labelled(learner.label, learner.learner, learner.params)
    for run in suite.runs:
        yield "run", ", ".join(run.learners)
        yield "  on", ", ".join(run.targets)
        yield "  d", ", ".join(map(str, run.d))
        yield "  sizes", _sizes(run.sizes)
        if run.test is not None:
            yield "  test sets", _test(run.test)
        yield "  replicates", _replicates(run)
    for fixed in suite.fixed:
        sizes = [*map(str, fixed.n), *(f"{ratio:g} d^2" for ratio in fixed.n_over_d2)]
        yield "fixed sizes", ", ".join(sizes)
        yield "  of", ", ".join(fixed.learners) or "every learner"
        yield "  on", ", ".join(fixed.targets)
        if fixed.d:
            yield "  d", ", ".join(map(str, fixed.d))
    for entry in suite.experiments:
        over = ", ".join(f"{k} over {', '.join(map(value_text, v))}" for k, v in entry.over.items())
        yield "experiment", f"{_labelled(entry.label, entry.experiment, entry.params)}; {over or 'one unit'}"
    for bar in suite.bars:
        at = f"{bar.learner} on {bar.target}, d = {bar.d}, n = {bar.n}"
        yield "bar", f"{bar.label}: {bar.statistic} of {at} at most {bar.max:g}"


def _errors(epsilons: Iterable[Epsilon]) -> list[str]:
    """The values of each scale: ``eps = 0.3, 0.1``."""
    values: dict[str, list[str]] = {}
    for epsilon in epsilons:
        values.setdefault(epsilon.scale, []).append(f"{epsilon.value:g}")
    return [f"{scale} = {', '.join(of_scale)}" for scale, of_scale in values.items()]


def _labelled(label: str, name: str, params: Mapping[str, Any]) -> str:
    settings = [f"{key} = {value_text(value)}" for key, value in params.items()]
    return ", ".join([label if label == name else f"{label}: {name}", *settings])


def _sizes(plan: SizePlan) -> str:
    law = f"{plan.scale:g} d^{plan.power:g}" if plan.power else f"{plan.scale:g}"
    narrowed = "" if plan.refine is None else f"; brackets of n* narrowed to a ratio of {plan.refine:g}"
    return f"{plan.count} from about {law} in steps of {plan.ratio:g}, at most {plan.max}{narrowed}"


def _test(plan: TestPlan) -> str:
    if plan.min == plan.max:
        return f"{plan.min} points"
    return f"{plan.min} points, doubled up to {plan.max} until an error is known"


def _replicates(run: Run) -> str:
    counts = [len({getattr(r, factor) for r in run.replicates}) for factor in ("target", "sample", "init")]
    number = len(run.replicates)
    if counts == [number] * 3:
        return f"{number}, each with its own target, sample and initialisation"
    return f"{number}: {counts[0]} targets x {counts[1]} samples x {counts[2]} initialisations"


def print_parameters(title: str, parameters: Mapping[str, tuple[Any, str]]) -> None:
    """Print parameters with what they are and their defaults."""
    print(f"{title}:")
    entries = [(name, f"{line} (default {value_text(value)})") for name, (value, line) in parameters.items()]
    _print_entries(entries or [("none", "")])


def value_text(value: object) -> str:
    """A value as ``--set`` takes it."""
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def _print_entry(kind: str, name: str, summary: str, entries: Sequence[tuple[str, str]]) -> None:
    lines = textwrap.wrap(f"{kind} {name}: {summary}", max(_columns(), NARROWEST), break_on_hyphens=False)
    print("\n".join(lines))
    _print_entries(entries)


def _print_entries(entries: Sequence[tuple[str, str]]) -> None:
    width = max((len(name) for name, _ in entries), default=0)
    room = max(_columns() - width - 4, NARROWEST)
    for name, text in entries:
        first, *rest = textwrap.wrap(text, room, break_on_hyphens=False, break_long_words=False) or [""]
        print(f"  {name:{width}}  {first}".rstrip())
        for line in rest:
            print(f"  {'':{width}}  {line}")


def _columns() -> int:
    return shutil.get_terminal_size((WIDTH, 24)).columns
