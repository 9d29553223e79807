"""What every registered learner promises, checked on each of them in the same way."""

import importlib
import json
import zipfile

import joblib
import numpy as np
import pytest
from machinery import plan_of
from repeats import OF_CLASSES, OF_WAYS
from sklearn.linear_model import Ridge
from stub_learners import SplitsBadly

from hierbench.benchmarks.units import compute_curves as unit_module
from hierbench.benchmarks.units.compute_curves import run_curves
from hierbench.benchmarks.units.draw import TestSet
from hierbench.learners import persist
from hierbench.learners.registry import LEARNERS, load
from hierbench.learners.testing import LearnerContract, check_rows_are_predicted_one_by_one

SMALL = {
    **{"steps": 50, "dtype": "float64", "batch_size": 32, "width": 24, "stream": 40},
    **{"learning_rate": (0.005, 0.02), "weight_decay": 0.03},
    **{"max_iter": 20, "n_candidates": 3, "iterations": 2, "folds": 2, "n_exact": 20, "n_centres": 10},
}
"""For nets: as long as the fast path is held to the slow one, and of one shape, which is compiled once.

For the others: a short search.
"""
FEW = {"ridge": (1e-6, 1e-3, 1.0), "length_scale": (1.0, 3.0), "offset": (0.3, 3.0), "bias": (0.1, 1.0)}
"""What a kernel is chosen from, but by ``krr_rbf``: that has the whole lattice, and the engine is one."""
BRIEF = {
    **{"steps": 4, "narrow": 2, "restarts": 1, "learning_rate": 0.01, "weight_decay": 0.03},
    **{"max_iter": 5, "n_candidates": 2, "n_splits": 1, "n_features": 32, "max_degree": 3, "n_exact": 20},
    **{"ridge": (1e-6, 1.0), "length_scale": (1.0, 2.0), "offset": (0.3, 3.0), "bias": 0.3, "nu": 1.5},
    **{"degree": 2, "n_directions": 2, "exponent": 1.0, "power": 1.0, "iterations": 1, "folds": 2},
}
"""For data on which it does not count how good a fit is."""
FOREIGN = {"boosted_trees"}
"""Hold an estimator of another package, which has no plain form."""

SUITE = """\
name = "contract"
summary = "one learner"
replicates = 4
test = {{min = 512, max = 512}}
timeout_seconds = 60
epsilons = [0.3, 0.1]

[[target]]
label = "sq"
family = "squares"
params = {{depth = 2, width = 2}}

[[learner]]
label = "it"
learner = "{learner}"
params = {{{params}}}

[[run]]
targets = ["sq"]
learners = ["it"]
d = [4]
sizes = {{scale = 8, power = 1, ratio = 3, count = 2, max = 200}}
"""


def create(name, **parameters):
    """A learner of the registry that knows degree and depth of the data below, and trains briefly."""
    spec = LEARNERS[name]
    params = dict(spec.parameters)
    if spec.knows_degree:
        params[spec.knows_degree] = 2
    if spec.knows_depth:
        params[spec.knows_depth] = 2
    learner = load(spec.path)(**params)
    allowed = learner.get_params()
    small = {**SMALL, **({} if name == "krr_rbf" else FEW), "random_state": 3, **parameters}
    learner.set_params(**{k: v for k, v in small.items() if k in allowed})
    return learner


class Registered(LearnerContract):
    """The contract of a registered learner; 1e-5 for nets, whose steps add up rounding."""

    refusals = "allowed are|not positive definite"

    def __init__(self, name):
        self.name, self.saved = name, name not in FOREIGN
        self.tolerance = 1e-5 if hasattr(self.create(), "steps") else 1e-8

    def create(self):
        return create(self.name)

    def create_briefly(self):
        return create(self.name, **BRIEF)


CURVES = {check for check in LearnerContract.checks() if "curves" in check.__name__}
SAVED = {check for check in LearnerContract.checks() if "saved" in check.__name__}


def promises(name):
    """What a registered learner promises, by its descriptor: nothing is skipped silently."""
    unpromised = set() if "fit_curves" in LEARNERS[name].capabilities else CURVES
    return [
        c for c in LearnerContract.checks() if c not in unpromised | (SAVED if name in FOREIGN else set())
    ]


FAST_PATH = LearnerContract.test_curves_are_what_fits_one_by_one_give
ORDER = LearnerContract.test_the_order_of_the_curves_does_not_matter
DEGENERATE = LearnerContract.test_degenerate_data_give_finite_predictions
LONG = {
    **dict.fromkeys(("rfm", "hyper_kernel", "boosted_trees", "relu_densenet"), (FAST_PATH, ORDER)),
    **dict.fromkeys(("sequential_kernels", "nngp", "compositional", "relu_mlp", "ntk", "ntk_erf"), (ORDER,)),
    "sequential_kernels_fits": (FAST_PATH, ORDER, DEGENERATE),
    "spectral_layerwise": (ORDER,),
}
"""What takes longest, by learner."""
OF_FITTING = (ORDER, LearnerContract.test_two_fits_with_one_random_state_are_equal)
"""What classes that share the way to fit keep together."""


def marks(name, check):
    """What make test leaves out: what takes longest, and what is a repeat."""
    left_out = (
        check in LONG.get(name, ())
        or (name not in OF_CLASSES and check is not FAST_PATH)
        or (name not in OF_WAYS and check in OF_FITTING)
    )
    return pytest.mark.slow if left_out else ()


@pytest.mark.parametrize(
    ("name", "check"),
    [
        pytest.param(n, c, id=f"{n}-{c.__name__.removeprefix('test_')}", marks=marks(n, c))
        for n in LEARNERS
        for c in promises(n)
    ],
)
def test_contract(name, check):
    check(Registered(name))


@pytest.mark.filterwarnings("ignore::scipy.linalg.LinAlgWarning")
class TestOfAThirdParty(LearnerContract):
    """What a researcher's own test file is."""

    def create(self):
        return Ridge()


def run_with(labels, path, monkeypatch):
    """Run the first unit of a suite with test labels replaced; what was fitted, and rows without errors."""
    seen = []
    evaluate, piece = unit_module._evaluate, TestSet.piece

    def replaced(self, i):
        X, y, weights = piece(self, i)
        return X, labels(y), weights

    def recorded(unit, block, replicate, curve, fit):
        X = np.random.default_rng(0).standard_normal((50, 4))
        # vars: attributes that a learner hides from get_params count as well
        seen.append((joblib.hash([vars(e) for e in fit.fitted.estimators]), fit.predict(X).tobytes()))
        return evaluate(unit, block, replicate, curve, fit)

    with monkeypatch.context() as patch:
        patch.setattr(TestSet, "piece", replaced)
        patch.setattr(unit_module, "_evaluate", recorded)
        result = run_curves(plan_of(path).curves[0])
    assert result.status == "done", result.reason
    kept = [(r.n, r.hyperparameters, r.health, r.steps, r.flops, r.train_error) for r in result.rows]
    return seen, kept, [r.error for r in result.rows]


def suite_of(learner, folder, params=""):
    path = folder / "contract.toml"
    path.write_text(SUITE.format(learner=learner, params=params))
    return str(path)


def leak_canary(path, monkeypatch):
    """Nothing that was fitted or chosen may change with the test labels, the errors must."""
    true = run_with(lambda y: y, path, monkeypatch)
    other = run_with(lambda y: y[::-1] + 3.0, path, monkeypatch)
    assert true[:2] == other[:2], "the fit depends on the test labels"
    assert true[2] != other[2]


CANARIES = ("densenet", "krr_rbf", "polynomial_regression")
"""A net, a kernel and features; the runner, which holds the test labels, is the same for all."""


@pytest.mark.parametrize(
    "name", [n if n in CANARIES else pytest.param(n, marks=pytest.mark.slow) for n in LEARNERS]
)
def test_nothing_fitted_depends_on_the_test_labels(name, tmp_path, monkeypatch):
    cheap, known = {**SMALL, **BRIEF, "steps": 20}, create(name).get_params()
    params = ", ".join(f"{k} = {json.dumps(v)}" for k, v in cheap.items() if k in known)
    leak_canary(suite_of(name, tmp_path, params), monkeypatch)


def test_the_canary_notices_a_learner_that_reads_the_test_labels(tmp_path, monkeypatch):
    with pytest.raises(AssertionError, match="depends on the test labels"):
        leak_canary(suite_of("stub_learners:Peeks", tmp_path), monkeypatch)


def test_predictions_from_the_whole_of_the_rows_are_noticed():
    X, y = Registered("krr_rbf").data(30)
    with pytest.raises(AssertionError):
        check_rows_are_predicted_one_by_one(SplitsBadly().fit(X, y), X)


@pytest.mark.parametrize("name", ["krr_rbf", "sequential_kernels"])
def test_a_learner_saved_before_its_files_moved_loads(name, tmp_path):
    # Format 1 had paths of modules, some of which are gone; what counts is the name of the class.
    X, y = Registered(name).data(60)
    learner = create(name).fit(X, y)
    persist.save(learner, tmp_path / "now")

    def as_of_old(value):
        if isinstance(value, dict):
            return {k: f"learners.gone:{v}" if k == "object" else as_of_old(v) for k, v in value.items()}
        return [as_of_old(v) for v in value] if isinstance(value, list) else value

    with zipfile.ZipFile(tmp_path / "now") as now, zipfile.ZipFile(tmp_path / "old", "w") as old:
        for entry in now.namelist():
            content = now.read(entry)
            if entry == "header.json":
                header = as_of_old(json.loads(content))
                header |= {"format": 1, "class": f"learners.gone:{header['class']}"}
                content = json.dumps(header).encode()
            old.writestr(entry, content)
    np.testing.assert_array_equal(persist.load(tmp_path / "old").predict(X), learner.predict(X))


def test_no_two_classes_that_are_saved_share_a_name():
    learners = {LEARNERS[n].path.rpartition(":")[2] for n in LEARNERS}
    assert not learners & persist.PARTS.keys()
    for path in persist.PARTS.values():
        module, _, name = path.partition(":")
        assert getattr(importlib.import_module(module), name).__name__ == name


def test_files_that_are_no_saved_learners_are_refused(tmp_path):
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(ValueError, match="is no saved learner"):
        persist.load(tmp_path / "text")
    for header in ({}, {"format": 2, "class": 5}, {"format": 2, "class": "RFMRegressor"}):
        with zipfile.ZipFile(tmp_path / "text", "w") as archive:
            archive.writestr("header.json", json.dumps(header))
        with pytest.raises(ValueError, match="is no saved learner"):
            persist.load(tmp_path / "text")
    with pytest.raises(ValueError, match="not fitted: call fit"):
        persist.save(create("krr_rbf"), tmp_path / "unfitted")
    with pytest.raises(ValueError, match="no learner of this package"):
        persist.save(Ridge(), tmp_path / "foreign")
    X, y = Registered("krr_rbf").data(20)
    learner = create("krr_rbf").fit(X, y)
    learner.secret_ = object()
    with pytest.raises(TypeError, match="secret_ is a builtins:object: it has no plain form"):
        persist.save(learner, tmp_path / "secret")
    assert [p.name for p in tmp_path.iterdir()] == ["text"]
