"""Whether a call may happen: what each tool does, what was read from outside, who has to say yes, and the grant that proves it."""
