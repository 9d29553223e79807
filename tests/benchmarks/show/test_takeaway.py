"""The last screen of a run: it fits a terminal, and its words are those that the rows allow."""

from __future__ import annotations

import dataclasses

import pytest
from synthetic_rows import suite

from hierbench.benchmarks.show import takeaway
from hierbench.benchmarks.show.takeaway import LINES, WIDTH, learned, screen, sentences, success
from hierbench.benchmarks.statistics.sample_complexity import n_stars
from hierbench.benchmarks.suites.epsilon import Epsilon, Scale
from hierbench.learners.catalogue.families import FAMILIES, OTHER, family_of
from hierbench.learners.registry import LEARNERS

pytestmark = pytest.mark.usefixtures("independent")  # intervals are shown, however wide

EPSILONS = [
    *(Epsilon(e) for e in (0.3, 0.1)),
    *(Epsilon(e, Scale.UPPER_HALF) for e in (0.5, 0.1)),
    *(Epsilon(e, Scale.TOP) for e in (0.3, 0.1)),
]


def rows_of(targets=("squares-L2",), learners=None, d=(8, 12, 16, 24, 32)):
    rows, certificates = suite()
    names = {row.learner for row in rows} if learners is None else set(learners)
    chosen = [
        dataclasses.replace(r, learner_spec={"name": r.learner, "parameters": {}})
        for r in rows
        if r.target in targets and r.learner in names and r.d in d
    ]
    return chosen, {k: c for k, c in certificates.items() if k[0] in targets and k[1] in d}


def test_every_registered_learner_is_in_one_family():
    listed = [name for names in FAMILIES.values() for name in names]
    assert sorted(listed) == sorted(LEARNERS)
    assert family_of("ntk") == "kernel of a net" and family_of("mine:NearestRows") == OTHER


@pytest.mark.parametrize("length", [1, 5])
@pytest.mark.parametrize("targets", [("squares-L2",), ("squares-L2", "squares-L3", "projected-k3")])
def test_the_screen_fits_a_terminal(length, targets):
    rows, certificates = rows_of(targets, d=(8, 12))
    many = [
        dataclasses.replace(row, learner=f"{row.learner}{'-' * 30}{k}") for k in range(length) for row in rows
    ]
    lines = [text for text, _ in screen(many, certificates, EPSILONS, {"hierbench table default": "all"})]
    assert len(lines) <= LINES and max(map(len, lines)) <= WIDTH
    assert any("more" in line for line in lines) or length == 1
    for target in targets:
        assert sum(line.startswith(f"{target}:") for line in lines) == 2  # in the table, and in a sentence


def test_success_asks_for_the_top_degree_where_it_is_defined():
    rows, certificates = rows_of()
    assert success(n_stars(rows, certificates, EPSILONS)) == Epsilon(0.3, Scale.TOP)
    assert success(n_stars(rows, certificates, EPSILONS[:4])) == Epsilon(0.1, Scale.UPPER_HALF)
    assert success(n_stars(rows, {}, EPSILONS)) == Epsilon(0.1)


def test_learners_stand_as_the_rows_say():
    rows, certificates = rows_of()
    (one,) = learned(rows, certificates, EPSILONS)
    words = {s.learner: s.verdict for s in one.standings}
    assert one.d == 32 and one.degree == 4 and one.standings[0].learner == "densenet"
    assert (
        words["densenet"] == "fewest" and words["two_layer"] == "more" and words["krr_rbf"] == "not reached"
    )
    assert [s.ratio for s in one.standings if s.learner == "densenet"] == ["1"]
    (said,) = sentences([one])
    assert said.startswith("squares-L2: densenet takes ") and ", like d^" in said
    assert "two_layer (shallow net) >1.6 times as many" in said


def test_what_never_gets_there_is_said_to_be_not_learned():
    rows, certificates = rows_of(learners=("densenet", "ntk"), d=(24, 32))
    far = [dataclasses.replace(r, error=0.9) if r.learner == "ntk" else r for r in rows]
    (one,) = learned(far, certificates, EPSILONS)
    assert {s.learner: s.verdict for s in one.standings}["ntk"] == "not reached"
    (said,) = sentences([one])
    assert "1 of 2 gets there at no d" in said and "ntk" not in said
    nobody = [dataclasses.replace(r, error=0.9) for r in rows]
    assert list(sentences(list(learned(nobody, certificates, EPSILONS)))) == [
        "squares-L2: none of 2 learners gets there at d = 32 with the samples of this suite."
    ]


def test_learners_that_are_not_told_apart_are_named_together():
    rows, certificates = rows_of(learners=("densenet",))
    twin = [dataclasses.replace(r, learner="twin") for r in rows]
    (one,) = learned([*rows, *twin], certificates, EPSILONS)
    assert [s.verdict for s in one.standings] == ["among fewest"] * 2
    assert "twin not told apart" in next(sentences([one]))


def test_without_a_d_that_all_ran_each_is_shown_at_its_largest():
    rows, certificates = rows_of(learners=("densenet", "ntk"))
    apart = [r for r in rows if r.d == (32 if r.learner == "densenet" else 8)]
    (one,) = learned(apart, certificates, EPSILONS)
    assert one.d is None and "each at its largest d" in one.heading()


def test_room_is_shared_by_cutting_the_longest():
    assert takeaway._share(30, [3, 4]) == [3, 4]
    assert takeaway._share(10, [3, 20]) == [3, 6]
    assert takeaway._share(1, [5]) == [1]


def test_what_was_not_measured_is_not_said_to_fail():
    rows, certificates = rows_of(learners=("densenet",), d=(8,))
    failed = [dataclasses.replace(r, error=None, status="failed") for r in rows]
    assert list(sentences(list(learned(failed, certificates, EPSILONS)))) == [
        "squares-L2: nothing was measured."
    ]
    lines = [text for text, _ in screen(failed, certificates, EPSILONS, {"hierbench table x": "all"})]
    assert any(line.startswith(f"{len(failed)} of {len(failed)} rows are not ok") for line in lines)
    behind = screen(failed, certificates, EPSILONS, {}, reference={"densenet"}, source="elsewhere")
    assert not any("not ok" in text for text, _ in behind), "rows of the reference are not one's own"


def test_a_learner_that_stops_below_the_d_of_the_table_is_no_best_there():
    rows, certificates = rows_of(learners=("densenet", "krr_polynomial"), d=(8, 12))
    far = [dataclasses.replace(r, error=0.9) if (r.learner, r.d) == ("densenet", 12) else r for r in rows]
    (said,) = sentences(list(learned(far, certificates, EPSILONS)))
    assert said.startswith("squares-L2: krr_polynomial takes ") and "no data" not in said


def test_replicates_that_share_targets_are_not_compared():
    rows, certificates = rows_of(learners=("densenet", "two_layer"), d=(8, 12))
    shared = [dataclasses.replace(r, target_index=0) for r in rows]
    certificates = {k: c for k, c in certificates.items() if k[2] == 0}
    (one,) = learned(shared, certificates, EPSILONS)
    assert {(s.ratio, s.verdict) for s in one.standings} == {("-", "")}


def test_many_targets_fit_too():
    rows, certificates = rows_of(learners=("densenet", "two_layer"), d=(8,))
    many = [dataclasses.replace(r, target=f"{r.target}-{k}") for k in range(9) for r in rows]
    known = {(f"{t}-{k}", d, r): c for (t, d, r), c in certificates.items() for k in range(9)}
    lines = [text for text, _ in screen(many, known, EPSILONS, {"hierbench table x": "all"})]
    assert len(lines) <= LINES and "... and 4 more targets" in lines
