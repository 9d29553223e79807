"""What is to be learned: hierarchical target functions with known structure."""
