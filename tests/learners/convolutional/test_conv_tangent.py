"""The tangent kernel of the convolutional ResNet, against gradients and fits one by one."""

import numpy as np
import pytest
import torch
from sklearn.utils.estimator_checks import check_classifiers_train, estimator_checks_generator

from hierbench.learners.convolutional.network import ConvResNet
from hierbench.learners.convolutional.resnet import ConvResNetClassifier
from hierbench.learners.convolutional.tangent import ConvResNetNTKClassifier, gradients


def data(n=24, d=12, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return X, np.array(["a", "b", "c"])[np.argmax(X[:, :classes], axis=1)]


def small(**parameters):
    return ConvResNetNTKClassifier(**{"shape": (1, 12), "width": 2, "random_state": 3, **parameters})


def one_by_one(network, x, c):
    """Gradients of one score at one input in all parameters that it depends on, as autograd has them."""
    used = [p for name, p in network.named_parameters() if f"heads.{len(network.blocks) - 1}" in name]
    used = [p for name, p in network.named_parameters() if "heads" not in name] + used
    score = network(x[None], len(network.blocks))[0, c]
    return {id(p): g for p, g in zip(used, torch.autograd.grad(score, used), strict=True)}


def explicit_kernel(network, A, B, classes):
    kernel = np.zeros((len(A), len(B)))
    for c in range(classes):
        of_A, of_B = ([one_by_one(network, x, c) for x in inputs] for inputs in (A, B))
        kernel += [[sum(float((g[p] * h[p]).sum()) for p in g) for h in of_B] for g in of_A]
    return kernel / classes


@pytest.mark.parametrize("shape", [(1, 7), (2, 5, 4)], ids=["1-D", "2-D"])
def test_gradients_are_those_of_autograd(shape):
    network = ConvResNet(shape, 3, 14, 2, np.random.default_rng(0)).double().eval()
    inputs = torch.from_numpy(np.random.default_rng(1).standard_normal((4, *shape)))
    with torch.no_grad():
        network.train()(inputs, 6)
    of_all = gradients(network, inputs, 1)
    assert of_all.shape == (4, network.count())
    for x, row in zip(inputs, of_all, strict=True):
        expected = torch.cat([g.flatten() for g in one_by_one(network, x, 1).values()])
        np.testing.assert_allclose(row.numpy(), expected.numpy(), rtol=0, atol=1e-10)


def test_predictions_are_those_of_kernel_ridge_with_the_explicit_kernel():
    X, y = data()
    fitted = small(ridge=0.01).fit(X, y)
    X_test, _ = data(5, seed=1)
    network = fitted.network_
    inputs, tests = (torch.from_numpy((Z - X.mean()) / X.std()).unsqueeze(1) for Z in (X, X_test))
    kernel = explicit_kernel(network, inputs, inputs, 3)
    one_hot = (y[:, None] == fitted.classes_).astype(float)
    ridge = 0.01 * np.trace(kernel) / len(X)
    dual = np.linalg.solve(kernel + ridge * np.eye(len(X)), one_hot - one_hot.mean(0))
    expected = one_hot.mean(0) + explicit_kernel(network, tests, inputs, 3) @ dual
    np.testing.assert_allclose(fitted.scores(X_test), expected, rtol=0, atol=1e-9)
    assert (fitted.predict(X_test) == fitted.classes_[expected.argmax(1)]).all()


def test_the_ridge_is_that_of_leave_one_out():
    """By fits to all rows but one, in the same kernel."""
    X, y = data()
    ridges = (1e-4, 1e-2, 1.0, 10.0)
    fitted = small(ridge=ridges).fit(X, y)
    inputs = torch.from_numpy((X - X.mean()) / X.std()).unsqueeze(1)
    kernel = explicit_kernel(fitted.network_, inputs, inputs, 3)
    one_hot = (y[:, None] == fitted.classes_).astype(float)
    centred = one_hot - one_hot.mean(0)
    errors = []
    for ridge in ridges:
        scores = np.zeros_like(centred)
        for i in range(len(X)):
            rest = np.arange(len(X)) != i
            regular = kernel[np.ix_(rest, rest)] + ridge * np.trace(kernel) / len(X) * np.eye(len(X) - 1)
            scores[i] = kernel[i, rest] @ np.linalg.solve(regular, centred[rest])
        wrong = (scores + one_hot.mean(0)).argmax(1) != one_hot.argmax(1)
        errors.append((wrong.mean(), np.square(scores - centred).mean()))
    best = min(range(4), key=errors.__getitem__)
    assert fitted.fit_report_.hyperparameters["ridge"] == pytest.approx(ridges[best])
    assert fitted.fit_report_.health["loo_error"] == pytest.approx(errors[best][0])


@pytest.mark.parametrize("state", [lambda: 3, lambda: np.random.RandomState(3)], ids=["int", "RandomState"])
def test_it_is_the_net_that_sgd_starts_from_with_the_statistics_of_the_training_set(state):
    X, y = data()
    starts = []
    trained = ConvResNetClassifier(shape=(1, 12), width=2, random_state=state(), steps=1, learning_rate=0.1)
    trained.set_params(weight_decay=0.0, dtype="float64")
    trained.fit(X, y, after_stage=lambda number, one: starts.append(one))
    network = small(random_state=state()).fit(X, y).network_
    for p, q in zip(network.parameters(), starts[0].network_.parameters(), strict=True):
        assert torch.equal(p, q)
    inputs = torch.from_numpy((X - X.mean()) / X.std()).unsqueeze(1)
    first, norm = network.stem(inputs.unsqueeze(2)).detach().squeeze(2), network.blocks[0].norm1
    np.testing.assert_allclose(norm.running_mean.numpy(), first.mean((0, 2)).numpy(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(norm.running_var.numpy(), first.var((0, 2)).numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"depth": 10}, r"^depth = 10: allowed are 6 m \+ 2 from 8 to 110"),
        ({"shape": (1, 5)}, r"^shape = \(1, 5\): allowed are shapes of 12 numbers"),
        ({"ridge": (1.0, 0.0)}, r"^ridge = 0.0: allowed are finite numbers > 0"),
        ({"ridge": ()}, r"^ridge = \(\): allowed are numbers, one or several"),
    ],
)
def test_bad_parameters_are_refused(parameters, says):
    with pytest.raises(ValueError, match=says):
        small(**parameters).fit(*data())


CASES = [
    pytest.param(
        estimator,
        check,
        id="-".join([check.func.__name__, *check.keywords]),
        marks=pytest.mark.slow if check.func is check_classifiers_train and check.keywords else (),
    )
    for estimator, check in estimator_checks_generator(ConvResNetNTKClassifier(width=2, random_state=0))
]


@pytest.mark.parametrize(("estimator", "check"), CASES)
def test_estimator_checks(estimator, check):
    check(estimator)
