"""What ``fit`` settles on its held-out fifth, with a training whose held-out errors are scripted."""

import dataclasses

import numpy as np
import pytest
from sklearn.base import clone

from hierbench.learners import DenseNetRegressor, LayerwiseDenseNetRegressor
from hierbench.learners.base import Curve
from hierbench.learners.engines.sgd_engine import Trained
from hierbench.learners.nets import tuning
from hierbench.learners.nets.cells import Cell

GRID = [(0.01, 0.0), (0.01, 0.1), (0.03, 0.0), (0.03, 0.1)]
LAW = 1000


def choices(monkeypatch, script, cells=1, **params):
    """Tune nets whose held-out error after so many steps is ``script(pair, steps, cell)``.

    Returns the choices, and for every run its steps and its pairs.
    """
    runs = []
    grid = {"learning_rate": (0.01, 0.03), "weight_decay": (0.0, 0.1)}
    learner = DenseNetRegressor(params.pop("depth", 1), 2, **grid, **params)

    def train(network, jobs, initial, schedule, hook):
        runs.append((schedule.steps, [(job.learning_rate, job.weight_decay) for job in jobs]))
        which = [round(float(job.source.X[0, 0])) for job in jobs]
        found = [script(pair, schedule.steps, cell) for pair, cell in zip(runs[-1][1], which, strict=True)]
        return Trained.along(np.array(found)[:, None])

    class Unscaled:
        def __init__(self, X, y):
            pass

        def both(self, X, y):
            return X, y

    monkeypatch.setattr(learner, "_train", train)
    monkeypatch.setattr(learner, "_scaling", Unscaled)
    monkeypatch.setattr(tuning, "outputs_on", lambda _, network, flat, X: np.full(len(X), np.sqrt(flat[0])))
    data = [
        Cell(0, np.full((10, 3), float(k)), np.zeros(10), (k, 10), Unscaled(0, 0), LAW) for k in range(cells)
    ]
    found = tuning.choose(learner, learner._networks(3), data, LAW)
    choices.edges = [choice.edges for choice in found]
    return [choice[1:5] for choice in found], runs


def worse_by_place(pair, steps, cell):
    return 1.0 + (GRID.index(pair) if pair in GRID else len(GRID))


def halving(pair, steps, cell):
    return worse_by_place(pair, steps, cell) * 500.0 / steps


def test_steps_that_are_given_stay(monkeypatch):
    (choice,), runs = choices(monkeypatch, halving, steps=LAW)
    assert choice == (0.01, 0.0, LAW, 4 * 500)
    assert runs == [(500, GRID)]


def test_where_doubling_does_not_pay_one_more_is_kept(monkeypatch):
    (choice,), runs = choices(monkeypatch, worse_by_place)
    assert choice == (0.01, 0.0, 2 * LAW, 4 * 500 + 3 * 1000)
    assert runs == [(500, GRID), (1000, [*GRID[:2], (pytest.approx(0.01 / 3), 0.0)])]


@pytest.mark.parametrize(("most", "steps"), [(1.0, 1), (2.0, 2), (7.9, 4), (16.0, 16)])
def test_steps_double_while_that_pays_up_to_a_limit(monkeypatch, most, steps):
    (choice,), runs = choices(monkeypatch, halving, max_lengthening=most, tol=0.0)
    assert choice[2] == steps * LAW
    assert [length for length, _ in runs] == [500 * 2**i for i in range(len(runs))]
    assert choice[3] == sum(length * len(pairs) for length, pairs in runs)


@pytest.mark.parametrize(("gain", "doublings"), [(0.79, 4), (0.81, 1)])
def test_a_fifth_of_the_error_is_what_pays(monkeypatch, gain, doublings):
    def falling(pair, steps, cell):
        return worse_by_place(pair, steps, cell) * gain ** np.log2(steps / 500)

    (choice,), _ = choices(monkeypatch, falling, tol=0.0)
    assert choice[2] == 2**doublings * LAW


def test_a_decay_that_starts_behind_is_trained_on_while_it_promises_to_overtake(monkeypatch):
    """What decays is ahead and stays where it is; without decay the error falls by half at a doubling."""

    def errors(pair, steps, cell):
        return pair[0] + (1.0 if pair[1] == 0.1 else 3.0 * 500 / steps if pair[1] == 0.0 else 9.0)

    (choice,), runs = choices(monkeypatch, errors, tol=0.0)
    assert [pairs for _, pairs in runs][1][:2] == [(0.01, 0.1), (0.01, 0.0)]
    assert choice[1:3] == (0.0, 16 * LAW)


def test_a_promise_that_is_not_kept_is_given_back(monkeypatch):
    def errors(pair, steps, cell):
        return pair[0] + (1.0 if pair[1] == 0.1 else max(3.0 * 500 / steps, 1.2) if pair[1] == 0.0 else 9.0)

    (choice,), runs = choices(monkeypatch, errors, tol=0.0)
    assert [length for length, _ in runs] == [500, 1000, 2000]
    assert choice[1:3] == (0.1, 2 * LAW)


@pytest.mark.parametrize(("tol", "steps"), [(1.1, 1), (0.9, 2), (0.3, 4)])
def test_an_error_below_the_tolerance_is_not_lengthened(monkeypatch, tol, steps):
    (choice,), _ = choices(monkeypatch, halving, tol=tol)
    assert choice[2] == steps * LAW


def test_the_better_of_the_two_best_may_change_with_the_steps(monkeypatch):
    def crossing(pair, steps, cell):
        return (
            halving(pair, steps, cell)
            if pair == GRID[0] or steps == 500
            else 0.1 * halving(pair, steps, cell)
        )

    (choice,), _ = choices(monkeypatch, crossing, tol=0.0)
    assert choice[:3] == (*GRID[1], 16 * LAW)


@pytest.mark.parametrize(("gain", "edges"), [(0.96, [0]), (0.94, [1])])
def test_while_the_best_is_at_the_end_one_step_beyond_is_tried(monkeypatch, gain, edges):
    """At every doubling; whether the last of these steps still paid is said."""

    def larger_is_better(pair, steps, cell):
        return 500.0 / steps * gain ** (np.log(pair[0]) / np.log(3)) + pair[1]

    (choice,), runs = choices(monkeypatch, larger_is_better, tol=0.0, max_lengthening=4.0)
    beyond, further = ((pytest.approx(0.03 * 3**k), 0.0) for k in (1, 2))
    assert [pairs for _, pairs in runs[1:]] == [
        [(0.03, 0.0), (0.03, 0.1), beyond],
        [beyond, (0.03, 0.1), further],
    ]
    assert choice[:2] == further and choices.edges == edges
    (inner,), runs = choices(monkeypatch, larger_is_better, steps=LAW)
    assert inner[:2] == (0.03, 0.0) and len(runs) == 1 and choices.edges == [0]


@pytest.mark.parametrize(
    ("depth", "stair", "steps", "lengths"),
    [
        (2, 4000, 2, [1, 2]),
        (3, 4000, 16, [1, 2, 4, 8, 16]),  # one level of error is left behind between 2000 and 4000 steps
        (3, 8000, 2, [1, 2, 4]),
        (4, 8000, 16, [1, 2, 4, 8, 16]),
        (3, 1e9, 2, [1, 2, 4]),  # what did not pay is given back but for the first
    ],
)
def test_a_deep_net_waits_as_long_as_it_has_levels_to_correct(monkeypatch, depth, stair, steps, lengths):
    def stairs(pair, steps, cell):
        return worse_by_place(pair, steps, cell) / (1.0 if 2 * steps < stair else steps)

    (choice,), runs = choices(monkeypatch, stairs, tol=0.0, depth=depth)
    assert choice[2] == steps * LAW
    assert [length for length, _ in runs] == [500 * n for n in lengths]


def test_cells_are_lengthened_one_by_one(monkeypatch):
    def by_cell(pair, steps, cell):
        return (halving if cell == 1 else worse_by_place)(pair, steps, cell)

    found, runs = choices(monkeypatch, by_cell, cells=3, tol=0.0)
    assert [choice[2] for choice in found] == [2 * LAW, 16 * LAW, 2 * LAW]
    assert [len(pairs) for _, pairs in runs] == [12, 9, 2, 2, 2]


@pytest.mark.parametrize("worse", [1.3, np.nan, np.inf])
def test_a_doubling_that_makes_it_much_worse_is_given_back(monkeypatch, worse):
    def overfits(pair, steps, cell):
        return 0.1 * worse_by_place(pair, steps, cell) * (worse if steps > 500 else 1.0)

    (choice,), runs = choices(monkeypatch, overfits)
    assert choice == (0.01, 0.0, LAW, sum(length * len(pairs) for length, pairs in runs))
    (choice,), _ = choices(monkeypatch, overfits, step_factor=4.0)
    assert choice[:3] == (0.01, 0.0, 4 * LAW)


def test_decays_of_which_one_is_none_are_stepped_over_too(monkeypatch):
    _, runs = choices(monkeypatch, lambda pair, steps, cell: 2.0 + pair[0] - pair[1], max_lengthening=2)
    assert runs[1][1] == [
        (0.01, 0.1),
        (0.01, 0.0),
        (pytest.approx(0.01 / 3), 0.1),
        (0.01, pytest.approx(0.3)),
    ]


def test_without_a_choice_nothing_is_held_out(monkeypatch):
    learner = DenseNetRegressor(1, 2, learning_rate=0.01, weight_decay=0.0, max_lengthening=1.0)
    monkeypatch.setattr(learner, "_train", None)
    [choice] = tuning.choose(learner, learner._networks(3), [None], LAW)
    assert choice[1:5] == (0.01, 0.0, LAW, 0)


def test_a_net_that_diverges_everywhere_is_not_lengthened_for_ever(monkeypatch):
    (choice,), runs = choices(monkeypatch, lambda pair, steps, cell: np.nan)
    assert (choice[2], len(runs)) == (2 * LAW, 2)


@pytest.mark.parametrize(("factor", "settled"), [(4.0, 8000), (0.5, 1000), (0.0001, 1)])
def test_a_factor_stretches_what_was_settled_and_compares_once_more(monkeypatch, factor, settled):
    (choice,), runs = choices(monkeypatch, worse_by_place, step_factor=factor)
    assert choice[2] == settled
    assert runs[2:] == [(max(1, round(settled / 2)), GRID[:2])]


def test_a_factor_stretches_a_cell_once_though_another_was_as_long_already(monkeypatch):
    def by_cell(pair, steps, cell):
        return (halving if cell == 1 else worse_by_place)(pair, steps, cell)

    found, _ = choices(monkeypatch, by_cell, cells=2, tol=0.0, max_lengthening=8.0, step_factor=4.0)
    assert [choice[2] for choice in found] == [8 * LAW, 32 * LAW]


def test_a_fit_says_the_steps_that_it_settled():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 2))
    parameters = {"depth": 1, "width": 2, "batch_size": 8, "step_factor": 0.01, "max_lengthening": 1.0}
    learner = LayerwiseDenseNetRegressor(**parameters, random_state=0).fit(X, X[:, 0] ** 2)
    assert learner.fit_report_.hyperparameters["steps"] == 20
    assert learner.fit_report_.steps == 4 * 500 + 2 * 5 + 20


def test_the_network_is_chosen_with_the_rest():
    """Products of all inputs need a first level that holds them; one that does not is not chosen."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 3))
    y = (X[:, 0] * X[:, 1] + X[:, 1] * X[:, 2]) ** 2
    common = {"depth": 2, "steps": 300, "tuning_share": 1.0, "learning_rate": 0.01, "weight_decay": 0.0}
    learner = LayerwiseDenseNetRegressor(first_width=(1, 48), random_state=0, **common).fit(X, y)
    alone = LayerwiseDenseNetRegressor(first_width=48, random_state=0, **common).fit(X, y)
    assert learner.fit_report_.hyperparameters["first_width"] == 48
    assert learner.network_.sizes() == [3, 48, 24]
    np.testing.assert_allclose(learner.predict(X), alone.predict(X), rtol=1e-4, atol=1e-4)
    assert learner.fit_report_.steps == 3 * alone.fit_report_.steps
    assert learner.fit_report_.flops < 3 * alone.fit_report_.flops
    with pytest.raises(ValueError, match=r"first_width .* a single one"):
        learner.fit_sampler(lambda n, rng: (np.zeros((n, 3)), np.zeros(n)), 3)


def test_a_deep_net_chooses_its_width_among_several():
    """A net of one neuron a level holds no two products, one of twelve does."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 3))
    y = (X[:, 0] * X[:, 1] + X[:, 1] * X[:, 2]) ** 2
    common = {"depth": 2, "steps": 300, "learning_rate": 0.01, "weight_decay": 0.0, "restarts": 1}
    learner = DenseNetRegressor(width=(1, 12), random_state=0, **common).fit(X, y)
    alone = DenseNetRegressor(width=12, random_state=0, **common).fit(X, y)
    assert learner.fit_report_.hyperparameters["width"] == 12 and learner.network_.sizes() == [3, 12, 12]
    np.testing.assert_allclose(learner.predict(X), alone.predict(X), rtol=1e-4, atol=1e-4)
    assert "width" not in alone.fit_report_.hyperparameters
    with pytest.raises(ValueError, match=r"width .* a single one"):
        learner.fit_sampler(lambda n, rng: (np.zeros((n, 3)), np.zeros(n)), 3)
    with pytest.raises(ValueError, match="width"):
        DenseNetRegressor(width=(8, 0)).fit(X, y)


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        ({}, [[24, 24, 24], [48, 24, 24]]),
        ({"width": 5}, [[5, 5, 5]]),
        ({"first_width": (7, 7)}, [[7, 24, 24]]),
        ({"first_width": (7, 9), "width": 5}, [[7, 5, 5], [9, 5, 5]]),
    ],
)
def test_the_first_level_is_as_wide_as_the_products_need_or_as_it_is_told(given, sizes):
    networks = LayerwiseDenseNetRegressor(3, **given)._networks(3)
    assert [network.sizes() for network in networks] == [[3, *widths] for widths in sizes]


def test_a_curve_is_its_fits_where_cells_settle_on_different_steps_and_widths(monkeypatch):
    monkeypatch.setattr("hierbench.learners.nets.sgd_estimator.steps_law", lambda n: 16 if n < 100 else 32)
    learner = LayerwiseDenseNetRegressor(
        2, first_width=(2, 12), learning_rate=0.02, weight_decay=(0.0, 0.1), batch_size=16, tol=1e-9,
        max_lengthening=4.0, dtype="float64",
    )  # fmt: skip
    curves = []
    for seed in range(2):
        X = np.random.default_rng(seed).standard_normal((160, 3))
        curves.append(Curve(X, X[:, 0] * X[:, 1] + X[:, 2] ** 2, (60, 90, 160), seed))
    shown = []
    fitted = learner.fit_curves(curves, lambda step, so_far: shown.append(step))
    chosen = []
    for curve, of_curve in zip(curves, fitted, strict=True):
        for n, estimator in zip(curve.sizes, of_curve.estimators, strict=True):
            alone = clone(learner).set_params(random_state=curve.random_state).fit(curve.X[:n], curve.y[:n])
            np.testing.assert_allclose(estimator.predict(X), alone.predict(X), rtol=1e-6, atol=1e-6)
            assert estimator.fit_report_ == dataclasses.replace(
                alone.fit_report_, health=estimator.fit_report_.health
            )
            chosen.append(tuple(sorted(estimator.fit_report_.hyperparameters.items())))
    assert (
        len({dict(one)["steps"] for one in chosen}) > 1
        and len({dict(one)["first_width"] for one in chosen}) > 1
    )
    assert shown == sorted(shown) and shown[-1] == max(2 * dict(one)["steps"] for one in chosen)


def test_at_few_inputs_there_is_one_width():
    assert len(LayerwiseDenseNetRegressor()._networks(2)) == 1
    assert LayerwiseDenseNetRegressor()._networks(100)[1].first_width == 4096


def test_bad_parameters_of_the_law_are_refused():
    X, y = np.zeros((4, 2)), np.arange(4.0)
    for bad, message in [
        ({"step_factor": 0.0}, r"step_factor .* finite numbers > 0"),
        ({"max_lengthening": 0.5}, r"max_lengthening .* finite numbers >= 1"),
        ({"tol": -1.0}, r"tol .* finite numbers >= 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            DenseNetRegressor(**bad).fit(X, y)
