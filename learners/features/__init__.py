"""Ridge regression on explicit features."""
