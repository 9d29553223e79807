"""Modifiers of any target: noise, remainder, controls, classification."""
