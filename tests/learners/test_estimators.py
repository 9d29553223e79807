"""Every registered learner passes scikit-learn's checks of an estimator, every way to fit those of input."""

import inspect

import pytest
from repeats import OF_CLASSES, OF_INPUT, OF_WAYS
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_regressors_train, estimator_checks_generator

from hierbench.learners.registry import LEARNERS, load

BRIEF = {"steps": 300, "batch_size": 32, "restarts": 1, "learning_rate": 0.01, "weight_decay": 0.03}
"""For nets: one of the checks asks for a score that a linear fit reaches, not for the best."""
BRIEFER = {
    **{"steps": 20, "max_iter": 10, "n_candidates": 2, "iterations": 1, "folds": 2},
    **{"bias": 0.3, "exponent": 1.0, "power": 1.0, "n_directions": 2, "degree": 2},
    **{"ridge": (1e-6, 1.0, 1e6), "length_scale": (1.0, 2.0), "offset": (0.3, 3.0)},
    **{"width": 24, "stream": 40, "narrow": 2},
}
"""For the checks that ask for no score: shapes of nets do not depend on d, so that few are compiled.

Kernels choose from few points: ``check_regressors_train`` has the defaults.
"""
SMALLER = {
    "two_layer": {"width": 32},
    "two_layer_quadratic": {"width": 32},
    "relu_mlp": {"width": 32},
    "boosted_trees": {"max_iter": 40, "n_candidates": 4},
    "rfm": {"iterations": 2},
    "irkm": {"iterations": 2},
    "hyper_kernel": {"kernel": "gaussian", "n_directions": 2, "iterations": 10},
    **{f"krr_{kernel}_cg": {"n_exact": 12, "n_centres": 6} for kernel in ("rbf", "polynomial")},
    **{f"random_features_{a}": {"n_features": 64} for a in ("relu", "quadratic", "fourier")},
}
CONSTRUCTION = {
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_get_params_invariance",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
}
"""What a class can get wrong where another's fit is its own; the contract has fits of each."""
LONG = {"check_estimators_dtypes", "check_regressor_data_not_an_array", "check_regressors_train"}
"""Half of the time of ``sequential_kernels_fits``; ``sequential_kernels`` has them in make test."""


def brief(name):
    spec = LEARNERS[name]
    kind = load(spec.path)
    allowed = inspect.signature(kind).parameters
    shorter = {key: value for key, value in BRIEF.items() if key in allowed and "steps" in allowed}
    return kind(**{**spec.parameters, **shorter, **SMALLER.get(name, {})})


def unscored(estimator):
    """Of a kind that is not held to a score: other types and places of the same data ask for none."""

    class Unscored(type(estimator)):
        def __sklearn_tags__(self):
            tags = super().__sklearn_tags__()
            tags.regressor_tags.poor_score = True
            return tags

    return Unscored(**estimator.get_params(deep=False))


def cases(name):
    """Estimator and check; make test leaves out repeats, as those with data that are read only."""
    kept = CONSTRUCTION if name in OF_CLASSES else set()
    for estimator, check in estimator_checks_generator(brief(name)):
        if name not in OF_WAYS and check.func.__name__ in OF_INPUT:
            continue
        scored = check.func is check_regressors_train
        if not scored:
            known = estimator.get_params()
            estimator = clone(estimator).set_params(**{k: v for k, v in BRIEFER.items() if k in known})
        left_out = (
            (name not in OF_WAYS and check.func.__name__ not in kept)
            or (check.func is check_regressors_train and not scored)
            or (name == "sequential_kernels_fits" and check.func.__name__ in LONG)
        )
        yield pytest.param(
            estimator,
            check,
            id="-".join([name, check.func.__name__, *check.keywords]),
            marks=pytest.mark.slow if left_out else (),
        )


@pytest.mark.parametrize(("estimator", "check"), [case for name in LEARNERS for case in cases(name)])
def test_estimator_checks(estimator, check):
    check(estimator)
