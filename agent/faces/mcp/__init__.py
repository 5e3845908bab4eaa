"""The agent as an MCP server, over standard input and output and over HTTP: a task is one call."""
