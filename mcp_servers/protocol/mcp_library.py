"""The parts of the MCP library that a tool server needs, without the rest of it, which would double the time that each server starts.

`import mcp.server.lowlevel` runs the packages above it first, and those import the client, the high-level server and all that they need.
Here they stand in for themselves while the parts are imported, empty, and are taken away again: whoever imports them later gets the whole.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Generator
from contextlib import contextmanager

_ABOVE = ("mcp", "mcp.server")


@contextmanager
def _empty_packages() -> Generator[None]:
    if "mcp" in sys.modules:
        # Somebody in this process has paid for it already.
        yield
        return
    try:
        for name in _ABOVE:
            spec = importlib.util.find_spec(name)
            if spec is not None:
                sys.modules[name] = importlib.util.module_from_spec(spec)
        yield
    finally:
        for name in _ABOVE:
            sys.modules.pop(name, None)


with _empty_packages():
    from mcp.server.context import ServerRequestContext
    from mcp.server.lowlevel import Server
    from mcp.server.stdio import stdio_server
    from mcp.server.transport_security import TransportSecuritySettings

__all__ = ["Server", "ServerRequestContext", "TransportSecuritySettings", "stdio_server"]
