"""One mail as bytes and as values: opened within bounds, read as a person would, and written as the standards want it."""
