"""What the engine remembers of each request: who asked which model, how long each part took and how it ended; never what was said."""
