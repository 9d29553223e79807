"""``hierbench new-learner``: a learner that works, to be changed, and its test."""

from __future__ import annotations

import importlib.util
import keyword
import re
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

TEST = '''"""What hierbench asks of every learner, of {name}: run with pytest."""

from {module} import {name}

from hierbench.learners.testing import LearnerContract


class Test{name}(LearnerContract):
    def create(self):
        return {name}()
'''


def write(name: str, folder: Path) -> None:
    """Write ``module.py`` and ``test_module.py`` for a class of this name, and print what to do next.

    Raises
    ------
    UserError
        A name that no class can have, a module of that name that there is, a file that cannot be written.
    """
    if not name.isidentifier() or not name.isascii() or keyword.iskeyword(name):
        raise UserError(refusal("NAME", name, "names of a Python class, such as NearestRows"))
    module = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    if module == name:
        module = f"{name}_learner"
    files = {
        folder / f"{module}.py": LEARNER.format(name=name),
        folder / f"test_{module}.py": TEST.format(name=name, module=module),
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
        raise UserError(f"{folder} cannot be written: {error}") from error
    for path in files:
        print(path)
    there = "" if folder == Path() else f"cd {folder} && "
    print(f"change it, then: {there}hierbench check-learner {module}:{name}")


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
