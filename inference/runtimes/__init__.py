"""One small pure file per runtime: how a model becomes a command line, and how the process tells its progress."""
