"""Exact polynomial algebra, and orthogonal expansions under a law."""
