"""Which errors of the MCP library say that a server is gone, and which are what the server itself has answered.

The library's errors are of the same kind as a server's and have numbers that JSON-RPC leaves to servers for errors of their own, so its
texts, which are few, tell them apart.
"""

from __future__ import annotations

import re
from typing import cast

import anyio

SESSION_GONE = "Session terminated"
"""What the library says where an address has forgotten our session; `agent.tools.transports` sees to it that it does."""
_CLOSED = re.compile(r"Connection closed|SSE stream ended (?:without a response|and reconnection .*)|SSE stream failed: .*", re.DOTALL)
_TIMED_OUT = re.compile(r"Request '[^']*' timed out")


def is_session_gone(error: BaseException) -> bool:
    """Whether this is what the library says where an address knows our session no more. A server may use the same words for its own error:
    only beside `Ears.forgotten` is it sure that what was asked was not taken.
    """
    from mcp import MCPError
    from mcp_types import INVALID_REQUEST

    return isinstance(error, MCPError) and (error.code, error.message) == (INVALID_REQUEST, SESSION_GONE)


def is_closed_error(error: BaseException) -> bool:
    """Whether the server is gone, as against one call having failed."""
    from mcp import MCPError
    from mcp_types import CONNECTION_CLOSED

    if isinstance(error, MCPError):
        return error.code == CONNECTION_CLOSED and _CLOSED.fullmatch(error.message) is not None
    return isinstance(error, (anyio.ClosedResourceError, anyio.BrokenResourceError))


def is_unanswered(error: BaseException) -> bool:
    """Whether no answer came to a call: the server is gone, or the library has waited long enough."""
    from mcp import MCPError
    from mcp_types import REQUEST_TIMEOUT

    if isinstance(error, MCPError) and error.code == REQUEST_TIMEOUT:
        return _TIMED_OUT.fullmatch(error.message) is not None
    return is_closed_error(error)


def first_of(error: BaseException) -> BaseException:
    """The error itself, or the first of a group."""
    return first_of(cast("BaseExceptionGroup[BaseException]", error).exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def first_line(error: BaseException) -> str:
    """What is told of an error in one line."""
    first = first_of(error)
    return (str(first) or type(first).__name__).splitlines()[0]
