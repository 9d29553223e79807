"""``hierbench new-learner`` and ``new-target``: files that work, to be changed, and their tests."""

from __future__ import annotations

import contextlib
import importlib.util
import keyword
import re
import shlex
from pathlib import Path

from hierbench.errors import UserError, refusal

LEARNER = '''"""{name}: say in a line what it computes, and where that is published."""

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data


class {name}(RegressorMixin, BaseEstimator):
    """Least squares on all products of two inputs, with a small ridge.

    Parameters
    ----------
    ridge : float
        Weight of the squared coefficients, per sample.
    """

    def __init__(self, ridge=1e-6):
        self.ridge = ridge

    def fit(self, X, y):
        X, y = validate_data(self, X, y, y_numeric=True, ensure_min_samples=2)
        products = self._products(X)
        gram = products.T @ products + self.ridge * len(y) * np.eye(products.shape[1])
        self.coefficients_ = np.linalg.lstsq(gram, products.T @ y, rcond=None)[0]
        return self

    def predict(self, X):
        check_is_fitted(self)
        return self._products(validate_data(self, X, reset=False)) @ self.coefficients_

    def _products(self, X):
        first, second = np.triu_indices(X.shape[1])
        return np.column_stack([np.ones(len(X)), X, X[:, first] * X[:, second]])
'''

LEARNER_TEST = '''"""What hierbench asks of every learner, of {name}: run with pytest."""

from {module} import {name}

from hierbench.learners.testing import LearnerContract


class Test{name}(LearnerContract):
    def create(self):
        return {name}()
'''


TARGET = '''"""{name}: say in a line what is to be learned, and where it is published."""

from __future__ import annotations

import dataclasses

import numpy as np

from hierbench.targets.polynomials.monomials import MonomialTarget


@dataclasses.dataclass(frozen=True)
class {name}(MonomialTarget):
    """Sum of products of neighbouring coordinates: x_1 x_2 + x_3 x_4 + ..., at variance 1.

    A target needs ``degree``, ``sample_inputs``, ``evaluate`` and a certificate; MonomialTarget has all of
    them for weighted products of orthonormal linear forms, level by level.
    """

    d: int
    """input dimension, at least 2 pairs"""
    seed: int
    """of the target: nothing is drawn from it here but the signs"""
    pairs: int = 2
    """number of products"""
    inputs: str = "gaussian"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.pairs <= self.d // 2:
            most = self.d // 2
            raise ValueError(f"pairs = {{self.pairs}}: allowed are integers from 1 to d / 2 = {{most}}")

    @property
    def monomials(self):
        """Level by level, the weight of each product and its factors (form, power)."""
        signs = np.random.default_rng(self.seed).choice([-1.0, 1.0], self.pairs)
        return (tuple((float(s), ((2 * i, 1), (2 * i + 1, 1))) for i, s in enumerate(signs)),)

    @property
    def n_forms(self) -> int:
        """Rows of ``directions``."""
        return 2 * self.pairs

    @property
    def directions(self) -> np.ndarray:
        """Orthonormal linear forms, shape (2 pairs, d): here coordinates."""
        return np.eye(2 * self.pairs, self.d)
'''

TARGET_TEST = '''"""What hierbench asks of every target, of {name}: run with pytest."""

import pytest
from {module} import {name}

from hierbench.targets.testing import CHECKS


@pytest.mark.parametrize("check", CHECKS)
def test_{module}(check):
    check(lambda seed: {name}(8, seed))
'''


def write_learner(name: str, folder: Path) -> None:
    """Write a learner of this name and its test, and print what to do next; raises as ``_write`` does."""
    _write(name, folder, "learner", LEARNER, LEARNER_TEST)


def write_target(name: str, folder: Path) -> None:
    """Write a target of this name and its test, and print what to do next; raises as ``_write`` does."""
    _write(name, folder, "target", TARGET, TARGET_TEST)


def _write(name: str, folder: Path, kind: str, source: str, test: str) -> None:
    """Write ``module.py`` and ``test_module.py`` for a class of this name.

    Raises
    ------
    UserError
        A name that no class can have, a module of that name that there is, a file that cannot be written.
    """
    if not name.isidentifier() or not name.isascii() or keyword.iskeyword(name):
        raise UserError(refusal("NAME", name, "names of a Python class, such as NearestRows"))
    module = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    if module == name or keyword.iskeyword(module):
        module = f"{name}_{kind}"
    files = {
        folder / f"{module}.py": source.format(name=name),
        folder / f"test_{module}.py": test.format(name=name, module=module),
    }
    for path in files:
        if path.exists():
            raise UserError(f"{path} is there: give another NAME, or --folder")
    if _installed(module):
        raise UserError(f"a module {module} is installed, which would hide {module}.py: give another NAME")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        for path in files:
            with contextlib.suppress(OSError):
                path.unlink()
        raise UserError(f"{folder} cannot be written: {error}") from error
    for path in files:
        print(path)
    there = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    print(f"change it, then: {there}hierbench check-{kind} {module}:{name}")


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
