"""What is counted, measured and remembered of the engine's work; nothing in here steers it."""
