"""What the command line changes in a suite: learners added or chosen, parameters set."""

from __future__ import annotations

import dataclasses
import itertools
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import Any

from hierbench import plugins
from hierbench.benchmarks.suites.finite import check_points
from hierbench.benchmarks.suites.suite import LearnerEntry, Run, Suite
from hierbench.benchmarks.suites.suite_file import check_learner, check_target
from hierbench.benchmarks.suites.toml_lines import is_plain
from hierbench.checks import plain
from hierbench.errors import UserError, refusal, unknown
from hierbench.learners import registry

WORDS = {"none": None, "null": None, "true": True, "false": False}
"""What is meant by a word on the command line, in whatever case: as a text ``False`` would count as true."""


def choose(
    suite: Suite,
    learners: Sequence[str] = (),
    targets: Sequence[str] = (),
    d: Sequence[int] = (),
    settings: Sequence[str] = (),
    experiments: Sequence[str] = (),
) -> tuple[Suite, Suite]:
    """Apply ``--learner``, ``--target``, ``--d``, ``--set`` and ``--experiment``.

    Returns
    -------
    to_run : Suite
        The chosen learners only.
    to_show : Suite
        Every learner of the suite, and those added, on the same targets and d: a new learner
        is shown among the others.

    Raises
    ------
    UserError
        Unknown names, with the nearest known one; a choice among what the suite has none of.
    """
    if experiments and not suite.experiments:
        raise UserError(
            f"--experiment: suite {suite.name} has none; --learner, --target and --d choose in it"
        )
    if not suite.runs and (learners or targets or d or settings):
        raise UserError(
            f"--learner, --target, --d and --set: suite {suite.name} has experiments only; --experiment "
            f"chooses among them, and parameters are set in a copy of the suite file"
        )
    labels: list[str] = []
    try:
        for name in learners:
            suite, selected = _select(suite, name)
            labels += selected
        check_given_once(settings)
        for setting in settings:
            suite = _set(suite, setting)
    except ValueError as error:
        raise UserError(str(error)) from error
    for kind, chosen, available in (
        ("target", targets, [entry.label for entry in suite.targets]),
        ("experiment", experiments, [entry.label for entry in suite.experiments]),
    ):
        for label in chosen:
            if label not in available:
                raise UserError(unknown(f"{kind} of the suite", label, available))
    return narrowed(suite, labels, targets, d, experiments), narrowed(suite, (), targets, d, experiments)


def _select(suite: Suite, name: str) -> tuple[Suite, list[str]]:
    labels = [e.label for e in suite.learners]
    if name in labels:
        return suite, [name]
    path = plugins.located(plugins.LEARNERS, name, registry.LEARNERS)
    if same_learner := [e.label for e in suite.learners if e.learner in (name, path)]:
        return suite, same_learner
    installed = plugins.installed(plugins.LEARNERS)
    if ":" not in name and name not in registry.LEARNERS and name not in installed:
        others = "or the import path of any scikit-learn estimator, as in sklearn.linear_model:Ridge"
        raise UserError(unknown("learner", name, {*labels, *registry.LEARNERS, *installed}, others))
    check_learner(name, {})
    label = registry.resolve(name).name
    entry = LearnerEntry(label if label not in labels else name, path, {})
    return with_learner(suite, entry), [entry.label]


def _set(suite: Suite, setting: str) -> Suite:
    name, equals, text = setting.partition("=")
    label, dot, parameter = name.strip().rpartition(".")
    if not (equals and dot and label and parameter):
        raise UserError(refusal("--set", setting, "learner.parameter=value and target.parameter=value"))
    value = parse_value(text.strip())
    hit = False
    learners = []
    for entry in suite.learners:
        if label in (entry.label, entry.learner):
            hit = True
            entry = dataclasses.replace(entry, params={**entry.params, parameter: value})
            check_learner(entry.learner, entry.params)
        learners.append(entry)
    targets = []
    for target in suite.targets:
        if label == target.label:
            hit = True
            target = dataclasses.replace(target, params={**target.params, parameter: value})
            for run in suite.runs:
                for d in run.d if label in run.targets else ():
                    one = check_target(target.family, d, target.params)
                    check_points(one, suite.test_of(run), run.sizes.max, run.replicates)
        targets.append(target)
    if not hit:
        names = {e.label for e in suite.learners} | {t.label for t in suite.targets}
        raise UserError(f"--set {setting}: {unknown('learner or target', label, names)}")
    return dataclasses.replace(suite, learners=tuple(learners), targets=tuple(targets))


def check_given_once(settings: Sequence[str]) -> None:
    """Raise UserError if two settings, ``name=value``, are of one name: of two values one would be lost."""
    names = [setting.partition("=")[0].strip() for setting in settings]
    for setting, name in zip(settings, names, strict=True):
        if names.count(name) > 1:
            raise UserError(f"--set {setting}: {name} is given {names.count(name)} times, give one")


def parse_value(text: str) -> Any:
    """A TOML value (number, list, ...) but no date, one of ``WORDS``, or else the text itself."""
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        parsed = tomllib.loads(f"value = {text}")
        plain("value of --set", parsed["value"])
    except tomllib.TOMLDecodeError:
        return text
    except (ValueError, RecursionError) as error:  # digits without end, lists in lists in lists
        allowed = "integers of 64 bits, finite numbers, texts, and lists and tables of a few levels"
        raise UserError(refusal("value of --set", text, allowed)) from error
    return parsed["value"] if len(parsed) == 1 and is_plain(parsed["value"]) else text


def narrowed(
    suite: Suite,
    learners: Iterable[str] = (),
    targets: Iterable[str] = (),
    d: Iterable[int] = (),
    chosen: Iterable[str] = (),
) -> Suite:
    """The part of a suite on these learners, targets and d (all of them where none is given).

    Adaptive sizes at a d start from n* at the smaller ones: these stay, so that every row is one of the whole
    suite's.

    Experiments have none of these: they stay where nothing is chosen, or where ``chosen`` names them; and
    where nothing else is named, experiments are all that stays.

    Raises
    ------
    UserError
        Nothing is left, with what the suite has.
    """
    learners, targets, d, labels = set(learners), set(targets), set(d), set(chosen)
    some = learners | targets | d
    experiments = tuple(e for e in suite.experiments if e.label in labels or not (labels or some))
    if labels and not some:
        return dataclasses.replace(suite, runs=(), bars=(), experiments=experiments)

    def keep(run: Run) -> Run:
        return dataclasses.replace(
            run,
            learners=tuple(x for x in run.learners if not learners or x in learners),
            targets=tuple(x for x in run.targets if not targets or x in targets),
        )

    available = {x for run in suite.runs for x in run.d}
    if absent := sorted(d - available):
        allowed = f"those of suite {suite.name}: {', '.join(map(str, sorted(available)))}"
        raise UserError(refusal("d", absent[0], allowed))
    runs, fixed = tuple(r for r in map(keep, suite.runs) if r.learners and r.targets), suite.fixed
    if d:
        runs = tuple(_at(d, runs))
        at = [dataclasses.replace(f, d=tuple(sorted(d & set(f.d or d)))) for f in fixed]
        fixed = tuple(f for f in at if f.d)
    if not runs and (some or not experiments):
        raise UserError(f"suite {suite.name} has no cell with these learners, targets and d together")
    cells = {cell for run in runs for cell in run.cells()}
    bars = tuple(b for b in suite.bars if (b.learner, b.target, b.d) in cells)
    return dataclasses.replace(suite, runs=runs, bars=bars, experiments=experiments, fixed=fixed)


def smaller(suite: Suite, d: Iterable[int]) -> tuple[int, ...]:
    """The d of a suite narrowed to ``d`` that are there because sizes start from them."""
    return tuple(sorted({x for run in suite.runs for x in run.d} - set(d)))


def _at(d: Set[int], runs: Sequence[Run]) -> Iterator[Run]:
    """The runs at these d, and at the smaller ones that adaptive sizes there start from, block by block."""
    ahead: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for run in runs:
        if run.sizes.refine:
            for pair in itertools.product(run.learners, run.targets):
                ahead[pair] += [(x, len(run.replicates)) for x in d & set(run.d)]

    def count(run: Run, pair: tuple[str, str], x: int) -> int:
        if x in d:
            return len(run.replicates)
        asked = [number for at, number in ahead[pair] if at > x] if run.sizes.refine else []
        return min(max(asked, default=0), len(run.replicates))

    for run in runs:
        pairs = list(itertools.product(run.learners, run.targets))
        kept = {pair: [count(run, pair, x) for x in run.d] for pair in pairs}
        alike = all(counts == kept[pairs[0]] for counts in kept.values())
        cells = [(run.learners, run.targets)] if alike else [((x,), (y,)) for x, y in pairs]
        for learners, targets in cells:
            counts = zip(run.d, kept[learners[0], targets[0]], strict=True)
            for number, some in itertools.groupby(counts, lambda one: one[1]):
                if number:
                    dims = tuple(x for x, _ in some)
                    yield dataclasses.replace(
                        run, learners=learners, targets=targets, d=dims, replicates=run.replicates[:number]
                    )


def with_learner(suite: Suite, entry: LearnerEntry) -> Suite:
    """The suite with one more learner, on every (target, d) that it has.

    Where several runs hold a cell (cheap learners may go to larger sizes), the first one's
    size plan is taken.
    """
    taken: set[tuple[str, int]] = set()
    runs = list(suite.runs)
    for run in suite.runs:
        for target in run.targets:
            free = tuple(x for x in run.d if (target, x) not in taken)
            taken |= {(target, x) for x in free}
            if free:
                runs.append(dataclasses.replace(run, targets=(target,), learners=(entry.label,), d=free))
    return dataclasses.replace(suite, learners=(*suite.learners, entry), runs=tuple(runs))
