"""Certificates: shares of variance, contamination, stability."""
