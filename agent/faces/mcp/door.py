"""Where other programs reach the agent as an MCP server over HTTP: its path, its token and how it says no.

The token is another one than the gateway's: who has it reads sessions, and brings the answers to what the agent asks a person.
"""

from __future__ import annotations

from pydantic import SecretStr
from starlette.responses import JSONResponse, Response

from agent.kept_token import kept_token
from agent.service.door import Door
from config.paths import Home

TOKEN = "mcp_agent_token"
PATH = "/mcp"
MAX_BODY_BYTES = 28 << 20
"""A task with as many pictures as may stand beside one."""
UNAUTHORIZED = 401
INVALID_REQUEST = -32600
"""JSON-RPC's number for a request that is none; a client of the protocol shows the sentence beside it."""


def mcp_token(home: Home) -> SecretStr:
    """The home's token, made now where there is none.

    Raises:
        CredentialError: there is one that others can read.
    """
    return kept_token(TOKEN, "va", home)


def mcp_door(home: Home, port: int | None) -> Door:
    """What the service is told of it.

    Raises:
        CredentialError: there is a port, and a token that others can read.
    """
    token = None if port is None else mcp_token(home)
    return Door(port, token, name="MCP server", path=PATH, refuse=refuse, max_body_bytes=MAX_BODY_BYTES)


def refuse(status: int, code: str, message: str) -> Response:
    """A refusal in the form that MCP's clients know."""
    if code == "invalid_token":
        message = "A token is needed: `variet mcp-agent --token` prints it."
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": INVALID_REQUEST, "message": message}}
    return JSONResponse(body, status, {"WWW-Authenticate": "Bearer"} if status == UNAUTHORIZED else None)
