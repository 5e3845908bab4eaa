"""The search tool as served.

Pure. Name and parameters are frozen by docs/tools.md.
"""

from __future__ import annotations

from mcp_servers.protocol.signatures import Param, ToolSpec

TOOLS: tuple[ToolSpec, ...] = (
    ToolSpec(
        "web_search",
        "Search the web.",
        "read",
        (
            Param("query", "what to search for", is_required=True),
            Param("time_range", "how new the pages must be", choices=("day", "week", "month", "year")),
        ),
        is_open_world=True,
    ),
)
