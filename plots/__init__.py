"""Rows in, figures out. Imports no learner and no target."""
