"""The agent as other programs know it: an MCP server, and an agent for editors."""
