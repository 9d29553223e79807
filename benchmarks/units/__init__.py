"""Units of work: what one is, and how it is computed."""
