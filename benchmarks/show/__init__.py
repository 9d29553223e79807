"""Tables and figures of rows."""
