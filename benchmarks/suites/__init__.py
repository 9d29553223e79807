"""Suites: their files, what the command line changes in them, and their units."""
