"""The file of claims, ``claims.toml``: read, checked line by line, and chosen from."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hierbench.benchmarks.claims.criteria import FIXED, KINDS, Bounds, Claim, Criterion
from hierbench.benchmarks.claims.quantities import QUANTITIES
from hierbench.benchmarks.suites.epsilon import FIELDS, Epsilon
from hierbench.benchmarks.suites.limits import EPSILONS
from hierbench.benchmarks.suites.suite_file import known_suites, load_suite
from hierbench.benchmarks.suites.toml_lines import Document, Table
from hierbench.errors import UserError, refusal, unknown

if TYPE_CHECKING:
    from hierbench.benchmarks.suites.suite import Suite


CLAIMS = Path(__file__).parent / "claims.toml"
MOST_LOOKS, LARGEST_BOUND = 1000, 1e12


def load_claims(path: Path = CLAIMS) -> tuple[Claim, ...]:
    """The claims of a file, in its order.

    Raises
    ------
    UserError
        File, line, key and what is allowed.
    """
    root = Document(path).root
    claim_tables, criterion_tables = root.tables("claim"), root.tables("criterion")
    root.done()
    claims = [_claim(table) for table in claim_tables]
    ids = [claim.id for claim in claims]
    for table, name in zip(claim_tables, ids, strict=True):
        if ids.count(name) > 1:
            table.fail("id", refusal("id", name, "ids that no other claim has"))
    suites: dict[str, Suite] = {}
    criteria = [_criterion(table, ids, suites) for table in criterion_tables]
    claims_with_criteria = []
    for table, claim in zip(claim_tables, claims, strict=True):
        its_criteria = tuple(c for c in criteria if c.claim == claim.id)
        if all(c.beside for c in its_criteria):
            table.fail("id", f"{claim.id} has no [[criterion]] that decides it")
        claims_with_criteria.append(dataclasses.replace(claim, criteria=its_criteria))
    return tuple(claims_with_criteria)


def choose(claims: Sequence[Claim], ids: Iterable[str]) -> tuple[Claim, ...]:
    """The claims with these ids (c05 is C05), in the order of ``claims``; all where none is given.

    Raises
    ------
    UserError
        An unknown id, with the nearest known one.
    """
    wanted = [name.upper() for name in ids]
    all_ids = [claim.id for claim in claims]
    for name in wanted:
        if name not in all_ids:
            raise UserError(unknown("claim", name, all_ids))
    return tuple(claim for claim in claims if not wanted or claim.id in wanted)


def moved(claims: Sequence[Claim], suite: Suite) -> tuple[Claim, ...]:
    """The claims with every criterion on another suite that has all its cells put on ``suite``.

    Raises
    ------
    UserError
        ``suite`` has the cells of no criterion.
    """
    cells = _cells(suite)

    def there(criterion: Criterion) -> bool:
        return bool(criterion.cells()) and criterion.cells() <= cells

    if not any(there(k) for c in claims for k in c.criteria):
        raise UserError(f"--on: suite {suite.name} has the learners and targets of no criterion; paper has")
    return tuple(
        dataclasses.replace(
            c,
            criteria=tuple(dataclasses.replace(k, suite=suite.name) if there(k) else k for k in c.criteria),
        )
        for c in claims
    )


def _cells(suite: Suite) -> set[tuple[str, str]]:
    """(learner, target) pairs that a suite runs."""
    return {(learner, target) for run in suite.runs for learner, target, _ in run.cells()}


def _claim(table: Table) -> Claim:
    claim = Claim(
        id=table.text("id"),
        statement=table.text("statement"),
        source=table.text("source"),
        scope=table.text("scope", ""),
        fixed=_fixed(table),
        criteria=(),
        kind=table.names("kind", "kind", KINDS)[0],
    )
    table.done()
    return claim


def _fixed(table: Table) -> str:
    fixed = table.text("fixed")
    when, _, commit = fixed.partition(": ")
    if when not in FIXED or (commit and not re.fullmatch(r"[0-9a-f]{7,40}", commit)):
        table.refuse(
            "fixed", fixed, " or ".join(map(repr, FIXED)), 'a commit may follow, as in "...: 1a2b3c4"'
        )
    return fixed


def _criterion(table: Table, ids: Sequence[str], suites: dict[str, Suite]) -> Criterion:

    suite = _suite(table, suites)
    targets: tuple[str, ...] = ()
    learners: tuple[str, ...] = ()
    measured: tuple[str, ...] = ()
    if "experiments" in table.data:
        measured = table.names("experiments", "experiment", [e.label for e in suite.experiments])
    else:
        targets = table.names("targets", "target", [t.label for t in suite.targets])
        learners = table.names("learners", "learner", [e.label for e in suite.learners])
    reference = table.text("reference", "") or None
    if reference:
        table.names("reference", "learner", [e.label for e in suite.learners])
    criterion = Criterion(
        claim=table.names("claim", "claim", ids)[0],
        what=table.text("what"),
        suite=suite.name,
        quantity=table.names("quantity", "quantity", QUANTITIES)[0],
        bounds=_bounds(table),
        targets=targets,
        learners=learners,
        reference=reference,
        epsilons=_epsilons(table),
        beside=table.flag("beside", False),
        experiments=measured,
        looks=table.whole("looks", MOST_LOOKS, default=1),
        d=tuple(table.items("d", int, "whole numbers")) if "d" in table.data else (),
    )
    table.done()
    _check(table, criterion, suite)
    return criterion


def _suite(table: Table, suites: dict[str, Suite]) -> Suite:

    name = table.names("suite", "suite", known_suites())[0]
    if name not in suites:
        suites[name] = load_suite(name)
    return suites[name]


def _bounds(table: Table) -> Bounds:
    keys = [key for key in ("at_most", "at_least", "within") if key in table.data]
    table.keys_read |= {"at_most", "at_least", "within"}
    if len(keys) != 1:
        table.fail(keys[0] if keys else "", refusal("bounds", keys, "one of at_most, at_least, within"))
    if keys == ["within"]:
        ends = table.items("within", (int, float), "two numbers")
        if len(ends) != 2 or not ends[0] < ends[1]:
            table.refuse("within", ends, "two numbers, the smaller one first")
        return Bounds(float(ends[0]), float(ends[1]))
    end = table.signed(keys[0], LARGEST_BOUND)
    return Bounds(high=end) if keys == ["at_most"] else Bounds(low=end)


def _epsilons(table: Table) -> tuple[Epsilon, ...]:

    epsilons = []
    for scale, key in FIELDS.items():
        table.keys_read.add(key)
        for value in table.items(key, (int, float), "numbers") if key in table.data else []:
            if not EPSILONS[0] <= value <= EPSILONS[1]:
                table.refuse(key, value, f"positive numbers from {EPSILONS[0]:g} to {EPSILONS[1]:g}")
            epsilons.append(Epsilon(float(value), scale))
    return tuple(epsilons)


def _check(table: Table, criterion: Criterion, suite: Suite) -> None:
    """Refuse a criterion that its quantity cannot use, or cells that its suite does not have."""
    quantity = QUANTITIES[criterion.quantity]
    table.checked("quantity", lambda: quantity.check(criterion))
    known = {d for run in suite.runs for *pair, d in run.cells() if tuple(pair) in criterion.cells()}
    if strange := sorted(set(criterion.d) - known):
        table.refuse(
            "d", strange[0], f"dimensions at which suite {suite.name} has these cells: {sorted(known)}"
        )
    for learner, target in sorted(criterion.cells() - _cells(suite)):
        table.fail("learners", f"suite {suite.name} has no [[run]] with {learner!r} on {target!r}")
