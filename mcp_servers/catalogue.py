"""Every tool of every server, as plain data, in the order in which a host lists them.

Pure. The model's training and the test of docs/tools.md read this; it starts no server and opens no store.
"""

from __future__ import annotations

from typing import Any

from mcp_servers.calendars.tools import TOOLS as CALENDARS
from mcp_servers.mail.tools import TOOLS as MAIL
from mcp_servers.outbox.tools import TOOLS as OUTBOX
from mcp_servers.protocol.signatures import ToolSpec
from mcp_servers.searxng.tools import TOOLS as SEARXNG
from mcp_servers.workspace.tools import TOOLS as WORKSPACE

SERVERS: dict[str, tuple[ToolSpec, ...]] = {
    "calendars": CALENDARS,
    "mail": MAIL,
    "outbox": OUTBOX,
    "searxng": SEARXNG,
    "workspace": WORKSPACE,
}


def all_tools() -> list[dict[str, Any]]:
    """One dict per tool: `server`, `name`, `class`, `description`, `input_schema`, `annotations`, `is_extended`."""
    return [
        {
            "server": server,
            "name": spec.name,
            "class": spec.tool_class,
            "description": spec.description,
            "input_schema": spec.input_schema(),
            "annotations": spec.annotations(),
            "is_extended": spec.is_extended,
        }
        for server, specs in SERVERS.items()
        for spec in specs
    ]


def core_tools() -> list[dict[str, Any]]:
    """Those that every model is shown; the small model that ships knows no others."""
    return [tool for tool in all_tools() if not tool["is_extended"]]
