"""Who learns it: one learner a file, and the two engines they share."""
