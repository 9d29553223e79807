"""Workers, the runner that feeds them, and what it says on the way."""
