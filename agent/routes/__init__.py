"""Which tier answers, and why."""
