"""From the store to the rows of a suite, adaptive stages included."""
