"""Targets made of data: signals and images whose hierarchy nobody built."""
