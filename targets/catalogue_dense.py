"""The paper's own targets, as static descriptors."""

from __future__ import annotations

from typing import Any

from targets.spec import INPUTS, FamilySpec

_ALLEN_ZHU_LI = "Allen-Zhu & Li, Backward Feature Correction, arXiv 2001.04413"

_REFUSED = {
    "hypercube": "x_i^2 = 1 there, so that squaring does not preserve degrees, which the class requires"
}
_ROTATED_EXAMPLE = {
    "a": (0.1, "weight of the second level, > 0"),
    "rotated": (False, "apply a random orthogonal matrix to x first"),
    "inputs": INPUTS,
}


def _hierarchy(depths: str, oblique: str, default_skips: str) -> dict[str, tuple[Any, str]]:
    return {
        "depth": (2, f"L, {depths}"),
        "width": (3, "k, the nodes of a level, or 'sqrt' for ceil(sqrt(d))"),
        "alpha": (
            0.5,
            "information gap: weight of a level relative to the one below, > 0, or a list of weights",
        ),
        "rho": (0.5, f"obliqueness of the skips from {oblique}, in [0, 1]"),
        "kappa": (1.0, "conditioning: singular values of the weights lie in [1/kappa, kappa]"),
        "skips": (None, f"J_2, ..., J_L, each containing l-1; None for {default_skips}"),
        "wiring": ("densenet", "densenet, or resnet: one residual stream that all levels read"),
        "inputs": INPUTS,
    }


SPECS = (
    FamilySpec(
        name="projected",
        path="targets.projected:Projected",
        summary="quadratic DenseNet on a hidden projection (multi-index for fixed width)",
        formula="s_1 = W_1 x, s_l = sum_j W_lj h_j, h_l = std(s_l^2), y ~ sum_l alpha^(l-1) Sum(h_l)",
        source=_ALLEN_ZHU_LI + " (form of the talk, levels normalised)",
        degree="2^depth",
        refused_inputs=_REFUSED,
        parameters=_hierarchy("1 to 4", "x", "{0..l-1}"),
    ),
    FamilySpec(
        name="squares",
        path="targets.squares:Squares",
        summary="quadratic DenseNet over the squares of all rotated coordinates",
        formula="s_1 = Q x, s_l = sum_j W_lj h_j, h_l = std(s_l^2), y ~ sum_(l>=2) alpha^(l-2) Sum(h_l)",
        source=_ALLEN_ZHU_LI + " (levels normalised)",
        degree="2^depth",
        refused_inputs=_REFUSED,
        parameters={
            **_hierarchy("2 to 4", "the first level", "{1..l-1}"),
            "rotated": (True, "square the coordinates of Q x, Q Haar orthogonal, not of x"),
        },
    ),
    FamilySpec(
        name="worked-example-1",
        path="targets.worked_examples:WorkedExample1",
        summary="the first level is known up to a rotation only: cured by over-parameterisation",
        formula="y ~ x_1^2 + x_2^2 + a (x_1^4 + x_2^4)",
        source=_ALLEN_ZHU_LI + ", example of the talk",
        degree="4",
        refused_inputs=_REFUSED,
        parameters=_ROTATED_EXAMPLE,
    ),
    FamilySpec(
        name="worked-example-2",
        path="targets.worked_examples:WorkedExample2",
        summary="two levels with a skip, in the talk to show over-fitting to higher-level signal",
        formula="y ~ x_1^2 + x_2^2 + a ((x_1^2 + x_3)^2 + (x_2^2 + x_4)^2)",
        source=_ALLEN_ZHU_LI + ", example of the talk",
        degree="4",
        refused_inputs=_REFUSED,
        parameters=_ROTATED_EXAMPLE,
    ),
)
