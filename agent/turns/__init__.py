"""One turn, decided by a state machine and carried out by a loop."""
