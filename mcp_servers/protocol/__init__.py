"""How a tool looks to a client, how a call reaches it, and how a server is served."""
