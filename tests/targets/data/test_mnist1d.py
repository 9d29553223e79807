"""MNIST-1D: the published set to the digit, and fresh signals of the same law."""

import hashlib
import math

import numpy as np
import pytest
from scipy.interpolate import interp1d
from scipy.ndimage import gaussian_filter

from hierbench.targets.data import mnist1d_recipe as recipe
from hierbench.targets.data.mnist1d_recipe import Chances, draw_chances, published, raw_signals, resampled
from hierbench.targets.registry import make_target

PUBLISHED = {
    "pool": "6392d8c987f020c02516f99dc385250c023f4415c9b16ef265eee80ca85e82b5",
    "held_out": "a236f88c1ccf63a2aa51f0d35a744c238e93da6ad4f7b0ae6ce7079434afe1fa",
}
"""SHA-256 of inputs times 100 000, as whole numbers, with the label behind each row: of what the authors'
package mnist1d 0.0.2.post1 makes by ``make_dataset(get_dataset_args())``, which is their mnist1d_data.pkl up
to 2e-16."""


def rng(seed=0):
    return np.random.default_rng(seed)


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array, dtype="<i8").tobytes()).hexdigest()


def one_signal(digit, padding, shift, height, slope, noise):
    """One signal step by step, as section 2 and the appendix of the paper have it."""
    x = recipe._DRAWINGS[digit].astype(float)
    x = (x - x.mean()) / x.std()
    x = (x - x[0]) / 6 + 1e-8
    x = np.concatenate([x, np.zeros(36 + padding)])

    def stretched(signal, points):
        return interp1d(np.linspace(0, 1, len(signal)), signal)(np.linspace(0, 1, points))

    x = stretched(x, 72) * (0.8 + 0.4 * height)
    x = np.roll(x, shift)
    background = gaussian_filter(0.25 * noise[0], 2)
    x = np.array([background[i] if x[i] == 0 else x[i] for i in range(72)]) + 0.02 * noise[1]
    x = x - 0.75 * (slope - 0.5) * np.linspace(-0.5, 0.5, 72)
    return stretched(x, 40)


def test_signals_are_those_of_the_recipe_step_by_step():
    chances = draw_chances(300, np.arange(10), tuple(rng(4).spawn(3)))
    assert (
        len(set(chances.classes)) == 10
        and {0, 24} <= set(chances.padding)
        and set(chances.shift) <= {*range(48)}
    )
    slow = [
        one_signal(*values)
        for values in zip(
            chances.classes, chances.padding, chances.shift, chances.height, chances.slope, chances.noise,
            strict=True,
        )
    ]  # fmt: skip
    np.testing.assert_allclose(raw_signals(chances), slow, atol=1e-12)


def test_interpolation_is_that_of_numpy():
    x = rng().standard_normal((3, 96))
    for points in (40, 72, 96):
        grid = np.linspace(0, 1, points)
        slow = [np.interp(grid, np.linspace(0, 1, 96), row) for row in x]
        np.testing.assert_allclose(resampled(x, points), slow, atol=1e-13)


def test_the_published_set_is_the_published_one():
    data = published()
    assert data.pool.shape == (4000, 40) and data.held_out.shape == (1000, 40)
    for part in ("pool", "held_out"):
        inputs = np.rint(getattr(data, part) * 1e5)
        assert digest(np.column_stack([inputs, getattr(data, f"{part}_classes")])) == PUBLISHED[part], part


def test_the_published_set_begins_as_published():
    """Read from the package, so that a wrong number shows where a digest only says that one is wrong."""
    data = published()
    np.testing.assert_allclose(data.pool[0, :3], [-0.33200567, -0.47191037, -0.77869708], atol=1e-8)
    np.testing.assert_allclose(data.held_out[0, :3], [-0.07877078, -0.21073171, -0.09175138], atol=1e-8)
    assert data.pool_classes[:3].tolist() == [2, 6, 4] and data.held_out_classes[:3].tolist() == [2, 6, 3]
    assert np.bincount(np.concatenate([data.pool_classes, data.held_out_classes])).tolist() == [500] * 10


def test_constants_of_fresh_signals_are_those_of_the_published_ones():
    generator = np.random.RandomState(42)
    classes = np.repeat(np.arange(10), 500)
    columns = zip(*(recipe._as_published(generator) for _ in classes), strict=True)
    padding, height, shift, noise, slope = (np.array(column) for column in columns)
    raw = raw_signals(Chances(classes, (padding * 25).astype(int), shift, height, slope, noise))
    assert raw.mean() == pytest.approx(recipe.PUBLISHED_MEAN, rel=1e-12)
    assert raw.std() == pytest.approx(recipe.PUBLISHED_DEVIATION, rel=1e-12)


def test_fresh_signals_are_of_the_law_of_the_published_ones():
    """Class by class: mean and mean square of each of the 40 numbers."""
    X, y = make_target("mnist1d", 40, 0).sample(20_000, rng(3))
    data = published()
    Z, z = (
        np.concatenate([data.pool, data.held_out]),
        np.concatenate([data.pool_classes, data.held_out_classes]),
    )
    distances = []
    for digit in range(10):
        fresh, old = X[y == digit], Z[z == digit]
        assert len(fresh) == pytest.approx(2000, abs=4 * math.sqrt(1800))
        for power in (1, 2):
            scatter = np.hypot(
                (fresh**power).std(axis=0) / len(fresh) ** 0.5, (old**power).std(axis=0) / 500**0.5
            )
            distances.append(((fresh**power).mean(axis=0) - (old**power).mean(axis=0)) / scatter)
    distances = np.concatenate(distances)
    assert np.abs(distances).max() < 4.8 and distances.std() == pytest.approx(1, abs=0.2)


def test_pairs_draw_the_same_digits_as_parity_from_fewer_classes():
    pair = make_target("mnist1d", 40, 0, labels=[3, 8])
    X, y = pair.sample(500, rng())
    assert set(y) == {-1.0, 1.0}
    kept, classes = pair.generate(500, rng())
    np.testing.assert_array_equal(X, kept)
    np.testing.assert_array_equal(y, np.where(classes == 3, -1.0, 1.0))


def test_logistic_regression_gets_the_published_accuracy():
    """32 % in table 1 of the paper; on the published set, trained on all of it."""
    from sklearn.linear_model import LogisticRegression

    target = make_target("mnist1d", 40, 0, draws="published")
    X, y = target.sample(4000, rng())
    Z, z = target.sample_test(1000, rng())
    assert 0.29 < LogisticRegression(max_iter=1000).fit(X, y).score(Z, z) < 0.35
