"""One node at work: how it is looked at, who answers for it, what it may cost; made from its settings."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pydantic import SecretStr

from agent.calls.assemble import Reply
from agent.engine.client import EngineClient
from agent.engine.key import EngineKey, Whose
from agent.engine.model_client import ModelClient
from agent.engine.progress import OnProgress
from agent.late_import import late_import
from agent.routes.deciding.arithmetic import MILLION
from agent.routes.deciding.from_settings import key_name
from agent.routes.ledger import Bounds
from agent.routes.places.forwarding import EngineForward, Forwards
from agent.routes.places.reach import Reach
from agent.routes.places.scout import Scout, asks_engine, asks_list, blank_node, checks_key, closed_node, reads_mode
from config.credentials import read_key
from config.paths import Home
from config.shapes.routing import NodeEntry


class Completes(Protocol):
    """What answers for a node."""

    async def __call__(
        self, body: bytes, *, session: str, on_text: Callable[[str], None], on_progress: OnProgress, is_forced: bool
    ) -> Reply:
        """One answer; see `ModelClient.complete`."""
        ...


@dataclass(frozen=True)
class Node:
    """One node at work."""

    scout: Scout
    complete: Completes
    bounds: Bounds = Bounds()
    price_in: float = 0.0
    price_out: float = 0.0
    """Of a million tokens."""
    forward: Forwards | None = None
    """Passes other programs' requests on; None for the default node, whose gateway does that itself."""
    engine: EngineClient | None = None
    """Where it is one of ours."""

    def money(self, read: int, written: int) -> float:
        """What so many tokens cost."""
        return (read * self.price_in + written * self.price_out) / MILLION

    @property
    def is_closed(self) -> bool:
        """Nothing at all goes to it."""
        return bool(self.scout.state.closed)

    @property
    def is_counted(self) -> bool:
        """Its calls are entered in the ledger."""
        return self.bounds != Bounds() or bool(self.price_in or self.price_out)


async def open_node(name: str, entry: NodeEntry, home: Home, reach: Reach, held: AsyncExitStack, *, weighs: bool) -> Node:
    """A node of the settings.

    Args:
        name: its name.
        entry: its settings.
        home: where its key is.
        reach: its connections.
        held: what is let go of at the end.
        weighs: times are compared, so that the rest of a load that is under way is worth a request.
    """

    def read() -> SecretStr | None:
        return read_key(key_name(name), home=home)

    async def find() -> str:
        return entry.url

    key, http = EngineKey(read, Whose(f"nodes.{name}", key_name(name)), is_one_of_many=True), reach.http
    blank = blank_node(name, entry)
    bounds = Bounds(entry.calls_per_day, entry.money_per_day)
    engine = EngineClient(entry.url, key, http) if entry.kind == "engine" else None
    if engine is not None:
        ask, complete = asks_engine(engine, weighs=weighs), ModelClient(entry.url, key, reach.wire).complete
        forward: Forwards = EngineForward(find, key, http)
    else:
        # One that is outside is not asked without need: that alone would tell that we are here.
        ask = None if entry.is_external and entry.model else asks_list(entry.url, entry, key, http)
        complete, forward = await _external(name, entry, key, reach, held)
    mode = reads_mode(entry.mode_url, http) if entry.mode_url is not None else None
    return Node(Scout(blank, checks_key(key, ask, blank), mode), complete, bounds, entry.price_in, entry.price_out, forward, engine)


def as_closed(node: Node, name: str, entry: NodeEntry) -> Node:
    """A node outside this house where none may be used: it is neither asked for anything, its mode included, nor told anything."""
    return replace(node, scout=Scout(closed_node(name, entry), None))


async def _external(name: str, entry: NodeEntry, key: EngineKey, reach: Reach, held: AsyncExitStack) -> tuple[Completes, Forwards]:
    # By name and in a thread: the client takes a second to import, and most homes have no such node.
    module: Any = await late_import("agent.routes.places.external")
    server = module.OpenAIModel(name, entry.url, key, reach.trusted)
    held.push_async_callback(server.close)
    has_price = bool(entry.price_in or entry.price_out)

    async def complete(body: bytes, *, session: str, on_text: Callable[[str], None], on_progress: OnProgress, is_forced: bool) -> Reply:
        del session, on_progress, is_forced  # nothing of ours is told to it, and it loads nothing for us
        return await server.complete(body, on_text=on_text)

    return complete, lambda passing: server.forward(passing, must_count=has_price)
