"""What the registry says of each family."""
