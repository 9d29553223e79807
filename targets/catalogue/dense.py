"""The paper's own targets, as static descriptors."""

from __future__ import annotations

from hierbench.targets.catalogue.spec import FamilySpec

_ALLEN_ZHU_LI = "Allen-Zhu & Li, Backward Feature Correction, arXiv 2001.04413"

_REFUSED = {
    "hypercube": "x_i^2 = 1 there, so that squaring does not preserve degrees, which the class requires"
}

SPECS = (
    FamilySpec(
        name="projected",
        path="hierbench.targets.quadratic.projected:Projected",
        summary="quadratic DenseNet on a hidden projection (multi-index for fixed width)",
        formula="s_1 = W_1 x, s_l = sum_j W_lj h_j, h_l = std(s_l^2), y ~ sum_l alpha^(l-1) Sum(h_l)",
        source=_ALLEN_ZHU_LI + " (form of the talk, levels normalised)",
        degree="2^depth",
        refused_inputs=_REFUSED,
    ),
    FamilySpec(
        name="squares",
        path="hierbench.targets.quadratic.squares:Squares",
        summary="quadratic DenseNet over the squares of all rotated coordinates",
        formula="s_1 = Q x, s_l = sum_j W_lj h_j, h_l = std(s_l^2), y ~ sum_(l>=2) alpha^(l-2) Sum(h_l)",
        source=_ALLEN_ZHU_LI + " (levels normalised)",
        degree="2^depth",
        refused_inputs=_REFUSED,
    ),
    FamilySpec(
        name="worked-example-1",
        path="hierbench.targets.quadratic.worked_examples:WorkedExample1",
        summary="the first level is known up to a rotation only: cured by over-parameterisation",
        formula="y ~ x_1^2 + x_2^2 + a (x_1^4 + x_2^4)",
        source=_ALLEN_ZHU_LI + ", example of the talk",
        degree="4",
        refused_inputs=_REFUSED,
    ),
    FamilySpec(
        name="worked-example-2",
        path="hierbench.targets.quadratic.worked_examples:WorkedExample2",
        summary="two levels with a skip, in the talk to show over-fitting to higher-level signal",
        formula="y ~ x_1^2 + x_2^2 + a ((x_1^2 + x_3)^2 + (x_2^2 + x_4)^2)",
        source=_ALLEN_ZHU_LI + ", example of the talk",
        degree="4",
        refused_inputs=_REFUSED,
    ),
)
