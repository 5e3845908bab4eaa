"""The sending tools as served, in their served order.

Pure. Names and parameters are frozen by docs/tools.md.
"""

from __future__ import annotations

from mcp_servers.protocol.signatures import Param, ToolSpec

TOOLS: tuple[ToolSpec, ...] = (
    ToolSpec(
        "send_mail",
        "Send a new mail.",
        "send",
        (
            Param("to", "an address, or the name of someone who has written before", is_required=True),
            Param("body", "the text", is_required=True),
            Param("subject", "the subject"),
        ),
        is_open_world=True,
    ),
    ToolSpec(
        "send_draft",
        "Send a saved draft.",
        "send",
        (Param("draft", "its id, such as d3, or last", is_required=True),),
        is_open_world=True,
    ),
)
