"""Small pages of ``hierbench report``: made-up rows and traces, some with labels that mean harm."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Sequence
from html.parser import HTMLParser

import pytest
import synthetic_rows
from big_rows import big_suite

from hierbench.benchmarks.report import content as contents
from hierbench.benchmarks.report.content import Content, content
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.statistics.exponents import Exponent
from hierbench.benchmarks.suites.fixed_sizes import STAGE, FixedSizes
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.benchmarks.units.measurement import Measurement
from hierbench.benchmarks.units.rows import Row, RowStatus

HARMFUL = "</script><script>throw 1</script><b onclick=x>&amp; $' %{x}"
TARGETS = ("squares-L2", "projected-k3")
LEARNERS = ("densenet", "layerwise", "krr_rbf", "two_layer")
CLAIM = {
    **{"id": "C05", "statement": "A deep net needs fewer", "source": "section 1", "scope": ""},
    **{
        "verdict": "undecided by data",
        "word": "undecided",
        "figures": ["2.1 [1, 3]"],
        "why": "wide",
        "rows": 3,
    },
}


@functools.cache
def evidence(d: tuple[int, ...] = (8, 12)) -> SuiteResults:
    """Rows of four learners on two targets, with one learner called ``HARMFUL``, and a trace."""
    rows, certificates = synthetic_rows.suite()
    names = {"two_layer": HARMFUL}
    some = [
        dataclasses.replace(
            row, learner=names.get(row.learner, row.learner), steps=100 + i % 7, fit_seconds=0.1 + i % 5,
            hyperparameters={"ridge": 0.1 * (i % 3), "kernel": "rbf"}, versions={"numpy": "2.0"},
            machine={"cpu": "of a test"},
        )
        for i, row in enumerate(rows)
        if row.target in TARGETS and row.learner in LEARNERS and row.d in d
    ]  # fmt: skip
    return SuiteResults(
        some, {k: c for k, c in certificates.items() if k[0] in TARGETS}, measurements={"exact": trace()}
    )


def trace() -> list[Measurement]:
    """Three rounds at two alphas, two seeds."""
    return [
        Measurement(
            {"round": number, "stage": stage, "level": level, "alpha": alpha, "seed": seed},
            {"feature_error": alpha**number * (1 + seed)},
        )
        for number in (1, 2, 3)
        for stage, level in (("lower", 1), ("upper", 2))
        for alpha in (0.1, 0.3)
        for seed in (0, 1)
    ]


FIXED = FixedSizes((TARGETS[0],), n=(600,), n_over_d2=(5.0,))
"""Sizes at which the learners of a page are run on its first target."""


def at_fixed_sizes(rows: Sequence[Row]) -> list[Row]:
    """Rows at ``FIXED``, two replicates of all learners but one: at d = 12 the first one has no errors."""
    kinds = {(r.learner, r.d): r for r in rows if FIXED.holds(r.target, r.d) and r.learner != "krr_rbf"}
    lost = {"status": RowStatus.FAILED, "error": None, "reason": "planted"}
    return [
        dataclasses.replace(
            row, n=n, stage=STAGE, target_index=k,
            **(lost if (learner, d) == (LEARNERS[0], 12) else {"error": 0.9 / d + 0.1 * k}),
        )
        for (learner, d), row in kinds.items()
        for n in FIXED.at(d).values()
        for k in (0, 1)
    ]  # fmt: skip


@functools.cache
def small() -> Content:
    """A page of that and of rows at fixed sizes, with few errors on the slider."""
    return made_again()


def made_again() -> Content:
    """The same, computed anew."""
    suite = dataclasses.replace(load_suite("default"), fixed=(FIXED,))
    found = dataclasses.replace(evidence(), fixed=at_fixed_sizes(evidence().rows))
    return content("default", suite, found, [CLAIM], stops=4)


@functools.cache
def large() -> Content:
    """As of 20 learners, 10 targets and 100 000 rows: one target is made up, and is there ten times.

    Its exponents are one made-up exponent: to fit six thousand takes a quarter of an hour.
    """
    made_up = Exponent("estimate", 2.1234, 1.8, 2.4, 0.2, 1.2345, (8, 12, 16), 20)
    rows, certificates = big_suite(learners=20, targets=1, rows=10_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contents, "exponents_of", lambda groups: [made_up] * len(groups))
        made = content("default", load_suite("default"), SuiteResults(rows, certificates))
    head = {**made.head, "rows": 10 * len(rows), "targets": [f"target-{k}" for k in range(10)]}
    return Content(head, made.targets * 10)


class _Scripts(HTMLParser):
    """Scripts of a page as a browser takes them apart: their attributes and texts."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.addresses: list[str] = []
        self.inside = False

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("src", "href", "action", "data")]
        if tag == "script":
            self.inside = True
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag):
        self.inside = self.inside and tag != "script"

    def handle_data(self, data):
        if self.inside:
            attributes, text = self.scripts[-1]
            self.scripts[-1] = attributes, text + data


def taken_apart(page: str) -> _Scripts:
    parser = _Scripts()
    parser.feed(page)
    parser.close()
    return parser


def data_of(page: str) -> dict[str, dict]:
    """The data in a page, by the id of its element."""
    found = taken_apart(page).scripts
    return {str(a["id"]): json.loads(text) for a, text in found if a.get("type") == "application/json"}


def rows_in(page: str) -> list[tuple]:
    """Label of target and learner, d, n, replicate, error, status, steps, ridge of every row in a page."""
    data = data_of(page)
    head = data["head"]
    rows = []
    for k, label in enumerate(head["targets"]):
        for block in data[f"target-{k}"]["rows"]:
            columns = {**block, **block["hyperparameters"]}
            for i in range(block["count"]):
                one = {name: c[i] if isinstance(c, list) else c for name, c in columns.items()}
                replicate = tuple(head["replicates"][one["replicate"]])
                learner = head["learners"][block["learner"]]["label"]
                numbers = (one["error"], one["status"], one["steps"], one["ridge"])
                rows.append((label, learner, one["d"], one["n"], replicate, *numbers))
    return rows


def expected(row: Row, learner: str) -> tuple:
    """The same of a row of the store."""
    error = None if row.error is None else float(f"{row.error:.5g}")
    replicate = (row.target_index, row.sample_index, row.init_index)
    ridge = float(f"{row.hyperparameters['ridge']:.5g}")
    return row.target, learner, row.d, row.n, replicate, error, row.status, row.steps, ridge
