"""The book of what the agent decided, asked and did: one line per step, chained by hashes, so that a change to it shows."""
