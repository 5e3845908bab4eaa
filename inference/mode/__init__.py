"""Gaming mode: whether this machine is lent to a game, kept on disk, told on a port of its own, and obeyed by the engine."""
