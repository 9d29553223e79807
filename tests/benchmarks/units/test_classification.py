"""Targets with classes through the runner: labels, errors, metric; and noise that tests do not see."""

from __future__ import annotations

import numpy as np
import pytest
from machinery import plan_of, run, stored, suite_file
from stub_learners import Mean

from hierbench.benchmarks.provenance import fingerprint
from hierbench.benchmarks.suites import plan
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.benchmarks.units import draw, seeds
from hierbench.benchmarks.units.metric import relative_mse
from hierbench.benchmarks.units.rows import Metric, metric_of

LOGISTIC, TREE = "sklearn.linear_model:LogisticRegression", "sklearn.tree:DecisionTreeClassifier"
RIDGE = "sklearn.linear_model:Ridge"


def suite_on(folder, params, learners, family="squares", d=8, **options):
    """Path of a suite of these learners on one target; foreign ones by their class name."""
    path = suite_file(folder, dict.fromkeys(learners, ""), d=(d,), **options)
    text = (folder / "stub.toml").read_text().replace("depth = 2, width = 2", params)
    text = text.replace('family = "squares"', f'family = "{family}"')
    for learner in learners:
        text = text.replace(
            f"stub_learners:{learner}", learner if ":" in learner else f"stub_learners:{learner}"
        )
    (folder / "stub.toml").write_text(text)
    return path


def errors_by_hand(row, learner_class, classes):
    """Rate of misclassification of one row, from nothing but the definitions."""
    target = draw.draw_target(row.target_spec, row.d, row.target_index)
    X, y = draw.draw_sample(target, row.target_spec, row.sample_index, row.n)
    rng = seeds.generator("test", **row.target_spec, d=row.d, index=row.target_index)
    tests = draw.TestSet(target, 64, rng)
    pieces = [tests.piece(i) for i in range(3)]
    test_X, test_y = (np.concatenate([p[k] for p in pieces])[: row.n_test] for k in (0, 1))
    learner = learner_class()
    if "random_state" in learner.get_params():
        learner.set_params(random_state=draw.random_state(row.target_spec, row.d, row.init_index))
    predicted = learner.fit(X, y).predict(test_X)
    downwards = np.array(classes)[::-1]  # of two classes equally near the upper one counts
    nearest = downwards[np.abs(predicted[:, None] - downwards).argmin(axis=1)]
    return float((nearest != test_y).mean()), row.n_test


def test_errors_are_rates_of_misclassification(tmp_path):
    from sklearn.linear_model import LogisticRegression, Ridge

    params = "width = 2, classify = true, margin = 0.05, noise = 0.2, offset = 2.0"
    path = suite_on(tmp_path, params, [LOGISTIC, RIDGE, "Mean", "Raises"])
    assert {u.learner for u, _ in run(path, tmp_path).failed} == {"Raises"}
    rows = stored(tmp_path)
    assert {r.metric for r in rows} == {"misclassification"}, "failed rows know their metric too"
    assert {r.status for r in rows if r.learner == "Raises"} == {"failed"}
    for name, learner in ((LOGISTIC, LogisticRegression), (RIDGE, Ridge), ("Mean", Mean)):
        own = [r for r in rows if r.learner == name]
        assert len(own) == 8 and {r.status for r in own} <= {"ok", "unreliable"}
        for r in own[:3]:
            rate, m = errors_by_hand(r, learner, (-1.0, 1.0))
            assert r.error == rate and r.top10_share is None
            assert r.error_se == pytest.approx(np.sqrt(rate * (1 - rate) / m))
            assert 0 <= r.train_error <= 1
    best = np.mean([r.error for r in rows if r.learner == LOGISTIC])
    assert best < 0.8 * np.mean([r.error for r in rows if r.learner == "Mean"])


@pytest.mark.slow
def test_classifiers_take_labels_that_are_no_whole_numbers(tmp_path):
    path = suite_on(tmp_path, 'task = "classification"', [TREE, "Mean"], "random-hierarchy", d=16)
    assert not run(path, tmp_path).failed
    rows = stored(tmp_path)
    tree = [r for r in rows if r.learner == TREE]
    target = draw.draw_target(tree[0].target_spec, 16, 0)
    assert len(target.classes) == 4 and not all(c.is_integer() for c in target.classes)
    assert all(r.train_error == 0 for r in tree), "a tree learns its training set by heart"
    assert all(0.1 < r.error < 0.9 for r in tree)


def test_regressors_are_judged_as_classifiers_where_classes_have_no_order(tmp_path):
    path = suite_on(tmp_path, 'task = "classification"', [RIDGE, LOGISTIC, "Mean"], "random-hierarchy", d=16)
    assert not run(path, tmp_path).failed
    rows = stored(tmp_path)
    errors = {name: np.mean([r.error for r in rows if r.learner == name]) for name in (RIDGE, LOGISTIC)}
    assert errors[RIDGE] == pytest.approx(errors[LOGISTIC], abs=0.08)
    row = next(r for r in rows if r.learner == "Mean")
    target = draw.draw_target(row.target_spec, row.d, row.target_index)
    _, y = draw.draw_sample(target, row.target_spec, row.sample_index, row.n)
    values, counts = np.unique(y, return_counts=True)
    test_y = target.sample_test(4000, np.random.default_rng(0))[1]
    # the mean of a class's label is largest for the commonest one
    assert row.error == pytest.approx(np.mean(test_y != values[counts.argmax()]), abs=0.1)


@pytest.mark.slow
def test_a_classifier_is_skipped_where_labels_are_real(tmp_path):
    path = suite_on(tmp_path, "width = 2", [LOGISTIC, "Mean"])
    outcome = run(path, tmp_path)
    rows = stored(tmp_path)
    assert not outcome.failed and {r.metric for r in rows} == {"relative MSE"}
    skipped = [r for r in rows if r.learner == LOGISTIC]
    assert {r.status for r in skipped} == {"skipped"} and len(skipped) == 8
    assert "real numbers" in skipped[0].reason


def test_test_labels_have_no_noise(tmp_path):
    path = suite_on(tmp_path, "width = 2, noise = 3.0", ["Mean"], ratio=1, count=1)
    run(path, tmp_path)
    row = stored(tmp_path)[0]
    target = draw.draw_target(row.target_spec, row.d, row.target_index)
    X, y = draw.draw_sample(target, row.target_spec, row.sample_index, row.n)
    assert np.std(y - target.evaluate(X)) > 2.0
    rng = seeds.generator("test", **row.target_spec, d=row.d, index=row.target_index)
    tests = draw.TestSet(target, 64, rng)
    pieces = [tests.piece(i) for i in range(3)]
    clean = np.concatenate([target.evaluate(p[0]) for p in pieces])[: row.n_test]
    weights = np.concatenate([p[2] for p in pieces])[: row.n_test]
    assert row.error == relative_mse(np.mean(y) - clean, clean, weights).error


def test_a_metric_follows_from_the_classes():
    assert [metric_of(c) for c in ((), (-1.0, 1.0))] == list(Metric)


def test_a_key_covers_the_code_of_the_modifiers_in_use(tmp_path, monkeypatch):
    keys = {}
    for params in ("width = 2", "width = 2, noise = 0.0", "width = 2, noise = 0.5"):
        path = suite_on(tmp_path, params, ["Mean"])
        before = [u.key for u in plan_of(path).curves]
        with monkeypatch.context() as edited:
            original = fingerprint.without_docstrings

            def edit(source, original=original):
                return original(source) + ("edited" if source.name == "noise.py" else "")

            edited.setattr(fingerprint, "without_docstrings", edit)
            fingerprint.fingerprint.cache_clear()
            keys[params] = [u.key for u in plan.make_plan(load_suite(path)).curves] == before
        fingerprint.fingerprint.cache_clear()
    assert keys == {"width = 2": True, "width = 2, noise = 0.0": True, "width = 2, noise = 0.5": False}
