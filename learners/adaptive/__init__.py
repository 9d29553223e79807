"""Learners that adapt to the target without SGD."""
