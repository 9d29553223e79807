"""What the subcommands do, one a file."""
