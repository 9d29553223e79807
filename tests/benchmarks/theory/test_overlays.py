"""Predicted curves: from a row to the kernel that it used, its expected error and the line in a figure."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from synthetic_rows import row

from hierbench.benchmarks.show.draw import provenance_of
from hierbench.benchmarks.show.figure_data import figure_data
from hierbench.benchmarks.studies.eigenlearning_study import kernel_from_gram
from hierbench.benchmarks.suites.epsilon import Epsilon
from hierbench.benchmarks.theory.overlays import kernel_of, power_of, predictions
from hierbench.benchmarks.units import draw
from hierbench.benchmarks.units.rows import Row
from hierbench.learners.kernels.dot_product import DotProductRegressor
from hierbench.learners.kernels.kernel_ridge import KernelRidgeRBF
from hierbench.learners.kernels.polynomial_ridge import KernelRidgePolynomial
from hierbench.plots.error_curves import error_against_n
from hierbench.plots.style import figure_style, looks
from hierbench.targets.base import Certificate, Estimate

LEARNERS = {
    "krr_rbf": (KernelRidgeRBF, {}),
    "krr_polynomial": (KernelRidgePolynomial, {"degree": 4}),
    "krr_dot_product": (DotProductRegressor, {"max_degree": 4}),
}
D = 6


def spec_of(inputs: str = "gaussian", **more: object) -> dict:
    return {"family": "squares", "parameters": {"depth": 2, "width": 3, "inputs": inputs, **more}}


def certificates(spec: dict, count: int = 1) -> dict[tuple[str, int, int], Certificate]:
    return {("t", D, i): draw.draw_target(spec, D, i).certificate() for i in range(count)}


def fitted_row(learner: str, spec: dict, n: int, index: int = 0) -> Row:
    """A row as the runner would store it, its error on 4000 points."""
    made, params = LEARNERS[learner]
    target = draw.draw_target(spec, D, index)
    X, y = draw.draw_sample(target, spec, index, n)
    estimator = made(**params).fit(X, y)
    X_test, y_test = target.sample_test(4000, np.random.default_rng(index))
    error = float(np.square(estimator.predict(X_test) - y_test).mean())
    return row(
        n,
        error,
        d=D,
        r=index,
        learner=learner,
        learner_spec={"name": learner, "parameters": params},
        target_spec=spec,
        hyperparameters=dict(estimator.hyperparameters_),
    )


def rbf_row(spec: dict, n: int = 100, index: int = 0, **more: object) -> Row:
    fields: dict = {
        "learner": "krr_rbf",
        "learner_spec": {"name": "krr_rbf", "parameters": {}},
        "target_spec": spec,
        "hyperparameters": {"length_scale": 1.0, "ridge": 1e-6},
    }
    return row(n, 0.5, d=D, r=index, **(fields | more))


@pytest.mark.parametrize("learner", LEARNERS)
def test_the_kernel_of_a_row_is_the_one_that_was_fitted(learner: str) -> None:
    made, params = LEARNERS[learner]
    found = fitted_row(learner, spec_of(), 120)
    target = draw.draw_target(spec_of(), D, 0)
    estimator = made(**params).fit(*draw.draw_sample(target, spec_of(), 0, 120))
    used = kernel_from_gram(estimator._fitted_kernel, estimator.shape_, D)
    kernel = kernel_of(found)
    assert kernel is not None
    radii = np.array([1.5, 2.5, 3.5])
    for degree in range(5):
        expected = used.sector(degree, radii, D)
        assert kernel.sector(degree, radii, D) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("inputs", ["sphere", "gaussian"])
@pytest.mark.parametrize("learner", LEARNERS)
def test_rows_of_tuned_learners_have_about_the_expected_error(learner: str, inputs: str) -> None:
    """At the hyperparameters chosen; below the last step, in the geometric mean over eight replicates."""
    spec = spec_of(inputs)
    known = certificates(spec, 8)
    for n in (60, 100):
        rows = [fitted_row(learner, spec, n, index) for index in range(8)]
        found = predictions(rows, known)
        assert len(found) == 8
        gap = np.mean([math.log(one.error / expected) for one, expected in found if one.error])
        assert abs(gap) < math.log(1.5 if inputs == "gaussian" else 1.25), (n, math.exp(gap))


def test_noise_on_training_labels_is_in_the_prediction() -> None:
    spec, plain = spec_of("sphere", noise=1.0), spec_of("sphere")
    rows = [fitted_row("krr_rbf", spec, 300, index) for index in range(8)]
    found = predictions(rows, certificates(spec, 8))
    gap = np.mean([math.log(one.error / expected) for one, expected in found if one.error])
    assert abs(gap) < math.log(1.15), math.exp(gap)
    without = predictions([dataclasses.replace(r, target_spec=plain) for r in rows], certificates(plain, 8))
    ignored = np.mean([math.log(one.error / expected) for one, expected in without if one.error])
    assert ignored > math.log(1.3), "noise matters here"


def test_what_the_theory_does_not_speak_about_is_left_out_and_never_fails() -> None:
    spec = spec_of()
    known = certificates(spec)
    (certificate,) = known.values()
    assert len(predictions([rbf_row(spec)], known)) == 1
    for change in (
        {"inputs": "cube"},
        {"classes": (-1.0, 1.0)},
        {"method": "monte-carlo"},
        {"degree_share": {}},
        {"degree_share": {2: Estimate(0.5), 5: Estimate(0.5)}},
    ):
        other = {key: dataclasses.replace(certificate, **change) for key in known}
        assert predictions([rbf_row(spec)], other) == [], change
    for bad in (
        {"learner_spec": {"name": "rfm", "parameters": {}}},
        {"learner_spec": {}},
        {"hyperparameters": {}},
        {"hyperparameters": {"length_scale": 1.0}},
        {"metric": "misclassification"},
        {"status": "timeout"},
        {"target_spec": {"family": "no-such-family", "parameters": {}}},
        {"target_spec": {"family": "squares", "parameters": {"depth": 2, "width": 99}}},
    ):
        assert predictions([rbf_row(spec, **bad)], known) == [], bad
    assert predictions([rbf_row(spec)], {}) == []


def test_gaussian_power_is_that_of_the_target_drawn_for_the_row() -> None:
    spec = spec_of()
    known = certificates(spec, 2)
    first, second = (power_of(spec, D, i, known["t", D, i]) for i in range(2))
    assert first is not None and second is not None
    for power, certificate in ((first, known["t", D, 0]), (second, known["t", D, 1])):
        share = power[0][1, 1] + power[2][0, 0]
        assert share == pytest.approx(certificate.degree_share[2].value)
    assert first[4][0, 0] != pytest.approx(second[4][0, 0], rel=1e-6)


def dashed(figure: Figure, color: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Lines of 0.6 points in this colour."""
    return [
        (np.asarray(line.get_xdata()), np.asarray(line.get_ydata()))
        for ax in figure.axes
        for line in ax.get_lines()
        if line.get_color() == color and line.get_linewidth() == 0.6
    ]


def test_predictions_are_dashed_in_the_colour_of_the_learner_and_named_in_the_legend() -> None:
    spec = spec_of()
    sizes = (30, 60, 120)
    rows = [rbf_row(spec, n, r) for n in sizes for r in range(2)]
    rows += [row(n, 0.3, d=D, r=r, learner="densenet") for n in sizes for r in range(2)]
    known = certificates(spec, 2)
    data, without = (figure_data(rows, c, [Epsilon(0.1)], provenance_of(rows, "s", "0")) for c in (known, {}))
    assert len(data.predictions) == 6 and without.predictions == ()
    assert {p.learner for p in data.predictions} == {"krr_rbf"}
    with figure_style():
        color = {name: look.color for name, look in looks(data.learners).items()}
        figure, bare = error_against_n(data, "t"), error_against_n(without, "t")
    assert figure is not None and bare is not None
    ((n, error),) = dashed(figure, color["krr_rbf"])
    assert n[0] == pytest.approx(30) and n[-1] == pytest.approx(120)
    expected = [p.error for p in data.predictions if p.n == 120]
    assert error[-1] == pytest.approx(math.sqrt(math.prod(expected)))
    assert dashed(figure, color["densenet"]) == dashed(bare, color["krr_rbf"]) == []
    names = [[t.get_text() for t in f.legends[0].get_texts()] for f in (figure, bare)]
    assert "kernel's prediction (eigenlearning)" in names[0]
    assert "kernel's prediction (eigenlearning)" not in names[1]
    for one, two in zip(figure.axes, bare.axes, strict=True):
        assert one.get_ylim() == two.get_ylim(), "theory moves no limits"
