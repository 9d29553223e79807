"""Every registered learner passes scikit-learn's checks of an estimator."""

import inspect

from sklearn.utils.estimator_checks import parametrize_with_checks

from hierbench.learners.registry import LEARNERS, load

BRIEF = {"steps": 300, "batch_size": 32, "restarts": 1, "learning_rate": 0.01, "weight_decay": 0.03}
"""For nets: the checks ask for scores that a linear fit reaches, not for the best."""
SMALLER = {
    "two_layer": {"width": 32},
    "two_layer_quadratic": {"width": 32},
    "relu_mlp": {"width": 32},
    "boosted_trees": {"max_iter": 40, "n_candidates": 4},
    "rfm": {"iterations": 2},
    **{f"random_features_{a}": {"n_features": 64} for a in ("relu", "quadratic", "fourier")},
}


def brief(name):
    spec = LEARNERS[name]
    kind = load(spec.path)
    allowed = inspect.signature(kind).parameters
    shorter = {key: value for key, value in BRIEF.items() if key in allowed and "steps" in allowed}
    return kind(**{**spec.parameters, **shorter, **SMALLER.get(name, {})})


@parametrize_with_checks([brief(name) for name in LEARNERS])
def test_estimator_checks(estimator, check):
    check(estimator)
