"""Polynomial families of the learning-theory literature."""
