"""Machine A as the agent sees it: found and paired, asked for its state, streamed from, or started as a child."""
