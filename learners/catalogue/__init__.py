"""What the registry says of each learner."""
