"""Faults on purpose, counted: what a learner, a file, a disk or a shell does to the numbers (docs/robustness.md)."""
