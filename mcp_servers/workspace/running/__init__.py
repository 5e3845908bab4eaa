"""Running programs: which may, in which environment, and how each is ended with all that it started."""
