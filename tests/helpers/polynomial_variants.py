"""Polynomial targets that are built from projections and features, each with the laws of inputs it admits."""

EVERY = ("gaussian", "gaussian:condition=10", "mixture:weight=0.2", "cube", "sphere", "hypercube")
INVARIANT = ("gaussian", "gaussian:condition=10", "sphere")
VARIANTS = [
    ("sparse-direction", {}, EVERY),
    ("sparse-direction", {"power": 5, "sparsity": None}, EVERY),
    ("sparse-direction", {"power": 7, "hermite": True}, INVARIANT),
    ("single-index", {"degree": 6, "information_exponent": 3}, INVARIANT),
    ("multi-index", {"n_directions": 3}, INVARIANT),
    ("hierarchical-polynomial", {}, INVARIANT),
    ("hierarchical-polynomial", {"feature_degree": 3, "rank": 2, "link_degree": 3}, INVARIANT),
    ("quadratic-features", {"n_features": 3}, EVERY),
    ("sight", {"information_exponent": 2}, INVARIANT),
    ("sight", {"feature_coefficients": "equal"}, INVARIANT),
    ("might", {}, INVARIANT),
    ("might", {"epsilons": (0.6, 0.25), "feature_degree": 2, "n_features": 1, "link_degree": 1}, INVARIANT),
]
