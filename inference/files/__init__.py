"""The models' files: which they are, whether they are there, and bringing them into the system's memory ahead of a load."""
