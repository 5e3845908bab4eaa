"""Conversations: the log that is their only store, the runtime that owns them, and what a person may do with them afterwards."""
