"""The store: whole units, one writer."""
