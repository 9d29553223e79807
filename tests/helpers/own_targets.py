"""Targets as a researcher may write them: one that is right, the others each wrong in a way of its own."""

from __future__ import annotations

import dataclasses

import numpy as np

from hierbench.targets import Certificate, Estimate, Target

CERTIFIED_DEGREE = 2


@dataclasses.dataclass(frozen=True)
class Own(Target):
    """y = x_1 x_2."""

    d: int
    seed: int

    @property
    def degree(self):
        return 2

    def sample_inputs(self, n, rng):
        return rng.standard_normal((n, self.d))

    def evaluate(self, X):
        return X[:, 0] * X[:, 1]

    def hidden_features(self, X):
        return [X[:, :2]]

    def certificate(self):
        nothing = {"level_share": {}, "level_covariance": (), "contamination": {}, "condition_numbers": {}}
        moments = {"mean": Estimate(0.0), "variance": Estimate(1.0), "kurtosis": Estimate(9.0)}
        share = {2: Estimate(1.0)}
        return Certificate(CERTIFIED_DEGREE, 3, "exact", **moments, degree_share=share, **nothing)


def _product(X):
    return X[:, 0] * X[:, 1]


@dataclasses.dataclass(frozen=True)
class DegreeField(Own):
    degree: int = 2


class SamplesForTests(Own):
    def sample_test(self, n, rng):
        return self.sample(n, rng)


class LongTails(Own):
    """Of a sample the mean square is 0.004, as that of a product of 20 Gaussians."""

    def evaluate(self, X):
        return 0.06 * X.prod(axis=1)


class Rare(Own):
    """Labels of one point in a thousand are others."""

    def evaluate(self, X):
        return np.where(X[:, 0] > 3.09, 31.6, -0.0316)


@dataclasses.dataclass(frozen=True)
class Scaled(Own):
    """Finds its scale by drawing from what it is without."""

    def __post_init__(self):
        y = self.sample(4096, np.random.default_rng(self.seed))[1]
        object.__setattr__(self, "scale", self._final(y.std()))

    def _final(self, spread):
        return 1.0 / spread

    def evaluate(self, X):
        return self.__dict__.get("scale", 1.0) * 1e6 * _product(X)


@dataclasses.dataclass(frozen=True)
class ScaledToNothing(Scaled):
    def _final(self, spread):
        return 0.0


class SingleClasses(Own):
    classes = (0.1, 0.9)

    def evaluate(self, X):
        return np.where(X[:, 0] > 0, 0.9, 0.1).astype(np.float32)


class NumpyDegree(Own):
    degree = np.int64(2)


class Listed(Own):
    def evaluate(self, X):
        return list(_product(X))


class Float32(Own):
    def sample_inputs(self, n, rng):
        return super().sample_inputs(n, rng).astype(np.float32)

    def evaluate(self, X):
        return _product(X).astype(np.float32)


class BigEndian(Own):
    def sample_inputs(self, n, rng):
        return super().sample_inputs(n, rng).astype(">f8")


class Whole(Own):
    def evaluate(self, X):
        return np.sign(X[:, 0]).astype(int)


class Column(Own):
    def evaluate(self, X):
        return _product(X)[:, None]


class Short(Own):
    def evaluate(self, X):
        return _product(X)[:-1]


class WideX(Own):
    def sample_inputs(self, n, rng):
        return rng.standard_normal((n, self.d + 1))


class Objects(Own):
    def evaluate(self, X):
        return _product(X).astype(object)


class Masked(Own):
    def evaluate(self, X):
        return np.ma.masked_less(_product(X), 0.0)


class NanLabels(Own):
    def evaluate(self, X):
        return np.where(X[:, 0] > 0, _product(X), np.nan)


class NanInputs(Own):
    def sample_inputs(self, n, rng):
        X = super().sample_inputs(n, rng)
        X[0] = np.nan
        return X


class Constant(Own):
    def evaluate(self, X):
        return np.ones(len(X))


class Zero(Own):
    def evaluate(self, X):
        return np.zeros(len(X))


class Large(Own):
    def evaluate(self, X):
        return 1e6 * _product(X)


class Erases(Own):
    def evaluate(self, X):
        y = _product(X)
        X[:] = 0.0
        return y


class Noisy(Own):
    """Of the labels for tests too."""

    def sample_test(self, n, rng):
        X, y = super().sample_test(n, rng)
        return X, y + rng.standard_normal(n)


class OtherLabels(Own):
    @property
    def classes(self):
        return (-1.0, 1.0)

    def evaluate(self, X):
        return np.round(X[:, 0])


class OnePart(Own):
    def sample(self, n, rng):
        return self.sample_inputs(n, rng)


class ThreeParts(Own):
    def sample(self, n, rng):
        return self.importance_sample(n, rng)


class Weighted(Own):
    def importance_sample(self, n, rng):
        X, y = self.sample_test(n, rng)
        return X, y, -np.ones(n)


class TextDegree(Own):
    degree = "two"


class FloatDegree(Own):
    degree = 2.0


class NegativeDegree(Own):
    degree = -1


class RaisingDegree(Own):
    @property
    def degree(self):
        raise RuntimeError("no\ndegree")


class Falling(Own):
    classes = (1.0, -1.0)


class OneClass(Own):
    classes = (1.0,)


class TextClasses(Own):
    classes = "ab"


class Undecided(Own):
    nominal = "no"


class Sized(Own):
    size = 3


@dataclasses.dataclass(frozen=True)
class Elsewhere(Own):
    def __post_init__(self):
        object.__setattr__(self, "d", 5)


class NoTarget:
    def __init__(self, d, seed):
        self.d = d


class Unfinished(Target):
    def __init__(self, d, seed):
        self.d = d


class Certified(Own):
    """Its certificate may be of another degree."""


@dataclasses.dataclass(frozen=True)
class Chatty(Own):
    def __post_init__(self):
        print("one more target")


NAMES = [name for name, value in vars().items() if isinstance(value, type) and value.__module__ == __name__]
