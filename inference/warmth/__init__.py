"""Conversations that outlive a swap: the slot that each one has, saved before a stop, restored after a start, and checked."""
