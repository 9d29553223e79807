"""Claims, their criteria, the quantities that decide them, and verdicts."""
