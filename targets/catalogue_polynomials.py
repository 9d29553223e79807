"""Polynomial targets of the learning-theory literature, as static descriptors."""

from __future__ import annotations

from typing import Any

from targets.spec import INPUTS, FamilySpec

_REASON = "its projections are not Gaussian, so that the Hermite polynomials are not its parts by degree"
_NOT_HERMITE = {"mixture": _REASON, "cube": _REASON, "hypercube": _REASON}

_DECAY = "share of each degree relative to the one below it, in [0.001, 1000]"


def _index() -> dict[str, tuple[Any, str]]:
    return {
        "information_exponent": (2, "k*, lowest degree that carries variance, 1 to the degree"),
        "degree": (4, "D, degree of the label, 1 to 16"),
        "decay": (0.5, _DECAY),
        "inputs": INPUTS,
    }


def _link(decay: float) -> dict[str, tuple[Any, str]]:
    return {
        "link_degree": (2, "q, degree of the link in the features; the label's is at most 16"),
        "information_exponent": (1, "k*, lowest degree of the link, 1 to q"),
        "decay": (decay, _DECAY),
    }


_FEATURES = {
    "feature_degree": (3, "k, degree of each level in the one below, from 2"),
    "feature_exponent": (2, "e of P = He_e + ... + He_k, 2 to k"),
    **_link(0.5),
    "equal_weights": (False, "sum the P(z_i) with equal weights, not with Gaussian ones"),
    "inputs": INPUTS,
}
_DANDI = "Dandi, Pesce, Zdeborova & Krzakala, arXiv 2502.13961"

SPECS: tuple[FamilySpec, ...] = (
    FamilySpec(
        name="sparse-direction",
        path="targets.sparse_direction:SparseDirection",
        summary="power of one projection, or its Hermite twin: lower-bound class of kernels",
        formula="y ~ <w, x>^p, or He_p(<w, x>) / sqrt(p!); w has few entries +-1/sqrt(sparsity)",
        source="Allen-Zhu & Li, arXiv 2001.04413; Ghorbani et al., Ann. Statist. 49, 2021",
        degree="power",
        parameters={
            "power": (4, "p, 1 to 16"),
            "sparsity": (4, "nonzero entries of w, 1 to d; None for w uniform on the sphere"),
            "hermite": (False, "the Hermite twin, all of degree p (gaussian and sphere only)"),
            "inputs": INPUTS,
        },
    ),
    FamilySpec(
        name="single-index",
        path="targets.single_index:SingleIndex",
        summary="Hermite polynomial of one projection with chosen information exponent",
        formula="y = sum_(j=k*..D) +-sqrt(share_j) He_j(<w, x>) / sqrt(j!), share_j ~ decay^(j - k*)",
        source="Ben Arous, Gheissari & Jagannath, JMLR 22, 2021",
        degree="degree",
        parameters=_index(),
        refused_inputs=_NOT_HERMITE,
    ),
    FamilySpec(
        name="multi-index",
        path="targets.multi_index:MultiIndex",
        summary="random Hermite polynomial of r projections with chosen information exponent",
        formula="y = sum_(j=k*..D) sqrt(share_j) <C_j, He_j(V x)>, share_j ~ decay^(j - k*), C_j Haar",
        source="Abbe, Boix-Adsera & Misiakiewicz, arXiv 2302.11055 (Gaussian class)",
        degree="degree",
        parameters={**_index(), "n_directions": (2, "r, orthonormal directions")},
        refused_inputs=_NOT_HERMITE,
    ),
    FamilySpec(
        name="hierarchical-polynomial",
        path="targets.hierarchical_polynomial:HierarchicalPolynomial",
        summary="polynomial of one degree-k feature over many directions",
        formula="p = sum_(i<=r) lambda_i He_k(<v_i, x>) / c, y ~ g(p), g of degree q",
        source="Wang, Nichani & Lee, arXiv 2311.13774",
        degree="feature_degree * link_degree",
        parameters={
            "feature_degree": (2, "k, from 2"),
            **_link(1.0),
            "rank": (None, "r, directions of the feature; None for d"),
            "inputs": INPUTS,
        },
        refused_inputs=_NOT_HERMITE,
    ),
    FamilySpec(
        name="quadratic-features",
        path="targets.quadratic_features:QuadraticFeatures",
        summary="random polynomial of r random quadratic forms of full rank",
        formula="s_i ~ x^T A_i x, y ~ g(s_1, ..., s_r), g of degree q",
        source="Fu, Wang, Nichani & Lee, arXiv 2411.17201",
        degree="2 * link_degree",
        parameters={"n_features": (2, "r, quadratic forms"), **_link(1.0), "inputs": INPUTS},
    ),
    FamilySpec(
        name="sight",
        path="targets.sight:Sight",
        summary="single-index Gaussian hierarchical target: link of one feature of d^epsilon projections",
        formula="y ~ g(a^T P(W x) / c), P = He_e + ... + He_k, W of round(d^epsilon) orthonormal rows",
        source=_DANDI,
        degree="feature_degree * link_degree",
        parameters={"epsilon": (0.5, "in (0, 1), exponent of the width"), **_FEATURES},
        refused_inputs=_NOT_HERMITE,
    ),
    FamilySpec(
        name="might",
        path="targets.might:Might",
        summary="multi-index Gaussian hierarchical target: r features over trees, shallow or deep",
        formula="h_0 = W x, h_l = block sums of a_l P(h_(l-1)), y ~ g(h_L), g of degree q in r features",
        source=_DANDI,
        degree="feature_degree^L * link_degree",
        parameters={
            "epsilons": ((0.5,), "eps_1 > ... > eps_L in (0, 1); blocks of d^(eps_l - eps_(l+1))"),
            "n_features": (2, "r, entries of h_L"),
            **_FEATURES,
        },
        refused_inputs=_NOT_HERMITE,
    ),
)
