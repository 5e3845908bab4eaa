"""The web search server."""
