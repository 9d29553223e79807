"""Suite files: from TOML to a checked ``Suite``."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hierbench import plugins
from hierbench.benchmarks.isolation.ask import parameters_of
from hierbench.benchmarks.provenance.modules import constructor_parameters, find_class
from hierbench.benchmarks.suites import fixed_sizes
from hierbench.benchmarks.suites.finite import check_points
from hierbench.benchmarks.suites.fixed_sizes import FixedSizes
from hierbench.benchmarks.suites.limits import (
    EPSILONS,
    LARGEST_BAR,
    LARGEST_POWER,
    LARGEST_SAMPLE,
    LARGEST_SIZE,
    LONGEST,
    LONGEST_NAME,
    MOST_REPLICATES,
    MOST_ROWS,
    MOST_SIZES,
    MOST_UNITS,
    SCALES,
)
from hierbench.benchmarks.suites.suite import (
    STATISTICS,
    Bar,
    ExperimentEntry,
    LearnerEntry,
    Run,
    SizePlan,
    Suite,
    TargetEntry,
    TestPlan,
    crossed_replicates,
    plain_replicates,
)
from hierbench.benchmarks.suites.toml_lines import Document, Table
from hierbench.benchmarks.units import experiments
from hierbench.benchmarks.units.rows import REPLICATES_PER_BLOCK, Replicate
from hierbench.checks import LARGEST_DIMENSION, is_real, plain
from hierbench.errors import UserError, refusal, unknown
from hierbench.learners import registry as learner_registry
from hierbench.learners.catalogue.bounds import check_bounds
from hierbench.targets import registry as target_registry
from hierbench.targets.registry import parameters

if TYPE_CHECKING:
    from hierbench.targets.base import Target

MINIMUM_REFINE = 1.1
"""Narrower brackets than this say more of one replicate than replicates differ."""
SEED = "random_state"
"""Parameter of learners that is a replicate's, and no suite's."""
SUITES = Path(__file__).parent


def known_suites() -> dict[str, Path]:
    """The suites that come with hierbench, by name."""
    return {path.stem: path for path in sorted(SUITES.glob("*.toml"))}


def summaries() -> dict[str, str]:
    """Summary of each suite, unchecked: for listing."""
    lines = {}
    for name, path in known_suites().items():
        try:
            lines[name] = str(tomllib.loads(path.read_text(encoding="utf-8")).get("summary", ""))
        except (OSError, ValueError) as error:
            lines[name] = f"(cannot be read: {error})"
    return lines


def load_suite(name: str) -> Suite:
    """The suite called ``name``, or the one in the file of that path.

    Raises
    ------
    UserError
        Unknown suite, or an error in the file: file, line, key and what is allowed.
    """
    by_name = known_suites()
    path = by_name.get(name, Path(name))
    if name not in by_name and path.suffix != ".toml":
        raise UserError(unknown("suite", name, by_name))
    return _suite(Document(path).root)


def check_learner(learner: str, params: Mapping[str, Any]) -> None:
    """Refuse an unknown learner, a parameter that its constructor does not have, and ``random_state``.

    Raises
    ------
    ValueError
        With the nearest known name.
    """
    path = learner_registry.resolve(learner).path
    module, _, name = path.partition(":")
    allowed: Collection[str] | None = constructor_parameters(path)
    if allowed is None and (params or find_class(module, name) is None):
        # The source does not show it: a re-export under another name, a dataclass, a C module.
        allowed = parameters_of(learner)
    for key, value in params.items():
        if allowed is not None and key not in allowed:
            raise ValueError(unknown(f"parameter of {name}", key, allowed))
        if key == SEED:
            raise ValueError(f"{key} is no parameter of a suite: each replicate has its own; leave {key} out")
        plain(key, value)
    if learner in learner_registry.LEARNERS:
        check_bounds(params)


def check_target(family: str, d: int, params: Mapping[str, Any]) -> Target:
    """Refuse an unknown family, a parameter it lacks, a ``d`` that it cannot have, or too large a target.

    Returns
    -------
    Target
        One of those that are allowed.

    Raises
    ------
    ValueError
        With one clear line.
    """
    target_registry.family(family)
    try:
        return target_registry.make_target(family, d, 0, **params)
    except TypeError as error:
        raise ValueError(str(error)) from error


def _suite(root: Table) -> Suite:
    name, summary = root.text("name"), root.text("summary")
    folder = name not in (".", "..") and not set(name) & {"/", "\\"} and name.isprintable()
    if not folder or len(name) > LONGEST_NAME:
        allowed = f"a name of a folder of at most {LONGEST_NAME} characters, to which the figures go"
        root.refuse("name", name, allowed)
    entries = tuple(_experiment(t) for t in root.tables("experiment", least=0))
    if entries and "run" not in root.data:
        return _only_experiments(root, name, summary, entries)
    first = root.whole("first_replicate", MOST_REPLICATES, least=0, default=0)
    replicates = _replicates(root, first)
    test = _test(root)
    epsilons = _epsilons(root, "epsilons")
    relative = _epsilons(root, "relative_epsilons", (0.1,))
    top, weakest = (_epsilons(root, f"{scale}_epsilons", ()) for scale in ("top", "weakest"))
    timeout = root.number("timeout_seconds", LONGEST)
    traces = root.flag("traces", False)
    target_tables, learner_tables = root.tables("target"), root.tables("learner")
    run_tables, bar_tables = root.tables("run"), root.tables("bar", least=0)
    fixed_tables = root.tables("fixed_sizes", least=0)
    root.done()
    targets = tuple(_target(t) for t in target_tables)
    learners = tuple(_learner(t) for t in learner_tables)
    _unique(target_tables)
    _unique(learner_tables)
    _unique(root.tables("experiment", least=0))
    runs = tuple(
        _run(t, [e.label for e in targets], [e.label for e in learners], first, replicates)
        for t in run_tables
    )
    _check_total(root, runs, run_tables, entries)
    suite = Suite(name, summary, test, timeout, epsilons, relative, top, traces, targets, learners, runs)
    _check_cells(suite, run_tables)
    bars = tuple(_bar(t, suite) for t in bar_tables)
    return dataclasses.replace(
        suite, bars=bars, experiments=entries, weakest_epsilons=weakest, fixed=_fixed(fixed_tables, suite)
    )


def _test(table: Table) -> TestPlan:
    """Test sets of a suite or a run."""
    inner = table.table("test")
    test = TestPlan(*(inner.whole(key, LARGEST_SIZE, least=16) for key in ("min", "max")))
    if test.max < test.min:
        inner.refuse("max", test.max, f"integers from min = {test.min}")
    inner.done()
    return test


def _fixed(tables: list[Table], suite: Suite) -> tuple[FixedSizes, ...]:
    largest = suite.largest_sizes()
    blocks = {cell: len(run.blocks()) for run in suite.runs for cell in run.cells()}
    entries: list[FixedSizes] = []
    for table in tables:
        labels = [e.label for e in suite.targets], [e.label for e in suite.learners]
        entries.append(fixed_sizes.read(table, *labels, largest))
        fixed_sizes.check_total(table, entries, blocks, MOST_UNITS)
    return tuple(entries)


def _only_experiments(root: Table, name: str, summary: str, entries: tuple[ExperimentEntry, ...]) -> Suite:
    """A suite without learning curves: it has neither test sets nor epsilons."""
    timeout = root.number("timeout_seconds", LONGEST)
    root.done()
    _unique(root.tables("experiment"))
    _check_total(root, (), [], entries)
    nothing = TestPlan(16, 16)
    return Suite(name, summary, nothing, timeout, (), (), (), False, (), (), (), experiments=entries)


def _experiment(table: Table) -> ExperimentEntry:
    over = table.plain("over")
    entry = ExperimentEntry(
        label=table.text("label"),
        experiment=table.text("experiment"),
        params=table.plain("params"),
        over={key: tuple(values) if isinstance(values, list) else (values,) for key, values in over.items()},
        seconds=table.number("seconds", LONGEST),
    )
    table.done()
    for key, values in entry.over.items():
        if not values or any(v in values[:i] for i, v in enumerate(values)):
            table.fail("over", refusal(key, list(values), "a list of different values"))
        if key in entry.params:
            table.fail("over", f"{key} is in params too: one of the two is needed")
    table.checked("experiment", lambda: experiments.module_of(entry.experiment))
    asked = {key: [value] for key, value in entry.params.items()} | {k: [*v] for k, v in entry.over.items()}
    table.checked("params", lambda: experiments.check(entry.experiment, asked))
    return entry


def _epsilons(root: Table, key: str, default: tuple[float, ...] | None = None) -> tuple[float, ...]:
    if default is not None and key not in root.data:
        return default
    least, most = EPSILONS
    for epsilon in root.items(key, (int, float), "numbers"):
        if not is_real(epsilon) or not least <= epsilon <= most:
            root.refuse(key, epsilon, f"positive numbers from {least:g} to {most:g}")
    return tuple(float(e) for e in root.items(key, (int, float), "numbers"))


def _replicates(
    table: Table, first: int, inherited: tuple[Replicate, ...] | None = None
) -> tuple[Replicate, ...]:
    """Replicates of a suite or a run, from ``first`` on: targets and samples that no other suite has."""
    if "crossed" in table.data:
        if first:
            table.fail("crossed", "first_replicate goes with replicates, not with crossed: leave one out")
        if "replicates" in table.data:
            table.fail("crossed", "give either replicates or crossed, not both")
        inner = table.table("crossed")
        table.keys_read.add("replicates")
        factors = [inner.whole(k, MOST_REPLICATES) for k in ("targets", "samples", "inits")]
        inner.done()
        if math.prod(factors) > MOST_REPLICATES:
            allowed = f"integers up to {MOST_REPLICATES}"
            table.fail("crossed", refusal("targets * samples * inits", math.prod(factors), allowed))
        replicates = crossed_replicates(*factors)
        key = "crossed"
    elif inherited is not None and "replicates" not in table.data:
        table.keys_read |= {"replicates", "crossed"}
        return inherited
    else:
        table.keys_read.add("crossed")
        replicates = plain_replicates(table.whole("replicates", MOST_REPLICATES), first)
        key = "replicates"
    n = len(replicates)
    if n % REPLICATES_PER_BLOCK:
        nearest = n - n % REPLICATES_PER_BLOCK or REPLICATES_PER_BLOCK
        remedy = f"a block of replicates is always computed whole (nearest: {nearest})"
        table.fail(key, refusal("number of replicates", n, f"multiples of {REPLICATES_PER_BLOCK}", remedy))
    return replicates


def _target(table: Table) -> TargetEntry:

    family = plugins.located(plugins.TARGETS, table.text("family"), target_registry.FAMILIES)
    entry = TargetEntry(table.text("label"), family, table.plain("params"))
    table.done()
    table.checked("family", lambda: target_registry.family(entry.family))
    allowed = parameters(entry.family)
    for name in entry.params:
        if name not in allowed:
            table.fail("params", unknown(f"parameter of {entry.family}", name, allowed))
    return entry


def _learner(table: Table) -> LearnerEntry:
    name = table.text("learner")
    learner = plugins.located(plugins.LEARNERS, name, learner_registry.LEARNERS)
    seconds = table.number_or_none("seconds", LONGEST)
    entry = LearnerEntry(table.text("label", name), learner, table.plain("params"), seconds)
    table.done()

    table.checked("learner", lambda: learner_registry.resolve(learner))
    table.checked("learner", lambda: check_learner(learner, {}))
    table.checked("params", lambda: check_learner(learner, entry.params))
    return entry


def _unique(tables: list[Table]) -> None:
    seen: set[str] = set()
    for table in tables:
        label = table.data.get("label", table.data.get("learner"))
        if label in seen:
            table.fail("label", f"{label!r} is used twice")
        seen.add(label)


def _sizes(table: Table) -> SizePlan:
    plan = SizePlan(
        scale=table.number("scale", SCALES[1], least=SCALES[0]),
        power=table.number("power", LARGEST_POWER, zero=True),
        ratio=table.number("ratio", LARGEST_SIZE),
        count=table.whole("count", MOST_SIZES),
        max=table.whole("max", LARGEST_SIZE, least=2),
        refine=table.number_or_none("refine", LARGEST_SIZE),
    )
    table.done()
    if plan.refine is not None and not MINIMUM_REFINE <= plan.refine < plan.ratio:
        allowed = f"a number >= {MINIMUM_REFINE:g} and below ratio = {plan.ratio:g}"
        table.refuse("refine", plan.refine, allowed, "brackets of n* are narrowed to this ratio")
    if plan.ratio < 1 or (plan.ratio == 1 and plan.count > 1):
        table.refuse("ratio", plan.ratio, "a number > 1, or 1 with count = 1", "sizes must grow")
    return plan


def _run(
    table: Table, targets: list[str], learners: list[str], first: int, replicates: tuple[Replicate, ...]
) -> Run:
    run = Run(
        targets=table.names("targets", "target", targets),
        learners=table.names("learners", "learner", learners),
        d=tuple(
            table.bounded_whole("d", d, LARGEST_DIMENSION) for d in table.items("d", int, "whole numbers")
        ),
        sizes=_sizes(table.table("sizes")),
        replicates=_replicates(table, first, replicates),
        test=_test(table) if "test" in table.data else None,
    )
    table.keys_read.add("test")
    table.done()
    return run


def _check_total(
    root: Table, runs: tuple[Run, ...], tables: list[Table], entries: tuple[ExperimentEntry, ...]
) -> None:
    """Refuse more units or rows than a suite may have, by their number, before one of them is made."""
    units = sum(math.prod(map(len, entry.over.values())) for entry in entries)
    if units > MOST_UNITS:
        root.fail("experiment", refusal("units of all experiments", units, f"integers up to {MOST_UNITS}"))
    rows = 0
    for run, table in zip(runs, tables, strict=True):
        cells = len(run.learners) * len(run.targets) * len(run.d)
        certificates = len(run.targets) * len(run.d) * len({r.target for r in run.replicates})
        units += cells * -(-len(run.replicates) // REPLICATES_PER_BLOCK) + certificates
        rows += cells * len(run.replicates) * run.sizes.count
        for what, number, most in (("units", units, MOST_UNITS), ("rows", rows, MOST_ROWS)):
            if number > most:
                remedy = "fewer cells, replicates or sizes; several suites may share a results folder"
                allowed = f"integers up to {most}"
                table.fail("sizes", refusal(f"{what} of the suite up to here", number, allowed, remedy))


def _check_cells(suite: Suite, tables: list[Table]) -> None:
    owner: dict[tuple[str, str, int], int] = {}
    for n, d, table in (
        (max(suite.test_of(run).max, run.sizes.max), max(run.d), table)
        for run, table in zip(suite.runs, tables, strict=True)
    ):
        if n * d > LARGEST_SAMPLE:
            allowed = f"integers up to {LARGEST_SAMPLE} ({8 * LARGEST_SAMPLE / 2**30:g} GiB)"
            remedy = f"lower d, max of the sizes or max of the test sets (the larger is {n})"
            table.fail("d", refusal("numbers in a sample, n d", n * d, allowed, remedy))
    for run, table in zip(suite.runs, tables, strict=True):
        for d in run.d:
            for label in run.targets:
                entry = suite.target(label)
                try:
                    one = check_target(entry.family, d, entry.params)
                    check_points(one, suite.test_of(run), run.sizes.max, run.replicates)
                except ValueError as error:
                    table.fail("d", f"target {label!r} at d = {d}: {error}")
            for replicate in run.replicates:
                sizes = run.sizes.sizes(d, replicate.sample)
                if not sizes:
                    table.fail(
                        "sizes",
                        f"no size up to max = {run.sizes.max} at d = {d}, sample {replicate.sample}: raise "
                        "max or lower scale",
                    )
                if sizes[0] < 2:
                    table.fail(
                        "sizes", f"at d = {d}: {refusal('n', sizes[0], 'integers from 2', 'raise scale')}"
                    )
        for cell in run.cells():
            if cell in owner:
                learner, target, d = cell
                table.fail(
                    "sizes",
                    f"a second size plan for learner {learner!r}, target {target!r}, d = {d}: the first is "
                    f"in the [[run]] at line {owner[cell]}",
                )
            owner[cell] = table.line()


def _bar(table: Table, suite: Suite) -> Bar:
    bar = Bar(
        label=table.text("label"),
        target=table.names("target", "target", [t.label for t in suite.targets])[0],
        learner=table.names("learner", "learner", [e.label for e in suite.learners])[0],
        d=table.whole("d", LARGEST_DIMENSION),
        n=table.whole("n", LARGEST_SIZE, least=2),
        statistic=table.names("statistic", "statistic", STATISTICS)[0],
        max=table.number("max", LARGEST_BAR),
    )
    table.done()
    for run in suite.runs:
        if (bar.learner, bar.target, bar.d) in set(run.cells()):
            shared = set.intersection(*(set(run.sizes.sizes(bar.d, r.sample)) for r in run.replicates))
            if bar.n in shared:
                return bar
            common = ", ".join(map(str, sorted(shared))) or "none"
            remedy = "" if shared else "sizes are staggered; ratio = 1 and count = 1 give one common size"
            table.refuse("n", bar.n, f"sizes that every replicate of that cell has: {common}", remedy)
    table.fail("d", f"no [[run]] has learner {bar.learner!r} on target {bar.target!r} at d = {bar.d}")
