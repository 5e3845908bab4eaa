"""What the agent does, told to those who watch it: traces for a collector, and what was used."""
