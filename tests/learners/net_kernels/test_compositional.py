"""NNGP, NTK beyond ReLU, the DenseNet's NTK and compositional kernels, against independent twins."""

import math

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from sklearn.base import clone

from hierbench.learners.base import Curve
from hierbench.learners.engines.network import DenseNetwork
from hierbench.learners.net_kernels.compositional import CompositionalKernel, CompositionalKernelRegressor
from hierbench.learners.net_kernels.dual_activations import COSINE_DUALS, DUALS
from hierbench.learners.net_kernels.infinite_width import DenseKernel, DenseNetKernel
from hierbench.learners.net_kernels.nngp import NNGPRegressor
from hierbench.learners.net_kernels.ntk import NeuralTangentKernel
from hierbench.learners.net_kernels.ntk_dual import DenseNetNTKRegressor, DualNTKRegressor

LEARNERS = [
    NNGPRegressor(),
    DualNTKRegressor("erf"),
    DualNTKRegressor("quadratic"),
    DenseNetNTKRegressor(),
    CompositionalKernelRegressor(),
]
FUNCTIONS = {
    "relu": lambda z: math.sqrt(2) * np.maximum(z, 0),
    "erf": lambda z: torch.erf(torch.from_numpy(z)).numpy() / math.sqrt(math.asin(2 / 3) * 2 / math.pi),
    "quadratic": lambda z: z**2 / math.sqrt(3),
    "centred_square": lambda z: (z**2 - 1) / math.sqrt(2),
    "quartic": lambda z: z**4 / math.sqrt(105),
    "exponential": lambda z: np.exp(z - 1),
}


def gram(kernel, shape, A, B=None):
    out = torch.empty((len(A), len(A if B is None else B)), dtype=torch.float64)
    kernel.gram(torch.from_numpy(A), None if B is None else torch.from_numpy(B), shape, out)
    return out.numpy()


def gaussian_pair_nodes(s, a, b, nodes=80):
    """Gauss-Hermite nodes and weights of (u, v) ~ N(0, [[a, s], [s, b]])."""
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    w = w / w.sum()
    first, second = np.meshgrid(x, x, indexing="ij")
    u = math.sqrt(a) * first
    v = s / math.sqrt(a) * first + math.sqrt(b - s * s / a) * second
    return u, v, np.outer(w, w)


@pytest.mark.parametrize("name", ["erf", "quadratic", "centred_square"])
def test_duals_of_smooth_activations_are_gaussian_integrals(name):
    for s, a, b in ((0.3, 1.0, 1.0), (-0.6, 0.8, 1.7), (1.1, 1.3, 1.2)):
        u, v, w = gaussian_pair_nodes(s, a, b)
        tensors = [torch.tensor(q, dtype=torch.float64) for q in (s, a, b)]
        value, slope = (float(q) for q in DUALS[name](*tensors))
        phi = FUNCTIONS[name]
        assert value == pytest.approx((w * phi(u) * phi(v)).sum(), abs=1e-8)
        h = 1e-5
        up, down = (float(DUALS[name](tensors[0] + e, *tensors[1:])[0]) for e in (h, -h))
        assert slope == pytest.approx((up - down) / (2 * h), abs=1e-8)


@pytest.mark.parametrize("name", COSINE_DUALS)
def test_cosine_duals_are_those_of_their_activations(name):
    rng = np.random.default_rng(0)
    for c in (-0.7, 0.2, 0.9):
        found = float(COSINE_DUALS[name](torch.tensor(c, dtype=torch.float64)))
        if name == "relu":  # not smooth: no quadrature, but an arc-cosine kernel of Cho & Saul
            angle = math.acos(c)
            assert found == pytest.approx((math.sin(angle) + (math.pi - angle) * c) / math.pi, abs=1e-12)
        else:
            u, v, w = gaussian_pair_nodes(c, 1.0, 1.0)
            assert found == pytest.approx((w * FUNCTIONS[name](u) * FUNCTIONS[name](v)).sum(), abs=1e-8)
        assert float(COSINE_DUALS[name](torch.ones((), dtype=torch.float64))) == pytest.approx(1, abs=1e-15)
    # One random layer, within four standard errors.
    A = rng.standard_normal((4, 5))
    A *= math.sqrt(5) / np.linalg.norm(A, axis=1, keepdims=True)
    features = FUNCTIONS[name](A @ rng.standard_normal((5, 200_000)) / math.sqrt(5))
    products = features[:, None] * features[None]
    expected = gram(CompositionalKernel((name,), 0.0), (1.0, 0.0, 1.0, 0.0), A)
    error = products.std(2) / math.sqrt(products.shape[2])
    assert np.all(np.abs(products.mean(2) - expected) < 4.5 * error)


def neural_tangents_kernels(activation, depth, bias, A, B):
    import jax

    from hierbench.learners.net_kernels.neural_tangents_compat import load

    stax = load().stax
    norm = 1 / math.sqrt(1 + bias**2)
    layers = [stax.Dense(1, W_std=norm, b_std=bias * norm)]
    for _ in range(depth):
        if activation == "relu":
            phi, gain = stax.Relu(), math.sqrt(2)
        elif activation == "erf":
            phi, gain = stax.Erf(), 1 / math.sqrt(math.asin(2 / 3) * 2 / math.pi)
        else:
            phi, gain = stax.Monomial(2), 1 / math.sqrt(3)
        layers += [phi, stax.Dense(1, W_std=gain * norm, b_std=bias * norm)]
    with jax.enable_x64(True):
        found = stax.serial(*layers)[2](A, B, ("nngp", "ntk"))
    return np.asarray(found.nngp), np.asarray(found.ntk)


@pytest.mark.parametrize("activation", ["relu", "erf", "quadratic"])
@pytest.mark.parametrize("depth", [1, 3])
def test_dense_kernels_are_those_of_neural_tangents(activation, depth):
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((30, 6)), rng.standard_normal((20, 6))
    for bias in (0.0, 0.5):
        both = neural_tangents_kernels(activation, depth, bias, A, B)
        unit = neural_tangents_kernels(activation, depth, bias, np.ones((1, 6)), np.eye(6)[:1] * math.sqrt(6))
        assert all(np.isfinite(u).all() for u in unit)
        for tangent, expected in zip((False, True), both, strict=True):
            kernel = DenseKernel((activation,), tangent, 0.2)
            # All our kernels are 1 where |x|^2 = d, NNGP by construction and NTK by its own scale.
            scale = float(kernel.block(*[torch.ones((1, 1), dtype=torch.float64)] * 3, (depth, bias)))
            assert tangent or scale == pytest.approx(1.0, abs=1e-14)
            np.testing.assert_allclose(
                gram(kernel, (depth, bias), A, B), expected / scale + 0.2, rtol=1e-8, atol=1e-8
            )


def test_relu_is_the_registered_ntk():
    X = np.random.default_rng(0).standard_normal((40, 5))
    ours = gram(DenseKernel(("relu",), True, 0.0), (3.0, 0.0), X)
    np.testing.assert_allclose(ours, gram(NeuralTangentKernel(0.0), (3.0, 0.0), X), rtol=1e-7, atol=1e-8)


def densenet_scales(network, bias, share):
    """What standard normal entries are multiplied by in ``DenseNetKernel``, one for each parameter."""
    norm, d, width = 1 / math.sqrt(1 + bias**2), network.d, network.width
    found = []
    for level in range(1, network.depth + 1):
        found.append(norm * math.sqrt((1.0 if level == 1 else share) / d))
        found += [norm * math.sqrt((1 - share) / (level - 1) / width) for _ in range(1, level)]
        found.append(norm * bias)
    found += [1 / math.sqrt(d)] + [1 / math.sqrt(width)] * network.depth + [1.0]
    sizes = [math.prod(shape) for shape in network.shapes()]
    return torch.repeat_interleave(torch.tensor(found, dtype=torch.float64), torch.tensor(sizes))


def empirical_tangent_kernels(network, scales, X, nets, rng):
    """Tangent kernels of random nets, (nets, n, n), by the pass that training uses, point by point."""
    flat = scales * torch.from_numpy(rng.standard_normal((nets, network.n_parameters)))
    flat.requires_grad_()
    out = network.forward(network.parts(flat), X.expand(nets, *X.shape)).output[..., 0]
    gradients = [torch.autograd.grad(out[:, i].sum(), flat, retain_graph=True)[0] for i in range(len(X))]
    tangents = torch.stack(gradients, dim=1) * scales
    return (tangents @ tangents.mT).numpy()


@pytest.mark.parametrize(
    ("depth", "width", "nets"),
    [
        (1, 16, 8000),
        pytest.param(2, 16, 8000, marks=pytest.mark.slow),
        pytest.param(3, 32, 2000, marks=pytest.mark.slow),
    ],
)
def test_the_densenets_that_train_approach_the_densenet_kernel(depth, width, nets):
    """The mean over nets is off by O(1 / width): it shrinks, and extrapolated is within its error."""
    bias, share, d = 1.0, 0.5, 4  # with less of either the tails are too heavy for so few nets
    X = torch.from_numpy(np.random.default_rng(3).standard_normal((4, d)) * 0.6)
    kernel, shape = DenseNetKernel(0.0), (float(depth), bias, share)
    scale = float(kernel.block(*[torch.ones((1, 1), dtype=torch.float64)] * 3, shape))
    expected = gram(kernel, shape, X.numpy()) * scale
    means, errors = [], []
    for m in (width, 2 * width):
        network, rng = DenseNetwork(d=d, depth=depth, width=m), np.random.default_rng(m)
        scales = densenet_scales(network, bias, share)
        draws = [empirical_tangent_kernels(network, scales, X, 50, rng) for _ in range(nets // 50)]
        sample = np.concatenate(draws)
        means.append(sample.mean(0))
        errors.append(sample.std(0, ddof=1) / math.sqrt(nets))
    size = np.abs(expected).max()
    error = np.hypot(2 * errors[1], errors[0])
    assert error.max() < 0.03 * size
    assert np.all(np.abs(2 * means[1] - means[0] - expected) < 4.5 * error)
    if depth > 1:  # a single level has no bias
        near, far = (np.abs(mean - expected).max() for mean in reversed(means))
        assert near < 0.75 * far


@hypothesis.given(
    seed=st.integers(0, 2**32 - 1),
    d=st.integers(1, 6),
    depth=st.integers(1, 5),
    bias=st.floats(0, 3),
    share=st.floats(0, 1),
    gamma=st.floats(0, 4),
)
@hypothesis.settings(max_examples=20, deadline=None)
def test_kernels_are_positive_semidefinite(seed, d, depth, bias, share, gamma):
    X = np.random.default_rng(seed).standard_normal((25, d))
    X[-1] = X[0]  # a point twice
    kernels = [(DenseNetKernel(0.0), (min(depth, 3), bias, share))]
    for activation in ("relu", "erf", "quadratic"):
        kernels += [(DenseKernel((activation,), tangent, 0.0), (depth, bias)) for tangent in (False, True)]
    for activation in COSINE_DUALS:
        kernels.append((CompositionalKernel((activation,), 0.0), (depth, bias, gamma, 0.0)))
    for kernel, shape in kernels:
        K = gram(kernel, shape, X)
        # Off the diagonal the arc cosine of 1 keeps half of the digits.
        np.testing.assert_allclose(K, K.T, rtol=0, atol=1e-7 * np.abs(K).max())
        assert np.linalg.eigvalsh(K)[0] > -1e-8 * np.trace(K), (kernel, shape)


def perceptron_output(parameters, x, phi, depth, width, bias):
    """A finite net in the parametrisation of ``DenseKernel``, one point; its features come second."""
    parts = iter(parameters)
    norm, h, fan_in = 1 / math.sqrt(1 + bias**2), x, len(x)
    for _ in range(depth):
        h = phi(norm * (h @ next(parts) / math.sqrt(fan_in) + bias * next(parts)))
        fan_in = width
    return norm * (h @ next(parts) / math.sqrt(fan_in) + bias * next(parts)), h


@pytest.mark.slow
@pytest.mark.parametrize(
    ("activation", "phi"),
    [
        ("relu", lambda z: math.sqrt(2) * torch.relu(z)),
        ("erf", lambda z: torch.erf(z) / math.sqrt(math.asin(2 / 3) * 2 / math.pi)),
        ("quadratic", lambda z: z**2 / math.sqrt(3)),
    ],
)
def test_finite_nets_approach_the_dense_kernels(activation, phi):
    """NNGP from the features and NTK from Jacobians of random nets: the gap closes as they widen."""
    depth, bias, d, nets = 2, 0.5, 4, 200
    X = torch.from_numpy(np.random.default_rng(3).standard_normal((4, d)) * 0.8)
    kernels = [DenseKernel((activation,), tangent, 0.0) for tangent in (False, True)]
    expected = []
    for kernel in kernels:
        scale = float(kernel.block(*[torch.ones((1, 1), dtype=torch.float64)] * 3, (depth, bias)))
        expected.append(gram(kernel, (depth, bias), X.numpy()) * scale)
    gaps = {}
    for width in (16, 256):
        shapes = [(d, width), (width,), (width, width), (width,), (width,), ()]
        draws = []
        for seed in range(nets):
            generator = torch.Generator().manual_seed(seed)
            parameters = tuple(torch.randn(s, dtype=torch.float64, generator=generator) for s in shapes)

            def output(p, x, width=width):
                return perceptron_output(p, x, phi, depth, width, bias)

            jacobian, h = torch.func.vmap(torch.func.grad(output, has_aux=True), (None, 0))(parameters, X)
            flat = torch.cat([j.reshape(len(X), -1) for j in jacobian], dim=1)
            nngp = (h @ h.T / width + bias**2) / (1 + bias**2)
            draws.append((nngp.numpy(), (flat @ flat.T).numpy()))
        for k, name in enumerate(("nngp", "ntk")):
            sample = np.stack([draw[k] for draw in draws])
            gap = np.abs(sample.mean(0) - expected[k])
            gaps[name, width] = float(np.linalg.norm(sample - expected[k], axis=(1, 2)).mean())
            error = sample.std(0, ddof=1) / math.sqrt(nets)
            # the mean over nets of finite width is off by O(1 / width)
            assert np.all(gap < 4.5 * error + 6 / width * np.abs(expected[k]).max()), (name, width)
    for name in ("nngp", "ntk"):
        assert gaps[name, 256] < 0.4 * gaps[name, 16]


def test_densenet_of_depth_one_is_a_two_layer_kernel():
    """1 + s + dual + dual' s, by hand."""
    A = np.random.default_rng(0).standard_normal((10, 4))
    s, q = A @ A.T / 4, np.square(A).mean(1)
    dual = np.outer(q - 1, q - 1) / 2 + s**2
    expected = (1 + s + dual + 2 * s * s) / 5
    np.testing.assert_allclose(gram(DenseNetKernel(0.0), (1.0, 0.0, 0.5), A), expected, rtol=1e-12)


@pytest.mark.slow  # the contract has fewer rows
@pytest.mark.parametrize("estimator", LEARNERS, ids=lambda e: type(e).__name__)
def test_curves_are_fits_size_by_size(estimator):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 4))
    y = X[:, 0] * X[:, 1] + 0.1 * rng.standard_normal(400)
    [curve] = clone(estimator).fit_curves([Curve(X, y, (30, 300), 0)])
    for n, fast, predicted in zip((30, 300), curve.estimators, curve.predict(X[300:]), strict=True):
        slow = clone(estimator).fit(X[:n], y[:n])
        assert slow.hyperparameters_ == fast.hyperparameters_
        rounding = 10 * np.finfo(float).eps * 10 ** slow.fit_report_.health["log10_condition"]
        np.testing.assert_allclose(slow.predict(X[300:]), predicted, rtol=0, atol=max(1e-8, rounding))
    assert np.mean((predicted - y[300:]) ** 2) < 0.1 * np.var(y[300:])


@pytest.mark.parametrize(
    "estimator",
    [
        NNGPRegressor("tanh"),
        NNGPRegressor(depth=0),
        DualNTKRegressor("cosine"),
        DualNTKRegressor(bias=-1.0),
        DenseNetNTKRegressor(share=1.5),
        DenseNetNTKRegressor(intercept=-1.0),
        CompositionalKernelRegressor("cubic"),
        CompositionalKernelRegressor(homogeneity=-1.0),
    ],
)
def test_bad_parameters_say_what_is_allowed(estimator):
    X = np.random.default_rng(0).standard_normal((20, 3))
    with pytest.raises(ValueError, match="allowed are"):
        estimator.fit(X, X[:, 0])
