"""What people say of an event, read: when it is, how often, for how long, where it moves to, and what of a sentence is its name."""
