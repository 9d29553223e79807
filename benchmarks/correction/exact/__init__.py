"""Correction at exact population: rounds, floors, slopes."""
