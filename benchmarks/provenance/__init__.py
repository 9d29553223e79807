"""What a number depends on: sources, fingerprints, the machine."""
