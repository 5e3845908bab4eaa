"""A month of work in one run: hundreds of swaps under clients and mishaps at random, and what must hold whatever happens."""
