"""Every learner by name, as static descriptors: importing this imports no torch and no jax."""

from __future__ import annotations

import difflib
import importlib
import inspect
from pathlib import PurePath
from typing import Any

from learners.base import Descriptor

_ALLEN_ZHU_LI = "Allen-Zhu & Li, arXiv 2001.04413"
_SGD = frozenset({"fit_curves", "level_features", "traces", "sampler"})
_KERNEL = frozenset({"fit_curves"})
_KERNEL_COST = "{} for each of the last 3-7 kernels and ridges tried, about {} more on shorter prefixes"
_KRR = "Saunders, Gammerman & Vovk, ICML 1998"

_DESCRIPTORS = (
    Descriptor(
        name="densenet",
        path="learners.densenet:DenseNetRegressor",
        summary="deep quadratic DenseNet, all layers together from the first step",
        learns="hierarchy",
        source=_ALLEN_ZHU_LI,
        cost="steps x batch x (d + L width) x width, for each net",
        capabilities=_SGD,
        knows_depth="depth",
        dtype="float32",
    ),
    Descriptor(
        name="layerwise",
        path="learners.layerwise:LayerwiseDenseNetRegressor",
        summary="the same net layer by layer: BFC-x, lower layers frozen at x = 0",
        learns="hierarchy",
        source="Belilovsky et al., arXiv 1812.11446; BFC-x after " + _ALLEN_ZHU_LI,
        cost="L phases x steps x batch x (d + L width) x width, for each net",
        capabilities=_SGD,
        knows_depth="depth",
        dtype="float32",
    ),
    Descriptor(
        name="two_layer",
        path="learners.two_layer:TwoLayerRegressor",
        summary="two-layer net of generous width: z^degree (the target's) or ReLU activation",
        learns="adaptive features",
        source=_ALLEN_ZHU_LI + ", section on shallow nets",
        cost="steps x batch x d x width, for each net and rate or decay tried",
        capabilities=_SGD,
        knows_degree="degree",
        dtype="float32",
    ),
    Descriptor(
        name="krr_rbf",
        path="learners.kernel_ridge:KernelRidgeRBF",
        summary="kernel ridge regression, Gaussian kernel; length scale and ridge by leave-one-out",
        learns="fixed features",
        source=_KRR,
        cost=_KERNEL_COST.format("n^3 / 2", 50),
        capabilities=_KERNEL,
    ),
    Descriptor(
        name="krr_laplace",
        path="learners.kernel_ridge:KernelRidgeLaplace",
        summary="kernel ridge regression, exp(-|x - x'| / l); l and ridge by leave-one-out",
        learns="fixed features",
        source=_KRR,
        cost=_KERNEL_COST.format("n^3 / 2", 40),
        capabilities=_KERNEL,
    ),
    Descriptor(
        name="krr_polynomial",
        path="learners.kernel_ridge:KernelRidgePolynomial",
        summary="kernel ridge regression, (x.x' / d + c)^degree; c and ridge by leave-one-out",
        learns="fixed features",
        source=_KRR,
        cost=_KERNEL_COST.format("n^3 / 2", 50),
        capabilities=_KERNEL,
        knows_degree="degree",
    ),
    Descriptor(
        name="ntk",
        path="learners.ntk:NTKRegressor",
        summary="NTK of ReLU nets of infinite width; depth 1-5, bias and ridge by leave-one-out",
        learns="fixed features",
        source="Jacot, Gabriel & Hongler, arXiv 1806.07572; neural-tangents, arXiv 1912.02803",
        cost=_KERNEL_COST.format("(n^3 / 2 + 60 depth n^2)", 45),
        capabilities=_KERNEL,
    ),
)

LEARNERS: dict[str, Descriptor] = {d.name: d for d in _DESCRIPTORS}


def resolve(name: str) -> Descriptor:
    """Descriptor of a registered name, or of any estimator by import path ``module:Class``.

    Raises
    ------
    ValueError
        Unknown name, with the nearest known one; nothing is imported to find out.
    """
    if name in LEARNERS:
        return LEARNERS[name]
    module, colon, attribute = name.partition(":")
    if module.endswith(".py"):
        raise ValueError(
            f"learner {name!r}: a file in the current folder is named without folder and .py, "
            f"as in {PurePath(module).stem}:{attribute or 'MyRegressor'}"
        )
    if colon and module and attribute:
        return Descriptor(
            name=attribute,
            path=name,
            summary=f"{attribute} of {module}, by import path",
            learns="unknown",
            source=module,
            cost="unknown",
        )
    nearest = difflib.get_close_matches(name, LEARNERS, n=1, cutoff=0.4)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    raise ValueError(
        f"unknown learner {name!r}: {hint}known are {', '.join(sorted(LEARNERS))}, "
        "or the import path of any scikit-learn estimator, as in sklearn.linear_model:Ridge"
    )


def load(path: str) -> type[Any]:
    """The estimator class at ``module:Class``.

    Raises
    ------
    ValueError
        The module cannot be imported, whatever it raises; the class does not exist, with the
        nearest name that the module has; or it has no ``fit`` and ``predict``.
    """
    module, _, attribute = path.partition(":")
    try:
        found = importlib.import_module(module)
    except (Exception, SystemExit) as error:  # anything may happen in a researcher's own module
        kind = "" if isinstance(error, ImportError) else f"{type(error).__name__}: "
        raise ValueError(f"cannot import learner {path!r}: {kind}{error}") from error
    if not hasattr(found, attribute):
        nearest = difflib.get_close_matches(attribute, dir(found), n=1, cutoff=0.6)
        hint = f", did you mean {nearest[0]!r}?" if nearest else ""
        raise ValueError(f"cannot import learner {path!r}: {module} has no {attribute!r}{hint}")
    loaded = getattr(found, attribute)
    if not (inspect.isclass(loaded) and hasattr(loaded, "fit") and hasattr(loaded, "predict")):
        raise ValueError(f"{path!r} is no learner: a class with fit and predict is needed")
    return loaded
