"""Faults on purpose, counted: what a learner, a disk or a shell does to the numbers (docs/robustness.md)."""
