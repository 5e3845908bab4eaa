"""The names of the host's own tools: those that no server serves, because they are about the conversation and the tool list itself."""

from __future__ import annotations

READ_MORE = "read_more"
"""Goes on with a result that was cut."""
RECALL = "recall"
"""Looks for what was said and read earlier in the conversation."""
FIND_TOOLS = "find_tools"
"""Looks for tools that are not in the list."""
CALL_TOOL = "call_tool"
"""Calls one of those."""
OWN_NAMES = frozenset({READ_MORE, RECALL, FIND_TOOLS, CALL_TOOL})
"""No server's tool may be called like one of these."""
