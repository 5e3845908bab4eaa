"""The connections over which nodes are asked: those that this system vouches for share them, and each certificate of a house has its own.

None are those of the engine: what vouches for it vouches for no other machine.
"""

from __future__ import annotations

import ssl
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Literal, NamedTuple

import httpx2

from agent.engine.model_client import http_client
from agent.engine.wire import Wire
from agent.errors import AgentError
from config.network.trust import CertificatesRefused, trust_of
from config.shapes.routing import NodeEntry


class Reach(NamedTuple):
    """How one node is reached."""

    http: httpx2.AsyncClient
    wire: Wire
    """For the answers of models."""
    trusted: ssl.SSLContext | Literal[True]
    """Who may vouch for it."""


class Reaches:
    """The connections of a home's nodes.

    Args:
        held: closes them.
    """

    def __init__(self, held: AsyncExitStack) -> None:
        self._held = held
        self._by_ca: dict[Path | None, Reach] = {}

    async def of(self, name: str, entry: NodeEntry) -> Reach:
        """How the node of this name is reached.

        Raises:
            AgentError: its certificate cannot be used.
        """
        if entry.ca not in self._by_ca:
            try:
                trusted = trust_of(entry.ca)
            except CertificatesRefused as error:
                raise AgentError(f"nodes.{name}.ca in agent.toml: {error}") from error
            # As many connections as are asked for: each may hold a stream open for minutes.
            # llama-server gives an idle connection up after 5 seconds: ours goes before, so that no request is sent into a closing one.
            client = http_client(trusted, most=None, kept=8, keep_s=3)
            http, wire = await self._held.enter_async_context(client), await self._held.enter_async_context(Wire(trusted))
            self._by_ca[entry.ca] = Reach(http, wire, trusted)
        return self._by_ca[entry.ca]
