"""Kernel methods with fixed features, as static descriptors."""

from __future__ import annotations

from learners.base import Descriptor

_KERNEL = frozenset({"fit_curves"})
_KERNEL_COST = "{} for each of the last 3-7 kernels and ridges tried, about {} more on shorter prefixes"
_RANDOM = "Rahimi & Recht, NIPS 2007; Rudi & Rosasco, arXiv 1602.04474"
_RANDOM_COST = "as kernel ridge and 2 D n^2 a kernel; about 10 (D^3 / 3 + n D^2 / 2) where n > D; D = 4096"
_KRR = "Saunders, Gammerman & Vovk, ICML 1998"

DESCRIPTORS = (
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
        name="krr_matern",
        path="learners.matern:MaternRegressor",
        summary="kernel ridge regression, Matern kernel; nu = 1/2 .. 7/2, scale and ridge by leave-one-out",
        learns="fixed features",
        source="Stein, Interpolation of Spatial Data, 1999",
        cost=_KERNEL_COST.format("n^3 / 2", 100),
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
        name="polynomial_regression",
        path="learners.polynomial_regression:PolynomialRegressor",
        summary="ridge regression on all polynomials; degree, ridge and its decay by leave-one-out",
        learns="fixed features",
        source="Hoerl & Kennard, Technometrics 1970; Allen, Technometrics 1974",
        cost="about 10-30 (D^3 / 3 + n D^2 / 2), D features, or where D > n that of kernel ridge",
        capabilities=_KERNEL,
        knows_degree="degree",
    ),
    Descriptor(
        name="random_features_relu",
        path="learners.random_features:RandomFeaturesRegressor",
        summary="ridge regression on 4096 random features: ReLU, with random biases",
        learns="fixed features",
        source=_RANDOM,
        cost=_RANDOM_COST,
        capabilities=_KERNEL,
        parameters={"activation": "relu"},
    ),
    Descriptor(
        name="random_features_quadratic",
        path="learners.random_features:RandomFeaturesRegressor",
        summary="ridge regression on 4096 random features: squares of random affine forms",
        learns="fixed features",
        source=_RANDOM,
        cost=_RANDOM_COST,
        capabilities=_KERNEL,
        parameters={"activation": "quadratic"},
    ),
    Descriptor(
        name="random_features_fourier",
        path="learners.random_features:RandomFeaturesRegressor",
        summary="ridge regression on 4096 random features: cosines, which tend to the Gaussian kernel",
        learns="fixed features",
        source=_RANDOM,
        cost=_RANDOM_COST,
        capabilities=_KERNEL,
        parameters={"activation": "fourier"},
    ),
    Descriptor(
        name="ntk_finite",
        path="learners.ntk_finite:FiniteNTKRegressor",
        summary="NTK at initialisation of the very DenseNet that SGD trains; ridge by leave-one-out",
        learns="fixed features",
        source="Jacot, Gabriel & Hongler, arXiv 1806.07572; Chizat, Oyallon & Bach, arXiv 1812.07956",
        cost="n^3 / 2 for each of about 10 ridges, and n^2 (L d + L^2 width)",
        capabilities=_KERNEL,
        knows_depth="depth",
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
