"""The sums of a step of SGD are right where the engine takes them, and a wrong one is noticed and named."""

import numpy as np
import pytest

from hierbench.learners.engines import canary
from hierbench.learners.engines.canary import SHAPES, Shape, Sums
from hierbench.learners.engines.sgd_engine import group_sizes
from hierbench.learners.nets.layerwise import MOST_PRODUCTS, LayerwiseDenseNetRegressor


@pytest.fixture
def fresh_programs():
    """Programs are compiled anew for the test, and forgotten after it."""
    canary.compiled.cache_clear()
    yield
    canary.compiled.cache_clear()


@pytest.mark.parametrize("nets", [1, 4])
@pytest.mark.parametrize(
    ("d", "width", "depth"),
    [
        (8, 24, 2),
        (8, 168, 2),
        (16, 24, 3),
        (16, 1088, 2),
        (32, 48, 4),
        (32, 4096, 2),
        (64, 96, 3),
        (96, 144, 4),
    ],
)
def test_sums_are_right_at_the_shapes_of_the_engine(nets, d, width, depth):
    found = canary.differences(Shape(nets, d, width, depth))
    assert set(found) == set(Sums._fields) and max(found.values()) < canary.TOLERANCE / 5


def test_the_shapes_are_those_of_the_engine():
    [network] = LayerwiseDenseNetRegressor(first_width=4096)._networks(32)
    assert {shape.nets for shape in SHAPES} == set(group_sizes(5, network, canary.BATCH, "cpu")) == {1, 4}
    assert max(shape.width for shape in SHAPES) == MOST_PRODUCTS
    assert Shape(4, 32, 4096, 2).n_parameters == network.n_parameters


def test_the_slopes_are_those_of_the_loss():
    """Central differences of the square loss that NumPy sums, exact to rounding: it is a polynomial."""
    X, y, W, b, a, flat = (array.astype(np.float64) for array in canary.arrays(Shape(2, 8, 24, 2)))
    sums, step = canary.expected(X, y, W, b, a, flat), 1e-4
    for i, j in ((0, 3), (5, 20)):
        move = np.zeros_like(W)
        move[:, i, j] = step
        up, down = (canary.expected(X, y, W + s * move, b, a, flat).square for s in (1, -1))
        np.testing.assert_allclose((up - down) / (2 * step), sums.weights[:, i, j], rtol=1e-6)
        move = np.zeros_like(b)
        move[:, 0, j] = step
        up, down = (canary.expected(X, y, W, b + s * move, a, flat).square for s in (1, -1))
        np.testing.assert_allclose((up - down) / (2 * step), sums.bias[:, j], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "noticed"), [("mean", {"square", "logistic", "nets"}), ("sum", {"bias", "nets"})]
)
def test_a_sum_without_its_last_row_is_noticed(name, noticed, monkeypatch, fresh_programs):
    """As jax 0.10.2 does: what is summed ends too early. Products are left as they are."""
    import jax.numpy as jnp

    whole = getattr(jnp, name)
    monkeypatch.setattr(jnp, name, lambda a, axis=None: whole(a[:-1], axis=axis))
    found = canary.differences(Shape(4, 96, 144, 4))
    # one square of 180 000 is too little for float32
    wrong = {name for name, difference in found.items() if difference > canary.TOLERANCE}
    assert wrong == noticed
    assert canary.wrong_sums() is not None


@pytest.mark.parametrize("value", [1.001, np.nan])
@pytest.mark.parametrize("name", Sums._fields)
def test_a_wrong_sum_of_one_net_is_named(name, value, monkeypatch, fresh_programs):
    import jax

    jit = jax.jit

    def planted(f):
        def g(*arrays):
            found = jit(f)(*arrays)
            spoiled = np.array(getattr(found, name))
            spoiled[(0,) * spoiled.ndim if name == "nets" else (-1, ...)] *= value
            return found._replace(**{name: spoiled})

        return g

    monkeypatch.setattr(jax, "jit", planted)
    assert canary.wrong_sums().startswith(f"{name}: 4 nets, d = 8, width 24, depth 2, off by ")


def test_here_all_sums_are_right():
    assert canary.wrong_sums() is None
