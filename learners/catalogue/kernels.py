"""Kernel methods with fixed features, as static descriptors."""

from __future__ import annotations

from hierbench.learners.base import Cost, Descriptor, Memory, Term

_KERNEL = frozenset({"fit_curves"})
_OUTPUTS = _KERNEL | {"several_outputs"}
_KERNEL_MEMORY = Memory(per_pair=24.0, fixed=4e7)
_RANDOM = "Rahimi & Recht, NIPS 2007; Rudi & Rosasco, arXiv 1602.04474"
_KRR = "Saunders, Gammerman & Vovk, ICML 1998"
_CG = f"{_KRR}; preconditioner: Williams & Seeger, NIPS 2000; Rudi, Carratino & Rosasco, arXiv 1705.10958"
_ITERATED = Cost((Term(4e-6, n=2),), shared=True, note="beyond 8192 samples each size by itself")
_CG_MEMORY = Memory(per_pair=24.0, per_row=33000.0, fixed=3e7, pairs_up_to=8192)


def _tuned(scan: float, final: float, tried: int) -> Cost:
    """Make the law of a kernel of which ``tried`` forms are tried, few of them at n."""
    note = f"{tried} kernels and ridges are tried, all but 3-7 on shorter prefixes"
    return Cost((Term(scan, n=1.5), Term(final, n=3)), shared=True, note=note)


DESCRIPTORS = (
    Descriptor(
        name="krr_rbf",
        path="hierbench.learners.kernels.kernel_ridge:KernelRidgeRBF",
        summary="kernel ridge regression, Gaussian kernel; length scale and ridge by leave-one-out",
        learns="fixed features",
        source=_KRR,
        cost=_tuned(5.5e-5, 1.6e-10, 55),
        memory=_KERNEL_MEMORY,
        capabilities=_OUTPUTS,
    ),
    Descriptor(
        name="krr_laplace",
        path="hierbench.learners.kernels.kernel_ridge:KernelRidgeLaplace",
        summary="kernel ridge regression, exp(-|x - x'| / l); l and ridge by leave-one-out",
        learns="fixed features",
        source=_KRR,
        cost=_tuned(3.8e-5, 1.6e-10, 45),
        memory=_KERNEL_MEMORY,
        capabilities=_OUTPUTS,
    ),
    Descriptor(
        name="krr_matern",
        path="hierbench.learners.kernels.matern:MaternRegressor",
        summary="kernel ridge regression, Matern kernel; nu = 1/2 .. 7/2, scale and ridge by leave-one-out",
        learns="fixed features",
        source="Stein, Interpolation of Spatial Data, 1999",
        cost=_tuned(1.1e-4, 1.6e-10, 105),
        memory=_KERNEL_MEMORY,
        capabilities=_OUTPUTS,
    ),
    Descriptor(
        name="krr_polynomial",
        path="hierbench.learners.kernels.polynomial_ridge:KernelRidgePolynomial",
        summary="kernel ridge regression, (x.x' / d + c)^degree; c and ridge by leave-one-out",
        learns="fixed features",
        source=_KRR,
        cost=_tuned(6e-5, 2.4e-10, 58),
        memory=_KERNEL_MEMORY,
        capabilities=_OUTPUTS,
        knows_degree="degree",
    ),
    Descriptor(
        name="krr_rbf_cg",
        path="hierbench.learners.kernels.kernel_ridge_cg:KernelRidgeCG",
        summary="krr_rbf; beyond 8192 samples by conjugate gradients, l and ridge on held-out rows",
        learns="fixed features",
        source=_CG,
        cost=_ITERATED,
        memory=_CG_MEMORY,
        capabilities=_KERNEL,
        parameters={"kernel": "rbf"},
    ),
    Descriptor(
        name="krr_polynomial_cg",
        path="hierbench.learners.kernels.kernel_ridge_cg:KernelRidgeCG",
        summary="krr_polynomial; beyond 8192 samples by conjugate gradients, c and ridge on held-out rows",
        learns="fixed features",
        source=_CG,
        cost=_ITERATED,
        memory=_CG_MEMORY,
        capabilities=_KERNEL,
        knows_degree="degree",
        parameters={"kernel": "polynomial"},
    ),
    Descriptor(
        name="polynomial_regression",
        path="hierbench.learners.features.polynomial_regression:PolynomialRegressor",
        summary="ridge regression on all polynomials; degree, ridge and its decay by leave-one-out",
        learns="fixed features",
        source="Hoerl & Kennard, Technometrics 1970; Allen, Technometrics 1974",
        cost=Cost(
            (Term(2.5e-5, n=1.5), Term(1.5e-6, n=1.5, d=1), Term(1.6e-10, n=3)),
            shared=True,
            note="less where features are fewer than samples",
        ),
        memory=Memory(per_pair=32.0, fixed=1.5e7),
        capabilities=_KERNEL,
        knows_degree="degree",
    ),
    Descriptor(
        name="random_features_relu",
        path="hierbench.learners.features.random_features:RandomFeaturesRegressor",
        summary="ridge regression on 4096 random features: ReLU, with random biases",
        learns="fixed features",
        source=_RANDOM,
        cost=Cost((Term(1.4e-4, n=1.5),), shared=True, note="for 4096 features"),
        memory=Memory(per_pair=26.0, per_row=35000.0, fixed=4e7),
        capabilities=_KERNEL,
        parameters={"activation": "relu"},
    ),
    Descriptor(
        name="random_features_quadratic",
        path="hierbench.learners.features.random_features:RandomFeaturesRegressor",
        summary="ridge regression on 4096 random features: squares of random affine forms",
        learns="fixed features",
        source=_RANDOM,
        cost=Cost((Term(1.8e-4, n=1.5),), shared=True, note="for 4096 features"),
        memory=Memory(per_pair=26.0, per_row=35000.0, fixed=4e7),
        capabilities=_KERNEL,
        parameters={"activation": "quadratic"},
    ),
    Descriptor(
        name="random_features_fourier",
        path="hierbench.learners.features.random_features:RandomFeaturesRegressor",
        summary="ridge regression on 4096 random features: cosines, which tend to the Gaussian kernel",
        learns="fixed features",
        source=_RANDOM,
        cost=Cost((Term(1.8e-4, n=1.5),), shared=True, note="for 4096 features"),
        memory=Memory(per_pair=26.0, per_row=35000.0, fixed=4e7),
        capabilities=_KERNEL,
        parameters={"activation": "fourier"},
    ),
    Descriptor(
        name="ntk_finite",
        path="hierbench.learners.net_kernels.ntk_finite:FiniteNTKRegressor",
        summary="NTK at initialisation of the very DenseNet that SGD trains; ridge by leave-one-out",
        learns="fixed features",
        source="Jacot, Gabriel & Hongler, arXiv 1806.07572; Chizat, Oyallon & Bach, arXiv 1812.07956",
        cost=Cost((Term(6e-7, n=2), Term(5e-10, n=3)), note="each size has a net of its own"),
        memory=_KERNEL_MEMORY,
        capabilities=_KERNEL,
        knows_depth="depth",
    ),
    Descriptor(
        name="ntk",
        path="hierbench.learners.net_kernels.ntk:NTKRegressor",
        summary="NTK of ReLU nets of infinite width; depth 1-5, bias and ridge by leave-one-out",
        learns="fixed features",
        source="Jacot, Gabriel & Hongler, arXiv 1806.07572; neural-tangents, arXiv 1912.02803",
        cost=_tuned(9e-5, 2e-10, 50),
        memory=_KERNEL_MEMORY,
        capabilities=_OUTPUTS,
    ),
    Descriptor(
        name="ntk_erf",
        path="hierbench.learners.net_kernels.ntk_dual:DualNTKRegressor",
        summary="NTK of erf nets of infinite width; depth 1-5, bias and ridge by leave-one-out",
        learns="fixed features",
        source="Jacot, Gabriel & Hongler, arXiv 1806.07572; Williams, NeurIPS 1997",
        cost=_tuned(1.5e-4, 2e-10, 50),
        memory=_KERNEL_MEMORY,
        capabilities=_OUTPUTS,
        parameters={"activation": "erf"},
    ),
    Descriptor(
        name="ntk_quadratic",
        path="hierbench.learners.net_kernels.ntk_dual:DualNTKRegressor",
        summary="NTK of nets of squares, of infinite width; depth 1-5, bias and ridge by leave-one-out",
        learns="fixed features",
        source="Jacot, Gabriel & Hongler, arXiv 1806.07572",
        cost=_tuned(9e-5, 2e-10, 50),
        memory=_KERNEL_MEMORY,
        capabilities=_OUTPUTS,
        parameters={"activation": "quadratic"},
    ),
    Descriptor(
        name="ntk_densenet",
        path="hierbench.learners.net_kernels.ntk_dual:DenseNetNTKRegressor",
        summary="NTK of the quadratic DenseNet at infinite width; bias, share of x, ridge by leave-one-out",
        learns="fixed features",
        source="Jacot, Gabriel & Hongler, arXiv 1806.07572; wiring of Allen-Zhu & Li, arXiv 2001.04413",
        cost=_tuned(9e-5, 2e-10, 50),
        memory=_KERNEL_MEMORY,
        capabilities=_OUTPUTS,
        knows_depth="depth",
    ),
    Descriptor(
        name="nngp",
        path="hierbench.learners.net_kernels.nngp:NNGPRegressor",
        summary="Gaussian-process limit of wide nets; activation, depth 1-5, bias and ridge by leave-one-out",
        learns="fixed features",
        source="Lee et al., arXiv 1711.00165; Matthews et al., arXiv 1804.11271",
        cost=_tuned(2.4e-4, 2e-10, 95),
        memory=_KERNEL_MEMORY,
        capabilities=_OUTPUTS,
    ),
    Descriptor(
        name="compositional",
        path="hierbench.learners.net_kernels.compositional:CompositionalKernelRegressor",
        summary="neural compositional kernel: dual activations composed 1-5 times; all by leave-one-out",
        learns="fixed features",
        source="Shankar et al., arXiv 2003.02237; Daniely, Frostig & Singer, arXiv 1602.05897",
        cost=_tuned(3.6e-4, 2e-10, 155),
        memory=_KERNEL_MEMORY,
        capabilities=_OUTPUTS,
    ),
    Descriptor(
        name="krr_dot_product",
        path="hierbench.learners.kernels.dot_product:DotProductRegressor",
        summary="the best dot-product kernel: a free weight for each degree up to 8, by leave-one-out",
        learns="fixed features",
        source="Schoenberg, Duke Math. J. 1942; leave-one-out: Allen, Technometrics 1974",
        cost=Cost(
            (Term(1e-4, n=1.5), Term(1.5e-9, n=3)),
            shared=True,
            note="less beyond n = 2048: shorter prefixes are searched there",
        ),
        memory=Memory(per_pair=64.0, fixed=3e7),
        capabilities=_KERNEL,
    ),
)
