"""Studies of the suite itself: coverage, the gate's power, gains of adaptive runs."""
