"""Experiments over planes and widths, floors of kernels in sequence, their figures and their quantities."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats

from hierbench.benchmarks.claims.criteria import Bounds, Criterion
from hierbench.benchmarks.claims.quantities import QUANTITIES
from hierbench.benchmarks.correction.exact.population import population, products
from hierbench.benchmarks.correction.exact.rounds import exact_target
from hierbench.benchmarks.correction.experiments.exact_floors import sequential
from hierbench.benchmarks.correction.experiments.sample_grid import LEARNERS
from hierbench.benchmarks.correction.experiments.sample_grid import run as sample_grid
from hierbench.benchmarks.correction.experiments.width_rows import run as width_rows
from hierbench.benchmarks.correction.quantities.plane import number
from hierbench.benchmarks.results.suite_results import SuiteResults
from hierbench.benchmarks.statistics.interval_estimate import share_estimate
from hierbench.benchmarks.units.measurement import Measurement
from hierbench.errors import UserError
from hierbench.learners.nets.densenet import DenseNetRegressor
from hierbench.plots.correction import floors, planes
from hierbench.plots.data import Measured, Provenance
from hierbench.plots.style import FigureWriter, figure_style
from hierbench.targets.registry import make_target


def figure_of(quantity, measurements, confidence=0.95):
    criterion = Criterion("C11", "a figure", "tiny", quantity, Bounds(0, 1), (), (), experiments=("x",))
    QUANTITIES[quantity].check(criterion)
    (figure,) = QUANTITIES[quantity].estimates(
        SuiteResults([], {}, measurements={"x": measurements}), criterion, confidence
    )
    return figure


# --- kernels in sequence at exact population -----------------------------------------------------------


@pytest.mark.parametrize("reading", ["directions", "fits"])
def test_second_kernel_is_a_projection(reading):
    """Against the residual of a QR factorisation of the weighted columns, built by hand."""
    alpha, r = 0.2, 2
    data = population(exact_target("projected", {"d": 6, "width": 2, "rho": 0.5, "seed": 3}, alpha, 1))
    root = data.root
    x, one = data.base, np.ones((len(data.y), 1))
    quadratic = np.concatenate([one, x, products(x)], axis=1)
    solution = np.linalg.lstsq(quadratic * root, data.y * root[:, 0], rcond=None)[0]
    if reading == "directions":
        i, j = np.triu_indices(x.shape[1])
        form = np.zeros((x.shape[1],) * 2)
        form[i, j] = solution[1 + x.shape[1] :]
        values, vectors = np.linalg.eigh(form + form.T)
        p = x @ vectors[:, np.argsort(-np.abs(values))[:r]]
        more = np.stack([p[:, 0] ** 2, p[:, 0] * p[:, 1], p[:, 1] ** 2], axis=1)
    else:
        more = (quadratic @ solution)[:, None]
    u = np.concatenate([x, more], axis=1)
    columns = np.concatenate([one, u, *[u[:, [a]] * u[:, a:] for a in range(u.shape[1])]], axis=1) * root
    left, sizes, _ = np.linalg.svd(columns / np.linalg.norm(columns, axis=0), full_matrices=False)
    left = left[:, sizes > 1e-12 * sizes[0]]
    y = data.y * root[:, 0]
    expected = np.square(y - left @ (left.T @ y)).sum() / data.variance
    found = sequential(seed=3, alphas=[alpha], directions=[r])
    (value,) = [m.values["relative_mse"] for m in found if m.labels["reading"] == reading]
    assert value == pytest.approx(expected, rel=1e-6)


def test_floors_of_kernels_in_sequence_are_powers_of_alpha_until_all_directions_are_handed_on():
    found = [
        m for seed in range(3) for m in sequential(seed=seed, alphas=[0.1, 0.03, 0.01], directions=[2, 4])
    ]
    two = figure_of("sequential_directions_floor_slope", found)
    fits = figure_of("sequential_fits_floor_slope", found)
    assert two.value == pytest.approx(4, abs=0.3) and fits.value == pytest.approx(2, abs=0.3)
    assert two.low < two.value < two.high
    everything = figure_of("sequential_all_directions_floor_slope", found)
    assert everything.value is None and "rounding" in everything.note


# --- learners ------------------------------------------------------------------------------------------


def test_the_grid_is_what_single_fits_give():
    arguments = {"seeds": [7], "alphas": [0.5, 1.0], "sizes": [60, 120], "width": 4, "steps": 60, "d": 4}
    found = sample_grid(learner="end to end", **arguments)
    assert [(m.labels["alpha"], m.labels["n"]) for m in found] == [
        (a, n) for a in (0.5, 1.0) for n in (60, 120)
    ]
    state = [int(np.random.SeedSequence([7, i]).generate_state(1)[0]) for i in range(4)]
    target = make_target("projected", 4, state[0], alpha=1.0, depth=2, width=2, rho=0.5)
    X, y = target.sample(120, np.random.default_rng([7, 1]))
    net = DenseNetRegressor(2, 4, steps=60, restarts=1, tuning_share=0.25, random_state=state[3]).fit(X, y)
    points, labels = target.sample_test(32768, np.random.default_rng([7, 2]))
    plain = np.mean(np.square(net.predict(points) - labels))
    value = found[3].values
    assert abs(value["relative_mse"] - plain) < 8 * value["standard_error"] + 1e-3
    assert value["eps_rel"] == pytest.approx(value["relative_mse"] / value["share_above"])
    certificate = target.certificate()
    assert value["share_above"] == pytest.approx(
        sum(e.value for p, e in certificate.degree_share.items() if p > 2)
    )
    assert found[3].labels["optimiser"] == "Adam"


@pytest.mark.parametrize(
    "learner",  # the contract of learners has fits of each, and the test above has one of the grid
    [
        pytest.param(
            n, marks=() if n in ("strictly frozen", "sequential kernels, fits") else pytest.mark.slow
        )
        for n in sorted(LEARNERS)
    ],
)
def test_every_learner_of_the_grid_runs(learner):
    found = sample_grid(learner=learner, seeds=[0], alphas=[0.5], sizes=[40, 80], width=4, steps=20, d=4)
    assert all(0 < m.values["relative_mse"] < 100 for m in found)
    assert found[0].labels["width"] == (0 if learner.startswith("sequential") else 4)


def test_width_and_rows():
    found = width_rows(learner="algorithm1", ratio=1.5, seeds=[0, 1], rows=[0, 2], n=256, d=4, steps=40)
    assert [(m.labels["rows"], m.labels["seed"]) for m in found] == [(0, 0), (0, 1), (2, 0), (2, 1)]
    assert len({m.values["relative_mse"] for m in found}) == 4
    plain = width_rows(learner="densenet", ratio=1, seeds=[0], n=256, d=4, steps=40)
    assert plain[0].labels["rows"] == 0


def test_bad_input_is_one_clear_line():
    with pytest.raises(UserError, match="unknown learner of the sample grid 'end': did you mean"):
        sample_grid(learner="end", seeds=[0], alphas=[0.5], sizes=[40])
    with pytest.raises(UserError, match=r"ratio = 0.1: allowed are numbers > 0.25"):
        width_rows(learner="densenet", ratio=0.1, seeds=[0])


# --- quantities ----------------------------------------------------------------------------------------


def angles(factor, alpha, seeds=(0, 1, 2, 3)):
    return [
        Measurement(
            {"seed": s, "alpha": alpha, "round": r, "stage": "lower", "level": 1},
            {"angle": 0.1 * (factor * (1 + 0.01 * s)) ** r},
        )
        for s in seeds
        for r in (1, 2, 3)
    ]


@pytest.mark.parametrize(
    ("quantity", "alpha"), [("contraction_with_gap", 0.1), ("contraction_without_gap", 1.5)]
)
def test_contraction_is_the_factor_of_a_round(quantity, alpha):
    figure = figure_of(quantity, [*angles(0.2, alpha), *angles(0.9, 0.7)])
    assert figure.low < figure.value < figure.high
    assert figure.value == pytest.approx(0.2 * np.exp(np.mean(np.log(1 + 0.01 * np.arange(4)))))
    # factors alternate: 0.1, 0.4, 0.1, ... is 0.2 a round
    odd = [
        dataclasses.replace(m, values={"angle": number(m, "angle") * (2.0 if m.labels["round"] % 2 else 1.0)})
        for m in angles(0.2, alpha)
    ]
    assert figure_of(quantity, odd).value == pytest.approx(figure.value)
    rounding = [dataclasses.replace(m, values={"angle": 1e-16}) for m in angles(0.2, alpha)]
    assert figure_of(quantity, rounding).value is None


def test_contraction_slope_is_the_power_of_alpha_in_the_factor():
    alphas = (0.03, 0.1, 0.3, 0.5)
    found = [m for a in alphas for m in angles(0.9 * a**1.1, a)]
    figure = figure_of("contraction_slope", [*found, *angles(0.9, 0.7), *angles(0.9, 1.5)])
    assert figure.value == pytest.approx(1.1)
    assert figure.label.endswith("alpha = 0.03 to 0.5")
    assert figure_of("contraction_slope", [m for a in alphas[:2] for m in angles(a, a)]).value is None


def test_layerwise_floor_takes_the_best_start_at_the_smallest_width():
    found = [
        Measurement(
            {"seed": s, "alpha": a, "width": w, "method": method, "start": start},
            # the third start is the best, but was still falling
            {
                "relative_mse": (1, 2, 0.1 * a)[start] * (1 + 0.01 * s) * a**power,
                "converged": float(start < 2),
            },
        )
        for s in range(4)
        for a in (0.3, 0.1, 0.03)
        for start in (0, 1, 2)
        for w, method, power in ((2, "refitted", 2.0), (2, "strict", 1.0), (8, "refitted", 5.0))
    ]
    figure = figure_of("layerwise_floor_slope_in_alpha", found)
    assert figure.value == pytest.approx(2.0) and "width 2" in figure.label


def successes(ratio, wins, runs, rows=0.0):
    return [
        Measurement({"ratio": ratio, "rows": rows, "seed": s}, {"relative_mse": 1e-5 if s < wins else None})
        for s in range(runs)
    ]


def test_gains_in_success():
    figure = figure_of("success_gain_width", [*successes(1.0, 4, 20), *successes(8.0, 20, 20)])
    assert figure.value == pytest.approx(0.8) and 0 < figure.low < 0.8 < figure.high <= 1
    both = [*successes(8.0, 3, 6, rows=1.0), *successes(8.0, 6, 6, rows=4.0)]
    both += [*successes(2.0, 6, 6, rows=1.0), *successes(2.0, 6, 6, rows=4.0)]
    figure = figure_of("success_gain_rows", both)
    expected = stats.t.interval(0.95, 5, 0.25, stats.sem([0, 0, 0, 0.5, 0.5, 0.5]))
    assert (figure.value, figure.low, figure.high) == pytest.approx((0.25, *expected))


@pytest.mark.parametrize(("wins", "runs"), [(0, 10), (3, 10), (10, 10)])
def test_ends_of_a_share_leave_what_was_seen_a_chance_of_a_fortieth(wins, runs):
    figure = share_estimate("", [k < wins for k in range(runs)], 0.95)
    assert figure.value == wins / runs and figure.n_rows == runs
    low = figure.low == 0 if wins == 0 else stats.binom.sf(wins - 1, runs, figure.low)
    high = figure.high == 1 if wins == runs else stats.binom.cdf(wins, runs, figure.high)
    assert low == (True if wins == 0 else pytest.approx(0.025))
    assert high == (True if wins == runs else pytest.approx(0.025))


# --- figures -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_figures_are_drawn_also_where_a_run_diverged(tmp_path):
    rng = np.random.default_rng(0)
    grid = [
        Measured(
            "plane",
            {"learner": learner, "width": w, "alpha": a, "n": n, "seed": s},
            {"relative_mse": None if s else float(rng.uniform()), "share_above": 0.1},
        )
        for learner in ("end to end", "strictly frozen", "sequential kernels, fits")
        for w in ((0,) if learner.startswith("sequential") else (2, 4))
        for a in (0.1, 0.3)
        for n in (64, 128)
        for s in range(3)
    ]
    nets = [m for m in grid if m.labels["width"]]
    rows = [
        Measured(
            "w", {"learner": learner, "ratio": q, "rows": r, "seed": s}, {"relative_mse": 0.1 ** (3 + s)}
        )
        for learner, counts in (("algorithm1", (0.0, 1.0, 2.0)), ("densenet", (0.0,)))
        for q in (1.0, 2.0)
        for r in counts
        for s in range(3)
    ]
    exact = [
        Measured(
            "f",
            {"seed": s, "alpha": a, "width": 2, "method": m, "start": 0},
            {"relative_mse": a**2, "converged": 1.0},
        )
        for s in range(2)
        for a in (0.3, 0.1, 0.03)
        for m in ("strict", "refitted", "joint")
    ] + [
        Measured(
            "f", {"seed": 0, "alpha": a, "reading": "directions", "directions": 2}, {"relative_mse": a**4}
        )
        for a in (0.3, 0.1, 0.03)
    ]
    rounds = [Measured("c", m.labels, m.values) for m in [*angles(0.2, 0.1), *angles(1.2, 1.5)]]
    with figure_style():
        writer = FigureWriter(tmp_path, Provenance("s", "s", 1, ("c",), "1"))
        writer.write(planes.alpha_n(nets), "plane", "x")
        writer.write(planes.width_rows(rows), "rows", "x")
        writer.write(planes.contraction(rounds), "contraction", "x")
        writer.write(floors.exact(exact), "exact", "x")
        writer.write(floors.against_n(grid), "n", "x")
    assert len(writer.paths) == 10 and all(p.stat().st_size > 5000 for p in writer.paths)
