"""Polynomial targets of the learning-theory literature, as static descriptors."""

from __future__ import annotations

from hierbench.targets.catalogue.spec import FamilySpec

_REASON = "its projections are not Gaussian, so that the Hermite polynomials are not its parts by degree"
_NOT_HERMITE = {"mixture": _REASON, "cube": _REASON, "hypercube": _REASON}

_DANDI = "Dandi, Pesce, Zdeborova & Krzakala, arXiv 2502.13961"

SPECS: tuple[FamilySpec, ...] = (
    FamilySpec(
        name="sparse-direction",
        path="hierbench.targets.polynomials.sparse_direction:SparseDirection",
        summary="power of one projection, or its Hermite twin: lower-bound class of kernels",
        formula="y ~ <w, x>^p, or He_p(<w, x>) / sqrt(p!); w has few entries +-1/sqrt(sparsity)",
        source="Allen-Zhu & Li, arXiv 2001.04413; Ghorbani et al., Ann. Statist. 49, 2021",
        degree="power",
    ),
    FamilySpec(
        name="single-index",
        path="hierbench.targets.polynomials.single_index:SingleIndex",
        summary="Hermite polynomial of one projection with chosen information exponent",
        formula="y = sum_(j=k*..D) +-sqrt(share_j) He_j(<w, x>) / sqrt(j!), share_j ~ decay^(j - k*)",
        source="Ben Arous, Gheissari & Jagannath, JMLR 22, 2021",
        degree="degree",
        refused_inputs=_NOT_HERMITE,
    ),
    FamilySpec(
        name="multi-index",
        path="hierbench.targets.polynomials.multi_index:MultiIndex",
        summary="random Hermite polynomial of r projections with chosen information exponent",
        formula="y = sum_(j=k*..D) sqrt(share_j) <C_j, He_j(V x)>, share_j ~ decay^(j - k*), C_j Haar",
        source="Abbe, Boix-Adsera & Misiakiewicz, arXiv 2302.11055 (Gaussian class)",
        degree="degree",
        refused_inputs=_NOT_HERMITE,
    ),
    FamilySpec(
        name="hierarchical-polynomial",
        path="hierbench.targets.polynomials.hierarchical_polynomial:HierarchicalPolynomial",
        summary="polynomial of one degree-k feature over many directions",
        formula="p = sum_(i<=r) lambda_i He_k(<v_i, x>) / c, y ~ g(p), g of degree q",
        source="Wang, Nichani & Lee, arXiv 2311.13774",
        degree="feature_degree * link_degree",
        refused_inputs=_NOT_HERMITE,
    ),
    FamilySpec(
        name="quadratic-features",
        path="hierbench.targets.polynomials.quadratic_features:QuadraticFeatures",
        summary="random polynomial of r random quadratic forms of full rank",
        formula="s_i ~ x^T A_i x, y ~ g(s_1, ..., s_r), g of degree q",
        source="Fu, Wang, Nichani & Lee, arXiv 2411.17201",
        degree="2 * link_degree",
    ),
    FamilySpec(
        name="sight",
        path="hierbench.targets.polynomials.sight:Sight",
        summary="single-index Gaussian hierarchical target: link of one feature of d^epsilon projections",
        formula="y ~ g(a^T P(W x) / c), P = sum_(j=e..k) He_j / j!, W of round(d^epsilon) orthonormal rows",
        source=_DANDI,
        degree="feature_degree * link_degree",
        refused_inputs=_NOT_HERMITE,
    ),
    FamilySpec(
        name="might",
        path="hierbench.targets.polynomials.might:Might",
        summary="multi-index Gaussian hierarchical target: r features over trees, shallow or deep",
        formula="h_0 = W x, h_l = block sums of a_l P(h_(l-1)), y ~ g(h_L), g of degree q in r features",
        source=_DANDI,
        degree="feature_degree^L * link_degree",
        refused_inputs=_NOT_HERMITE,
    ),
)
