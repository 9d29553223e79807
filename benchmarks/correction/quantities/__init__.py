"""Numbers that claims are decided on, from what the experiments measured."""
