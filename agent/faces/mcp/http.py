"""The agent as an MCP server over streamable HTTP, inside the service: the same tools as over standard input and output.

It asks the service's own routes, like any other front-end; what the service allows is decided there. Imported only where a port was
asked for.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.faces.link import linked
from agent.faces.mcp.door import INVALID_REQUEST, MAX_BODY_BYTES, PATH
from agent.faces.mcp.server import build
from agent.service.address import Address
from agent.service.client import ServiceClient, new_http_client
from agent.service.faults import ServiceError
from config.paths import Home

MAX_SESSIONS = 32
"""Of clients of the older revisions; newer ones have none."""
SESSION_IDLE_S = 1800.0
"""A client that was away for longer begins a new session by itself."""


@asynccontextmanager
async def open_mcp(home: Home) -> AsyncGenerator[ASGIApp]:
    """The server of a home whose service listens, without the guard in front of it."""
    async with linked(partial(_own_service, home)) as link:
        manager = StreamableHTTPSessionManager(
            build(link), max_request_body_size=MAX_BODY_BYTES, session_idle_timeout=SESSION_IDLE_S, max_sessions=MAX_SESSIONS
        )

        async def at_its_path(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] == PATH:
                await manager.asgi_app(scope, receive, send)
            else:
                await _nothing_here(scope, receive, send)

        async with manager.run():
            yield at_its_path


@asynccontextmanager
async def _own_service(home: Home) -> AsyncGenerator[ServiceClient]:
    """The service that this is inside of. Not attached: what comes in through the door is counted there, and nothing else needs it."""
    address = Address.read(home)
    if address is None:
        raise ServiceError("The agent service has no address.")
    client = ServiceClient(new_http_client(address), address)
    try:
        yield client
    finally:
        await client.close()


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    sentence = f"There is nothing here. The agent is at {PATH}."
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": INVALID_REQUEST, "message": sentence}}
    await JSONResponse(body, 404)(scope, receive, send)
