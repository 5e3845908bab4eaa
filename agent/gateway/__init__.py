"""One endpoint in OpenAI's protocol for any client: routed, passed through, or answered by the agent itself."""
