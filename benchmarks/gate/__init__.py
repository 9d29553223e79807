"""The regression gate: baselines, the exact tier, shifts of curves."""
