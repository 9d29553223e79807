"""Rivals that adapt their features without SGD, as static descriptors."""

from __future__ import annotations

from hierbench.learners.base import Cost, Descriptor, Memory, Term

_SEQUENTIAL = frozenset({"fit_curves", "level_features"})

DESCRIPTORS: tuple[Descriptor, ...] = (
    Descriptor(
        name="sequential_kernels",
        path="hierbench.learners.sequential.sequential_kernels:SequentialKernelsRegressor",
        summary="kernel ridge level by level; the next sees products of the level's leading eigen-directions",
        learns="hierarchy",
        source="the rival named by Allen-Zhu & Li, arXiv 2001.04413; directions as in arXiv 2305.06986",
        cost=Cost((Term(4.5e-3, n=1), Term(8e-10, n=3)), note="at depth 2"),
        memory=Memory(per_pair=24.0, fixed=4e7),
        capabilities=_SEQUENTIAL,
        knows_depth="depth",
    ),
    Descriptor(
        name="sequential_kernels_fits",
        path="hierbench.learners.sequential.sequential_fits:SequentialFitsRegressor",
        summary="kernel ridge level by level; the next sees x and the out-of-fold fits so far",
        learns="hierarchy",
        source="the rival named by Allen-Zhu & Li, arXiv 2001.04413; stacking, Wolpert 1992",
        cost=Cost((Term(5e-3, n=1), Term(1.3e-9, n=3)), note="at depth 2"),
        memory=Memory(per_pair=28.0, fixed=4e7),
        capabilities=_SEQUENTIAL,
        knows_depth="depth",
    ),
    Descriptor(
        name="boosted_trees",
        path="hierbench.learners.adaptive.boosted_trees:BoostedTreesRegressor",
        summary="gradient-boosted trees; leaves, rate, trees, l2 on held-out rows within 24 candidates",
        learns="adaptive features",
        source="Friedman, Annals of Statistics 2001; scikit-learn's HistGradientBoostingRegressor",
        cost=Cost((Term(8e-3, n=1), Term(2e-4, n=1, d=1)), fixed=4.0, note="24 candidates at most"),
        memory=Memory(per_entry=100.0, fixed=1.5e7),
        capabilities=frozenset({"fit_curves"}),
    ),
    Descriptor(
        name="rfm",
        path="hierbench.learners.adaptive.rfm:RFMRegressor",
        summary="Recursive Feature Machine: kernel ridge in a metric from its own gradients (AGOP), iterated",
        learns="adaptive features",
        source="Radhakrishnan et al., Science 2024, arXiv 2212.13881; xRFM, arXiv 2508.10053",
        cost=Cost((Term(4e-4, n=1.5), Term(8e-10, n=3)), note="at most 10 iterations"),
        memory=Memory(per_pair=40.0, fixed=4e7),
        capabilities=frozenset({"fit_curves"}),
    ),
    Descriptor(
        name="irkm",
        path="hierbench.learners.adaptive.irkm:IRKMRegressor",
        summary="kernel ridge with weights of coordinates from its own squared derivatives, iterated (IRKM)",
        learns="adaptive features",
        source="Zhu, Davis, Drusvyatskiy & Fazel, arXiv 2505.08277",
        cost=Cost((Term(1e-4, n=1.5), Term(4e-10, n=3)), note="at most 10 iterations"),
        memory=Memory(per_pair=40.0, fixed=2e7),
        capabilities=frozenset({"fit_curves"}),
    ),
    Descriptor(
        name="hyper_kernel",
        path="hierbench.learners.adaptive.hyper_kernel:HyperKernelRegressor",
        summary="kernel ridge in a projection that is learned, k(Bx, Bx'), by variable projection (HKRR)",
        learns="adaptive features",
        source="Huang, Labarriere, De Vito, Poggio & Rosasco, arXiv 2510.02532",
        cost=Cost((Term(7e-3, n=1), Term(7e-9, n=3)), note="at d = 8; 1.5 times that at d = 16"),
        memory=Memory(per_pair=40.0, fixed=2e7),
        capabilities=frozenset({"fit_curves"}),
        knows_degree="degree",
    ),
    Descriptor(
        name="spectral_layerwise",
        path="hierbench.learners.sequential.spectral_layerwise:SpectralLayerwiseRegressor",
        summary="second-moment directions level by level, lifted to products; polynomial ridge reads out",
        learns="hierarchy",
        source="Nichani, Damian & Lee, arXiv 2305.06986; arXiv 2311.13774; arXiv 2411.17201",
        cost=Cost((Term(1e-4, n=1.5), Term(1e-9, n=3)), note="at depth 2"),
        memory=Memory(per_pair=24.0, fixed=4e7),
        capabilities=frozenset({"fit_curves", "level_features"}),
        knows_depth="depth",
    ),
)
