"""Families of learners: those that learn features in the same way."""

from __future__ import annotations

from collections.abc import Mapping

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "deep net": ("densenet", "resnet", "algorithm1", "relu_mlp", "relu_densenet"),
    "layer by layer": ("layerwise", "bfc1", "layerwise_cycling"),
    "kernels in sequence": ("sequential_kernels", "sequential_kernels_fits", "spectral_layerwise"),
    "learned metric or trees": ("rfm", "hyper_kernel", "irkm", "boosted_trees"),
    "shallow net": ("two_layer", "two_layer_quadratic"),
    "fixed kernel": (
        "krr_polynomial",
        "krr_rbf",
        "krr_dot_product",
        "krr_laplace",
        "krr_matern",
        "krr_rbf_cg",
        "krr_polynomial_cg",
        "polynomial_regression",
        "random_features_relu",
        "random_features_quadratic",
        "random_features_fourier",
    ),
    "kernel of a net": ("ntk", "ntk_erf", "ntk_quadratic", "ntk_densenet", "ntk_finite", "nngp"),
    "compositional kernel": ("compositional",),
}
"""Names of learners by family, in the order in which they are shown."""
OTHER = "other"
"""The family of a learner that is not registered."""


def family_of(name: str) -> str:
    """Return the family of a learner by its registered name, or ``OTHER``."""
    return next((family for family, names in FAMILIES.items() if name in names), OTHER)
