"""What ``fit`` settles on its held-out fifth, with a training whose held-out errors are scripted."""

import numpy as np
import pytest

from hierbench.learners import DenseNetRegressor, LayerwiseDenseNetRegressor
from hierbench.learners.engines.sgd_engine import Trained
from hierbench.learners.nets import tuning
from hierbench.learners.nets.cells import Cell, Choice

GRID = [(0.01, 0.0), (0.01, 0.1), (0.03, 0.0), (0.03, 0.1)]
LAW = 1000


def choices(monkeypatch, script, cells=1, **params):
    """Tune nets whose held-out error after so many steps is ``script(pair, steps, cell)``.

    Returns the choices, and for every run its steps and its pairs.
    """
    runs = []
    learner = DenseNetRegressor(1, 2, learning_rate=(0.01, 0.03), weight_decay=(0.0, 0.1), **params)

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
    monkeypatch.setattr(tuning, "outputs_of", lambda network, flat, X: np.full(len(X), np.sqrt(flat[0])))
    data = [
        Cell(0, np.full((10, 3), float(k)), np.zeros(10), (k, 10), Unscaled(0, 0), LAW) for k in range(cells)
    ]
    return tuning.choose(learner, learner._network(3), data, LAW), runs


def worse_by_place(pair, steps, cell):
    return 1.0 + GRID.index(pair)


def halving(pair, steps, cell):
    return worse_by_place(pair, steps, cell) * 500.0 / steps


def test_steps_that_are_given_stay(monkeypatch):
    (choice,), runs = choices(monkeypatch, halving, steps=LAW)
    assert choice == Choice(0.01, 0.0, LAW, 4 * 500)
    assert runs == [(500, GRID)]


def test_where_doubling_does_not_pay_one_more_is_kept(monkeypatch):
    (choice,), runs = choices(monkeypatch, worse_by_place)
    assert choice == Choice(0.01, 0.0, 2 * LAW, 4 * 500 + 2 * 1000)
    assert runs == [(500, GRID), (1000, GRID[:2])]


@pytest.mark.parametrize(("most", "steps"), [(1.0, 1), (2.0, 2), (7.9, 4), (16.0, 16)])
def test_steps_double_while_that_pays_up_to_a_limit(monkeypatch, most, steps):
    (choice,), runs = choices(monkeypatch, halving, max_lengthening=most, tol=0.0)
    assert choice.steps == steps * LAW
    assert [length for length, _ in runs] == [500 * 2**i for i in range(len(runs))]
    assert choice.spent == sum(length * len(pairs) for length, pairs in runs)


@pytest.mark.parametrize(("gain", "doublings"), [(0.79, 4), (0.81, 1)])
def test_a_fifth_of_the_error_is_what_pays(monkeypatch, gain, doublings):
    (choice,), _ = choices(monkeypatch, lambda pair, steps, cell: gain ** np.log2(steps / 500), tol=0.0)
    assert choice.steps == 2**doublings * LAW


@pytest.mark.parametrize(("tol", "steps"), [(1.1, 1), (0.9, 2), (0.3, 4)])
def test_an_error_below_the_tolerance_is_not_lengthened(monkeypatch, tol, steps):
    (choice,), _ = choices(monkeypatch, halving, tol=tol)
    assert choice.steps == steps * LAW


def test_the_better_of_the_two_best_may_change_with_the_steps(monkeypatch):
    def crossing(pair, steps, cell):
        return (
            halving(pair, steps, cell)
            if pair == GRID[0] or steps == 500
            else 0.1 * halving(pair, steps, cell)
        )

    (choice,), _ = choices(monkeypatch, crossing, tol=0.0)
    assert choice[:3] == (*GRID[1], 16 * LAW)


def test_cells_are_lengthened_one_by_one(monkeypatch):
    def by_cell(pair, steps, cell):
        return (halving if cell == 1 else worse_by_place)(pair, steps, cell)

    found, runs = choices(monkeypatch, by_cell, cells=3, tol=0.0)
    assert [choice.steps for choice in found] == [2 * LAW, 16 * LAW, 2 * LAW]
    assert [len(pairs) for _, pairs in runs] == [12, 6, 2, 2, 2]


def test_a_net_that_diverges_everywhere_is_not_lengthened_for_ever(monkeypatch):
    (choice,), runs = choices(monkeypatch, lambda pair, steps, cell: np.nan)
    assert (choice.steps, len(runs)) == (2 * LAW, 2)


@pytest.mark.parametrize(("factor", "settled"), [(4.0, 8000), (0.5, 1000), (0.0001, 1)])
def test_a_factor_stretches_what_was_settled_and_compares_once_more(monkeypatch, factor, settled):
    (choice,), runs = choices(monkeypatch, worse_by_place, step_factor=factor)
    assert choice.steps == settled
    assert runs[2:] == [(max(1, round(settled / 2)), GRID[:2])]


def test_a_fit_says_the_steps_that_it_settled():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 2))
    parameters = {"depth": 1, "width": 2, "batch_size": 8, "step_factor": 0.01, "max_lengthening": 1.0}
    learner = LayerwiseDenseNetRegressor(**parameters, random_state=0).fit(X, X[:, 0] ** 2)
    assert learner.fit_report_.hyperparameters["steps"] == 30
    assert learner.fit_report_.steps == 4 * 1500 + 2 * 15 + 30


def test_bad_parameters_of_the_law_are_refused():
    X, y = np.zeros((4, 2)), np.arange(4.0)
    for bad, message in [
        ({"step_factor": 0.0}, r"step_factor .* finite numbers > 0"),
        ({"max_lengthening": 0.5}, r"max_lengthening .* finite numbers >= 1"),
        ({"tol": -1.0}, r"tol .* finite numbers >= 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            DenseNetRegressor(**bad).fit(X, y)
