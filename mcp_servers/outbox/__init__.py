"""The outbox server, the only holder of the right to send."""
