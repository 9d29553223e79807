"""Kernel ridge regression by conjugate gradients: what the exact learner finds, without its matrix."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from hierbench.learners.base import Curve
from hierbench.learners.engines.kernel_engine import PrefixSolver
from hierbench.learners.engines.kernel_tuning import Shortlist
from hierbench.learners.kernels import kernel_ridge_cg
from hierbench.learners.kernels.kernel_ridge import KernelRidge
from hierbench.learners.kernels.kernel_ridge_cg import KernelRidgeCG
from hierbench.learners.kernels.polynomial_ridge import PROBES, KernelRidgePolynomial
from hierbench.targets.registry import make_target

EXACT_POLYNOMIAL = KernelRidgePolynomial()
SMALL = {"n_exact": 400, "n_centres": 300}


@pytest.mark.slow
@parametrize_with_checks([KernelRidgeCG(n_exact=12, n_centres=6, length_scale=[0.5, 2.0])])
def test_sklearn_contract(estimator, check):
    check(estimator)


def data(n, d=6, seed=0, noise=0.0):
    target = make_target("squares", d=d, seed=seed, depth=2, width=3)
    X, y = target.sample(n, np.random.default_rng([seed, 0]))
    X_test, y_test = target.sample(2000, np.random.default_rng([seed, 1]))
    return X, y + noise * np.random.default_rng(2).standard_normal(n), X_test, y_test


def mse(learner, X, y, X_test, y_test):
    return np.mean((clone(learner).fit(X, y).predict(X_test) - y_test) ** 2)


@pytest.mark.slow(20)
@pytest.mark.parametrize("kernel", ["rbf", "polynomial"])
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_it_is_as_good_as_the_exact_learner(kernel, noise):
    """On average over targets; with noise, to choose by 500 held-out rows costs a few per cent."""
    exact_learner = EXACT_POLYNOMIAL if kernel == "polynomial" else KernelRidge(kernel)
    learners = KernelRidgeCG(kernel, n_exact=680, n_centres=470), exact_learner
    ratios = []
    for seed in range(3):
        cell = data(2000, seed=seed, noise=noise)
        approximate, exact = (max(mse(learner, *cell), 1e-12) for learner in learners)
        ratios.append(np.log(approximate / exact))
    assert np.mean(ratios) < np.log(1.1) and max(ratios) < np.log(1.4)


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_it_takes_the_ridge_that_predicts_the_held_out_rows_best(noise):
    X, y, X_test, _ = data(900, noise=noise)
    ridges = [1e-6, 1e-4, 1e-2, 1.0, 100.0]
    ours = KernelRidgeCG("rbf", length_scale=1.5, ridge=ridges, **SMALL).fit(X, y)
    kept = 900 - 900 // 4
    held_out = [
        np.mean(
            (
                KernelRidge("rbf", length_scale=1.5, ridge=r).fit(X[:kept], y[:kept]).predict(X[kept:])
                - y[kept:]
            )
            ** 2
        )
        for r in ridges
    ]
    assert ours.hyperparameters_["ridge"] == ridges[int(np.argmin(held_out))]
    assert ours.fit_report_.health["held_out_mse"] == pytest.approx(min(held_out), rel=1e-2)
    exact = KernelRidge("rbf", length_scale=1.5, ridge=ours.hyperparameters_["ridge"]).fit(X, y)
    np.testing.assert_allclose(ours.predict(X_test), exact.predict(X_test), atol=0.01)


@pytest.mark.parametrize(("kernel", "exact"), [("rbf", KernelRidge("rbf")), ("polynomial", EXACT_POLYNOMIAL)])
def test_with_few_samples_it_is_the_exact_learner(kernel, exact):
    X, y, X_test, _ = data(400)
    ours, exact = KernelRidgeCG(kernel, **SMALL).fit(X, y), clone(exact).fit(X, y)
    np.testing.assert_array_equal(ours.predict(X_test), exact.predict(X_test))
    assert ours.fit_report_ == exact.fit_report_


@pytest.mark.parametrize("kernel", ["rbf", "polynomial"])
def test_a_curve_is_its_fits(kernel):
    X, y, X_test, _ = data(430)
    learner = KernelRidgeCG(kernel, n_exact=130, n_centres=100, max_iter=40)
    sizes = (30, 130, 230, 430)
    [curve] = learner.fit_curves([Curve(X, y, sizes, 0)])
    for n, predicted, estimator in zip(sizes, curve.predict(X_test), curve.estimators, strict=True):
        alone = clone(learner).fit(X[:n], y[:n])
        assert estimator.hyperparameters_ == alone.hyperparameters_
        if n > learner.n_exact:
            np.testing.assert_array_equal(estimator.dual_coef_, alone.dual_coef_)
        # predictions of several fits are products of another shape, and coefficients are large
        np.testing.assert_allclose(predicted, alone.predict(X_test), atol=1e-4)


def test_the_report_says_what_was_done():
    X, y, _, _ = data(1000)
    report = KernelRidgeCG("polynomial", degree=4, **SMALL).fit(X, y).fit_report_
    assert set(report.hyperparameters) == {"offset", "ridge"}
    assert report.health["residual"] < 1e-3 and report.health["held_out_mse"] >= 0
    assert report.health["settled"] == 1.0
    assert report.steps > report.health["iterations"] >= 1 and report.flops > 1e6


def test_iterations_that_run_out_are_reported():
    X, y, _, _ = data(1000)
    ours = KernelRidgeCG("rbf", length_scale=4.0, ridge=1e-9, n_exact=400, n_centres=10, max_iter=7).fit(X, y)
    assert ours.fit_report_.health["settled"] == 0.0 and ours.n_iter_ <= 10


def test_the_search_follows_a_winner_that_moves(monkeypatch):
    """Also where its ridge is at the end of the axis; it ends where nothing is gained."""
    tried = []

    def trial(self, solver, point, smallest, X, y):
        tried.append(point[0])
        return kernel_ridge_cg._Trial((point[0], 0), 2.0 ** abs(point[0] - 14), len(y), 1, True, 0.0)

    monkeypatch.setattr(KernelRidgeCG, "_try", trial)
    X, y, _, _ = data(500)
    learner = KernelRidgeCG("rbf", **SMALL)
    solver = PrefixSolver(learner._kernel(), learner._axes(), X, y, [400])
    listed = Shortlist([(9, 1), (10, 3), (9, 2)], 2)
    assert kernel_ridge_cg._best(learner._contest(solver, listed, X, y)).point == (14, 0)
    assert tried == [9, 10, 11, 12, 13, 14, 15]


def test_kernels_that_the_held_out_rows_nearly_tie_compete_on_nearly_all_samples(monkeypatch):
    """Which of them is the best where a quarter is left out need not be the best at n."""
    first, again = {9: 1.0, 10: 1.4, 11: 1.8, 12: 1.9, 13: 2.1}, []

    def trial(self, solver, point, smallest, X, y):
        return kernel_ridge_cg._Trial((point[0], 0), first.get(point[0], 99.0), len(y), 1, True, 0.0)

    def in_parts(self, solver, point, X, y):
        again.append((point[0], len(y)))
        return kernel_ridge_cg._Trial(point, 1.0 / point[0], len(y), 1, True, 0.0)

    monkeypatch.setattr(KernelRidgeCG, "_try", trial)
    monkeypatch.setattr(KernelRidgeCG, "_try_in_parts", in_parts)
    listed = Shortlist([(i, 1) for i in first], 0)
    monkeypatch.setattr(kernel_ridge_cg, "shortlist", lambda *_: listed)
    monkeypatch.setattr(kernel_ridge_cg, "_drift", lambda *_: drift)
    X, y, _, _ = data(900)
    drift = 2.0
    ours = KernelRidgeCG("rbf", **SMALL).fit(X, y)
    lattice = ours._axes()[0].values
    assert again == [(9, 900), (10, 900), (11, 900)] and ours.hyperparameters_["length_scale"] == lattice[11]
    again.clear()
    first = {9: 1.0004, 10: 1.0003, 11: 1.0002, 12: 1.0001, 13: 1.0}  # tied: the best is the first of them
    KernelRidgeCG("rbf", **SMALL).fit(X, y)
    assert [i for i, _ in again] == [9, 13, 12]
    for errors, far in (((1.0, 2.1), 2.0), ((1e-20, 1e-20), 2.0), ((1.0, 1.0), 1.04)):  # nothing to choose
        again.clear()
        drift = far
        first = dict(zip((9, 10), errors, strict=True))
        KernelRidgeCG("rbf", **SMALL).fit(X, y)
        assert again == []


def test_errors_drift_apart_as_far_as_they_fall():
    def trial(error, n=800):
        return kernel_ridge_cg._Trial((0, 0), error, n, 1, True, 0.0)

    for power in (0.5, 2.0, 5.0):
        before, at = (400, 400.0**-power), trial(800.0**-power)
        assert kernel_ridge_cg._drift(before, at, 900) == pytest.approx(min((900 / 800) ** power, 2.0))
    assert kernel_ridge_cg._drift((400, 1.0), trial(1.1), 900) == 1.0  # it does not fall
    for nothing_known in ((800, 1.0), (400, np.inf)):
        assert kernel_ridge_cg._drift(nothing_known, trial(0.1), 900) == 2.0


@pytest.mark.parametrize("n", [500, 43])
def test_each_part_of_the_held_out_rows_is_predicted_from_all_others(n):
    X, y, _, _ = data(n, noise=0.1)
    learner = KernelRidgeCG("rbf", length_scale=[1.0, 2.0], ridge=[1e-2, 1.0], n_exact=40, n_centres=n)
    solver = PrefixSolver(learner._kernel(), learner._axes(), X, y, [40])
    trial = learner._try_in_parts(solver, (1, 0), X, y)
    squares = []
    for part in np.array_split(np.arange(n - n // 4, n), 8):
        rest = np.delete(np.arange(n), part)
        dense = KernelRidge("rbf", length_scale=2.0, ridge=1e-2).fit(X[rest], y[rest])
        squares.append(np.square(dense.predict(X[part]) - y[part]))
    assert trial.error == pytest.approx(np.concatenate(squares).mean(), rel=1e-3)
    assert trial.settled and trial.point == (1, 0) and n - n // 4 < trial.n < n


def test_offsets_near_one_compete_beyond_the_exact_sizes_too(monkeypatch):
    tried = set()

    def trial(self, solver, point, smallest, X, y):
        tried.add(solver.shape(point))
        return kernel_ridge_cg._Trial(point, 1.0, len(y), 1, True, 0.0)

    monkeypatch.setattr(KernelRidgeCG, "_try", trial)
    X, y, _, _ = data(500)
    for parameters, least in (({}, len(PROBES)), ({"offset": [10.0, 30.0]}, 0)):
        tried.clear()
        learner = KernelRidgeCG("polynomial", **SMALL, **parameters)
        solver = PrefixSolver(learner._kernel(), learner._axes(), X, y, [400])
        learner._contest(solver, Shortlist([(0, 1)], 1), X, y)
        found = [c for c in PROBES if any(abs(np.log(offset / c)) < 0.3 for (offset,) in tried)]
        assert len(found) == least


def test_kernels_compete_on_a_part_and_the_best_is_tuned_at_n(monkeypatch):
    lengths, ridges = [], []
    plain, iteration = KernelRidgeCG._try, kernel_ridge_cg.Iteration
    monkeypatch.setattr(KernelRidgeCG, "_try", lambda self, *a: lengths.append(len(a[-1])) or plain(self, *a))
    monkeypatch.setattr(kernel_ridge_cg, "Iteration", lambda *a: ridges.append(a[2]) or iteration(*a))
    X, y, _, _ = data(1300, noise=0.3)
    KernelRidgeCG("rbf", n_exact=100, n_centres=100).fit(X, y)
    assert set(lengths[:-1]) == {434} and lengths[-1] == 1300
    assert all(any(abs(r - 1e-9) < 1e-15 for r in tried) for tried in ridges[:-1]), "the smallest of the scan"
    assert len(ridges[-1]) == 1 and all(len(tried) >= 3 for tried in ridges[:-1])


def test_noise_that_makes_residuals_rise_is_fitted_all_the_same():
    """CG decreases another norm: a residual above 1 is no reason to predict zero."""
    X, _, X_test, _ = data(600)
    y = X[:, 0] * X[:, 1] + 0.3 * np.random.default_rng(3).standard_normal(len(X))
    ours = KernelRidgeCG("rbf", length_scale=1.5, ridge=1e-8, **SMALL).fit(X, y)
    exact = KernelRidge("rbf", length_scale=1.5, ridge=1e-8).fit(X, y)
    predicted = ours.predict(X_test)
    assert np.corrcoef(predicted, exact.predict(X_test))[0, 1] > 0.9
    assert np.std(predicted) == pytest.approx(np.std(exact.predict(X_test)), rel=0.3)


def test_labels_that_the_iterations_have_not_seen_are_fitted():
    X, y, _, _ = data(800)
    y[:600] = 0.0
    ours = KernelRidgeCG("rbf", length_scale=1.5, ridge=1e-2, **SMALL).fit(X, y)
    exact = KernelRidge("rbf", length_scale=1.5, ridge=1e-2).fit(X, y)
    np.testing.assert_allclose(ours.dual_coef_, exact.dual_coef_, atol=1e-6)


@pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in (1, 2))])
def test_rows_far_from_the_others_are_no_trouble(seed):
    X = np.random.default_rng(seed).standard_t(1, (600, 5))
    y = np.tanh(X[:, 0])
    ours = KernelRidgeCG("polynomial", n_exact=100, n_centres=50, max_iter=60).fit(X, y)
    assert np.isfinite(ours.predict(X)).all()


@pytest.mark.parametrize("row", [500, 800])
def test_numbers_beyond_float64_are_refused_in_one_line(row):
    """Fitted, or held out."""
    X, y, _, _ = data(900)
    X[row] *= 1e60
    with pytest.raises(ValueError, match="unit variance"):
        KernelRidgeCG("polynomial", degree=6, **SMALL).fit(X, y)


def test_one_sample_more_than_are_factored():
    X, y, X_test, _ = data(3)
    assert np.isfinite(KernelRidgeCG("rbf", n_exact=2, n_centres=9).fit(X, y).predict(X_test)).all()


@pytest.mark.parametrize("parameters", [{"n_exact": 1}, {"n_centres": 0}, {"max_iter": 0}, {"n_exact": 2.5}])
def test_bad_parameters_say_what_is_allowed(parameters):
    X, y, _, _ = data(30)
    with pytest.raises(ValueError, match=f"{next(iter(parameters))} .*allowed are"):
        KernelRidgeCG(**parameters).fit(X, y)
