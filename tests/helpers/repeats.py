"""Which registered learners repeat others, and which checks of scikit-learn a repeat has no part in."""

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

from hierbench.learners.registry import LEARNERS, load

OF_CLASSES = set({LEARNERS[name].path: name for name in reversed(LEARNERS)}.values())
"""The first name of each class; the others set parameters of it."""
_KINDS = {name: load(LEARNERS[name].path) for name in LEARNERS}
OF_WAYS = set({(_KINDS[name].fit, _KINDS[name].predict): name for name in reversed(LEARNERS)}.values())
"""The first name of each way to fit and to predict; the other classes inherit both."""
OF_INPUT = {
    "check_array_api_input",
    "check_complex_data",
    "check_dtype_object",
    "check_estimator_sparse_array",
    "check_estimator_sparse_matrix",
    "check_estimator_sparse_tag",
    "check_estimator_tags_renamed",
    "check_estimators_empty_data_messages",
    "check_estimators_fit_returns_self",
    "check_estimators_nan_inf",
    "check_estimators_partial_fit_n_features",
    "check_estimators_unfitted",
    "check_fit1d",
    "check_fit2d_predict1d",
    "check_fit_check_is_fitted",
    "check_fit_score_takes_y",
    "check_n_features_in",
    "check_n_features_in_after_fitting",
    "check_pipeline_consistency",
    "check_regressor_data_not_an_array",
    "check_regressor_multioutput",
    "check_regressors_no_decision_function",
    "check_requires_y_none",
    "check_supervised_y_2d",
    "check_supervised_y_no_nan",
    "check_valid_tag_types",
}
"""What is taken or refused, and how: ``fit`` and ``predict`` decide that before anything of a class's own."""


def checks_of_fits(*estimators):
    """Estimators with those checks of scikit-learn that depend on parameters and on what a class computes."""
    return [
        pytest.param(
            estimator, check, id="-".join([type(estimator).__name__, check.func.__name__, *check.keywords])
        )
        for one in estimators
        for estimator, check in estimator_checks_generator(one)
        if check.func.__name__ not in OF_INPUT
    ]
