"""Boolean and discrete targets, as static descriptors."""

from __future__ import annotations

from hierbench.targets.catalogue.spec import FamilySpec

_DEPENDENT = {"mixture": "its coordinates are dependent, so that monomials of them are not orthogonal"}

SPECS: tuple[FamilySpec, ...] = (
    FamilySpec(
        name="staircase",
        path="hierbench.targets.polynomials.staircase:Staircase",
        summary="each monomial is the one before times new coordinates, and shows the way to the next",
        formula="y ~ sum_(l<=levels) t_1 t_2 ... t_(l leap), t = x or rotated",
        source="Abbe et al., The staircase property, arXiv 2108.10573; leaps: arXiv 2302.11055",
        degree="levels * leap",
        refused_inputs=_DEPENDENT,
    ),
    FamilySpec(
        name="merged-staircase",
        path="hierbench.targets.polynomials.merged_staircase:MergedStaircase",
        summary="weighted sum of chosen monomials: merged staircases and functions of larger leap",
        formula="y ~ sum_i w_i prod_(j in S_i) x_j, or of He_(p_ij)(x_j) for Gaussian inputs",
        source="Abbe, Boix-Adsera & Misiakiewicz, arXiv 2202.08658; leap: arXiv 2302.11055",
        degree="largest sum of powers",
        refused_inputs=_DEPENDENT,
    ),
    FamilySpec(
        name="parity",
        path="hierbench.targets.polynomials.parity:Parity",
        summary="product of k unknown coordinates: nothing of lower degree shows the way",
        formula="y ~ prod_(i in S) x_i, |S| = k",
        source="Kearns, J. ACM 45 (1998); in this form Abbe et al., arXiv 2302.11055",
        degree="k",
        refused_inputs=_DEPENDENT,
    ),
    FamilySpec(
        name="random-hierarchy",
        path="hierbench.targets.random_hierarchy:RandomHierarchy",
        summary="Random Hierarchy Model: the class of a sentence of a random grammar, leaves one-hot",
        formula="class -> s symbols -> ... -> s^L leaves, m rules a symbol; y = score of class; d = v s^L",
        source="Cagnetta, Petrini, Tomasini, Favero & Wyart, Phys. Rev. X 14 (2024), arXiv 2307.02129",
        degree="branching^depth",
        refused_inputs=dict.fromkeys(
            ("gaussian", "mixture", "cube", "sphere", "hypercube"),
            "the inputs are the sentences of the grammar, one-hot encoded",
        ),
    ),
)
