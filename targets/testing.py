"""What every target promises, as checks that a test file of a new family calls.

With ``create(seed)`` the family at some dimension and parameters, a whole test file is::

    import pytest
    from hierbench.targets.testing import CHECKS

    @pytest.mark.parametrize("check", CHECKS)
    def test_mine(check):
        check(lambda seed: Mine(8, seed))

A check raises AssertionError with what went wrong. Those against Monte Carlo use fixed seeds: each
passes or fails for good. A family that draws nothing from its seed leaves out ``check_seed_matters``,
one whose features do not make up the label ``check_features_compose``. On data (``DataTarget``) these two
raise unittest.SkipTest, and the others ask for no more points than there are.
"""

from __future__ import annotations

import functools
import itertools
import json
import math
import pickle
import unittest
from collections.abc import Callable
from typing import Any

import numpy as np

from hierbench.targets.base import Certificate, Target
from hierbench.targets.certificates.stability import gegenbauer
from hierbench.targets.data.data_target import DataTarget

Create = Callable[[int], Target]
"""From a seed to a target."""

SEED = 5
ROWS = 17_000
SAMPLES = 2**17
SIGMAS = 4.0
BOUNDED = ("cube", "sphere", "hypercube", "random-hierarchy")
"""Laws of inputs under which sampled fourth moments have an honest standard error."""


def check_samples(create: Create) -> None:
    """Check that samples are float64 of shapes (n, d) and (n,), finite."""
    target = create(SEED)
    for draw, kind in ((target.sample, "n_train"), (target.sample_test, "n_test")):
        n = _points(target, kind, 100)
        X, y = draw(n, _rng())
        assert X.shape == (n, target.d) and y.shape == (n,), f"shapes {X.shape} and {y.shape}"
        assert X.dtype == y.dtype == np.float64, f"dtypes {X.dtype} and {y.dtype}"
        assert np.isfinite(X).all() and np.isfinite(y).all(), "a sample is not finite"
        assert not target.classes or set(y) <= set(target.classes), "a label is none of the classes"
    if not _is_function(target):
        return
    before = X.copy()
    target.evaluate(X)
    np.testing.assert_array_equal(X, before, "evaluate changed its argument")
    assert target.evaluate(X[:0]).shape == (0,)
    assert_refused(lambda: target.evaluate(X[:, :-1]), f"(n, {target.d})")


def check_importance(create: Create) -> None:
    """Check that weighted samples have the moments of plain ones."""
    target = create(SEED)
    n = _points(target, "n_test", 2**14)
    X, y, weights = target.importance_sample(n, _rng(2))
    assert X.shape == (len(y), target.d) and weights.shape == y.shape
    assert (weights > 0).all() and np.isfinite(weights).all()
    plain_X, plain_y = target.sample_test(n, _rng(3))
    for weighted, plain, what in (
        (weights, np.ones(len(y)), "total weight"),
        (weights * y, plain_y, "mean label"),
        (weights * y * y, plain_y * plain_y, "mean squared label"),
        (weights[:, None] * X * X, plain_X * plain_X, "mean squared input"),
    ):
        scatter = np.hypot(weighted.std(axis=0), plain.std(axis=0)) / math.sqrt(len(y))
        far = np.abs(weighted.mean(axis=0) - plain.mean(axis=0)) > 5.0 * scatter + 1e-12
        assert not far.any(), f"{what}: weighted samples have another than the law"


def check_nested(create: Create) -> None:
    """Check that the first m rows of a longer sample are the sample of length m, to the bit."""
    target, again = create(SEED), create(SEED)
    for kind in ("sample", "sample_test", "importance_sample"):
        rows = _points(target, "n_train" if kind == "sample" else "n_test", ROWS)
        whole = getattr(target, kind)(rows, _rng())
        for m in (m for m in (1, 100, 2048, 2049, 16_385) if m <= rows):
            for part, head in zip(whole, getattr(again, kind)(m, _rng()), strict=True):
                np.testing.assert_array_equal(head, part[:m], f"{kind} of {m} rows")


def check_determined(create: Create) -> None:
    """Check that equal fields make equal targets, before and after use and through pickle."""
    target, fresh = create(SEED), pickle.loads(pickle.dumps(create(SEED)))
    assert fresh == target
    X, y = target.sample_test(_points(target, "n_test", 200), _rng())
    assert pickle.loads(pickle.dumps(target)) == target, "using a target changed it"
    np.testing.assert_array_equal(fresh.sample_test(len(X), _rng())[1], y)
    if _is_function(target):
        np.testing.assert_array_equal(fresh.evaluate(X), target.evaluate(X))


def check_test_labels(create: Create) -> None:
    """Check that test labels are the noise-free ones, of the inputs that ``sample_inputs`` draws.

    Of data that they are those of the inputs they come with; ``sample_inputs`` draws those of ``sample``.
    """
    target = create(SEED)
    n = _points(target, "n_test", 3000)
    X, y = target.sample_test(n, _rng(1))
    weighted_X, weighted_y, _ = target.importance_sample(n, _rng(1))
    if _is_function(target):
        np.testing.assert_array_equal(target.evaluate(X), y)
        np.testing.assert_array_equal(target.evaluate(weighted_X), weighted_y)
    if isinstance(target, DataTarget):
        X = target.sample(_points(target, "n_train", 100), _rng(1))[0]
    np.testing.assert_array_equal(target.sample_inputs(min(len(X), 100), _rng(1)), X[:100])


def check_seed_matters(create: Create) -> None:
    """Check that another seed draws another function."""
    _skip_data(create, "nothing is drawn from the seed")
    X = create(SEED).sample_inputs(200, _rng())
    difference = np.abs(create(SEED + 1).evaluate(X) - create(SEED).evaluate(X)).max()
    assert difference > 1e-3, f"labels of two seeds differ by {difference:.2g} at most"


def check_seeds_refused(create: Create) -> None:
    """Check that a seed is a non-negative integer, and others are refused in one line."""
    unsound: tuple[Any, ...] = (-1, 0.5, None)
    for seed in unsound:
        assert_refused(functools.partial(create, seed), "seed")


def check_features(create: Create) -> None:
    """Check that hidden features are float64 of shape (n, k_l), row by row, and none for no rows."""
    target = create(SEED)
    X = target.sample_inputs(_points(target, "n_train", 3000), _rng())
    features = target.hidden_features(X)
    for level, (s, head, none) in enumerate(
        zip(features, target.hidden_features(X[:100]), target.hidden_features(X[:0]), strict=True), start=1
    ):
        assert s.ndim == 2 and len(s) == len(X) and s.dtype == np.float64, f"level {level}"
        assert np.isfinite(s).all(), f"level {level} is not finite"
        np.testing.assert_allclose(head, s[:100], rtol=1e-12, atol=1e-12, err_msg=f"level {level}")
        assert none.shape == (0, s.shape[1]), f"level {level} of no rows"


def check_features_compose(create: Create) -> None:
    """Check that the label is a polynomial of the hidden features.

    Of the features of several levels without products between them, up to their squares (a level of
    the quadratic class enters as squares, and the top of other hierarchies is the label); of those of
    a single level up to the target's degree. Checked by least squares without a remainder.
    """
    _skip_data(create, "no hidden features are known")
    target = create(SEED)
    X = target.sample_inputs(3000, _rng())
    features = [_scaled(s) for s in target.hidden_features(X)]
    columns = [np.ones(len(X))]
    for s in features:
        for degree in range(1, (target.degree if len(features) == 1 else 2) + 1):
            if len(features) == 1:
                chosen = itertools.combinations_with_replacement(range(s.shape[1]), degree)
                columns += [s[:, list(c)].prod(axis=1) for c in chosen]
            else:
                columns += list((s**degree).T)
    design, y = _scaled(np.stack(columns, axis=1)), target.evaluate(X)
    rest = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    share = float(np.mean(rest**2) / np.mean(y**2))
    assert share < 1e-12, f"features leave a share of {share:.2g} of the label unexplained"


def check_certificate(create: Create) -> None:
    """Check that the certificate is consistent in itself and with the target, and survives JSON."""
    target = create(SEED)
    certificate = target.certificate()
    assert Certificate.from_json(json.loads(json.dumps(certificate.to_json()))) == certificate
    assert certificate.degree == target.degree and certificate.classes == target.classes
    known = not isinstance(target, DataTarget)
    assert (certificate.n_parameters > 0) is known and certificate.method in ("exact", "monte-carlo")
    if certificate.degree_share:
        shares = {p: e.value for p, e in certificate.degree_share.items()}
        error = math.hypot(*(e.stderr for e in certificate.degree_share.values()))
        total = math.fsum(shares.values())
        assert abs(total - 1.0) < 1e-9 + SIGMAS * error, f"shares by degree sum to {total}"
        floors = [floor for _, floor in certificate.kernel_floor(target.d)]
        assert error or floors == sorted(floors, reverse=True), f"kernel floors rise: {floors}"


def check_degree(create: Create) -> None:
    """Check that variance reaches up to the declared degree, where the shares are known exactly."""
    certificate = create(SEED).certificate()
    if certificate.degree_share and all(e.exact for e in certificate.degree_share.values()):
        top = max(p for p, e in certificate.degree_share.items() if e.value > 1e-9)
        assert top == certificate.degree, f"degree {certificate.degree} with variance up to degree {top}"


def check_moments(create: Create) -> None:
    """Check mean and variance of fresh labels against the certificate, and on bounded inputs the kurtosis."""
    target = create(SEED)
    certificate = target.certificate()
    if not target.classes:
        assert abs(certificate.mean.value) < 1e-9 + SIGMAS * certificate.mean.stderr
        assert abs(certificate.variance.value - 1.0) < 1e-9 + SIGMAS * certificate.variance.stderr
    y = target.sample_test(_points(target, "n_test", SAMPLES), _rng(2))[1] - certificate.mean.value
    variance, fourth = certificate.variance, certificate.kurtosis
    _agrees("mean", y, 0.0, certificate.mean.stderr)
    # The certificate's own fourth moment: few sampled points carry it where labels have long tails.
    spread = math.sqrt(max(fourth.value * variance.value**2 - variance.value**2, 0.0))
    _agrees("variance", y**2, variance.value, variance.stderr, spread)
    if certificate.inputs.partition(":")[0] in BOUNDED:
        truth, error = fourth.value * variance.value**2, fourth.stderr * variance.value**2
        _agrees("fourth moment", y**4, truth, error)


def check_shares(create: Create) -> None:
    """Check shares of variance by degree by noise stability: E y(x) y(x_t) = sum_p share_p P_p(t).

    On Gaussian inputs to degree 4 (past that single points carry the mean), the sphere and the
    hypercube (O'Donnell, Analysis of Boolean Functions, ch. 2 and 11).
    """
    target = create(SEED)
    certificate, law = target.certificate(), target.certificate().inputs.partition(":")[0]
    shares = certificate.degree_share
    if target.classes or not shares or law not in ("gaussian", "sphere", "hypercube"):
        return
    if law == "gaussian" and max(shares) > 4:
        return
    rng, d = _rng(3), target.d
    X = target.sample_inputs(SAMPLES, rng)
    other, y = target.sample_inputs(SAMPLES, rng), target.evaluate(X)
    for t in (0.3, 0.6, 0.9):
        P = t ** np.arange(max(shares) + 1)
        if law == "gaussian":
            moved = t * X + math.sqrt(1 - t**2) * other
        elif law == "hypercube":
            moved = np.where(rng.random(X.shape) < t, X, other)
        else:
            across = other - (other * X).sum(axis=1, keepdims=True) / d * X
            across *= math.sqrt(d) / np.linalg.norm(across, axis=1, keepdims=True)
            moved, P = t * X + math.sqrt(1 - t**2) * across, gegenbauer(np.array([t]), max(shares), d)[0]
        truth = math.fsum(e.value * P[p] for p, e in shares.items())
        error = math.hypot(*(e.stderr * P[p] for p, e in shares.items()))
        _agrees(f"noise stability at t = {t}", y * target.evaluate(moved), truth, error)


CHECKS = (
    check_samples,
    check_importance,
    check_nested,
    check_determined,
    check_test_labels,
    check_seed_matters,
    check_seeds_refused,
    check_features,
    check_features_compose,
    check_certificate,
    check_degree,
    check_moments,
    check_shares,
)
"""Each a function of ``create``."""


def assert_refused(build: Callable[[], object], says: str) -> None:
    """Assert that ``build`` raises a ValueError of one line with ``says`` in it.

    Parameters
    ----------
    build : callable
        Without arguments.
    says : str
        A literal part of the message.
    """
    try:
        build()
    except ValueError as error:
        message = str(error)
    else:
        raise AssertionError(f"not refused; expected a ValueError that says {says!r}")
    assert "\n" not in message, f"more than one line: {message}"
    assert says in message, f"{message!r} does not say {says!r}"


def _points(target: Target, kind: str, n: int) -> int:
    """``n``, or as many points as data have to train on (``n_train``) or for tests (``n_test``)."""
    most = getattr(target, kind) if isinstance(target, DataTarget) else None
    return n if most is None else min(n, most)


def _is_function(target: Target) -> bool:
    """Whether labels are a function of the inputs that can be evaluated: not of generated points."""
    return not isinstance(target, DataTarget) or target.data is not None


def _skip_data(create: Create, reason: str) -> None:
    if isinstance(create(SEED), DataTarget):
        raise unittest.SkipTest(f"data: {reason}")


def _scaled(columns: np.ndarray) -> np.ndarray:
    """Columns of mean square 1, but for those that are zero."""
    sizes = np.sqrt(np.mean(columns**2, axis=0))
    return np.asarray(columns / np.where(sizes > 0, sizes, 1.0))


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def _agrees(what: str, values: np.ndarray, truth: float, stderr: float, spread: float | None = None) -> None:
    """Mean of ``values`` within ``SIGMAS`` standard errors of ``truth``."""
    sampled = float(np.std(values)) if spread is None else spread
    error = math.hypot(sampled / math.sqrt(len(values)), stderr)
    mean = float(np.mean(values))
    assert abs(mean - truth) <= SIGMAS * error + 1e-9, (
        f"{what}: {mean:.5g} sampled, {truth:.5g} certified, standard error {error:.2g}"
    )
