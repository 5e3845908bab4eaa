"""The nodes of a home while its service runs: looked at before a turn, asked by the route that was chosen, counted and timed.

It decides nothing: what it found goes into `agent.routes.routing`, and what was decided comes back as a stored event.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import anyio
import anyio.to_thread
import httpx2
from anyio.abc import TaskGroup
from pydantic import SecretStr

from agent.background import background_tasks
from agent.calls.assemble import Reply
from agent.engine.client import EngineClient, Served
from agent.engine.key import EngineKey
from agent.engine.model_client import ModelClient, timeouts
from agent.errors import EngineUnreachable
from agent.events import RouteChosen
from agent.local_time import Zone
from agent.routes.arithmetic import MILLION
from agent.routes.from_settings import key_name
from agent.routes.ledger import Bounds, Ledger, Spent
from agent.routes.memory import RouteMemory
from agent.routes.nodes import DEFAULT_NODE, NodeState
from agent.routes.scout import ModeReader, Scout, asks_engine, asks_list, blank_node
from config.credentials import read_secret
from config.paths import Home
from config.routing_settings import NodeEntry
from config.schema import AgentSettings
from config.trust import trust_of
from inference.contract.status import SwapProgress

LEDGER_FILE = "routes.sqlite3"


class Completes(Protocol):
    """What answers for a node."""

    async def __call__(
        self, body: bytes, *, session: str, on_text: Callable[[str], None], on_loading: Callable[[SwapProgress], None], is_forced: bool
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

    @property
    def is_counted(self) -> bool:
        """Its calls are entered in the ledger."""
        return self.bounds != Bounds() or bool(self.price_in or self.price_out)


class Router:
    """The nodes of one home. Made by `open_router`.

    Args:
        nodes: the default one first.
        ledger: what was spent.
        today: the person's local day, ISO 8601.
        sticky_s: the longest pause between two messages of one task.
        tasks: for looks in the background.
    """

    def __init__(self, nodes: Mapping[str, Node], ledger: Ledger, *, today: Callable[[], str], sticky_s: float, tasks: TaskGroup) -> None:
        self._nodes = nodes
        self._ledger = ledger
        self._today = today
        self._sticky_s = sticky_s
        self._tasks = tasks

    async def look(self, memory: RouteMemory) -> Served | None:
        """What can answer now; None when the only engine does not say.

        Args:
            memory: of the conversation.
        """
        states = await self.states()
        default = states[0].tiers
        if len(states) == 1 and default is None:
            return None
        tiers = default or {}
        contexts = {name: tier.n_ctx for name, tier in tiers.items()}
        return Served(frozenset(tiers), contexts, states, memory.kept(self._sticky_s))

    async def states(self) -> tuple[NodeState, ...]:
        """Every node, the default one first."""
        found: dict[str, NodeState] = {}

        async def look_at(name: str, node: Node) -> None:
            found[name] = await node.scout.look(self._tasks)

        async with anyio.create_task_group() as looks:
            for name, node in self._nodes.items():
                looks.start_soon(look_at, name, node)
        return tuple([replace(found[name], spent=await self._reached(name, node)) for name, node in self._nodes.items()])

    async def spending(self) -> dict[str, tuple[Spent, Bounds]]:
        """What each counted node was asked today, and its bounds."""
        day = self._today()
        return {
            name: (await anyio.to_thread.run_sync(self._ledger.spent, name, day), node.bounds)
            for name, node in self._nodes.items()
            if node.is_counted
        }

    async def complete(
        self, route: RouteChosen | None, body: bytes, *, session: str, on_text: Callable[[str], None],
        on_loading: Callable[[SwapProgress], None],
    ) -> Reply:  # fmt: skip
        """One answer of the place that a route names.

        Args:
            route: as it was stored; None for the default node.
            body: the request, made out to the route's tier.
            session: the conversation's name.
            on_text: gets each piece of the answer's text.
            on_loading: gets progress while a model is being loaded.

        Raises:
            EngineUnreachable: the node does not answer or may not be asked any more today.
            ModelFailed: it refused.
        """
        name = route.node if route is not None else DEFAULT_NODE
        node = self._nodes.get(name)
        if node is None:
            raise EngineUnreachable(name, f'The settings have no node "{name}" any more.')
        day, reckoned = self._today(), route.predicted.money if route is not None and route.predicted is not None else 0.0
        if node.is_counted and (refused := await anyio.to_thread.run_sync(self._ledger.enter, name, day, node.bounds, reckoned)):
            raise EngineUnreachable(name, f"The node {name} has spent its limit ({refused}).")
        began, first = time.monotonic(), 0.0

        def show(text: str) -> None:
            nonlocal first
            first = first or time.monotonic() - began
            on_text(text)

        is_forced = route is not None and route.rule == "force"
        try:
            reply = await node.complete(body, session=session, on_text=show, on_loading=on_loading, is_forced=is_forced)
        except EngineUnreachable as error:
            node.scout.note_failure(str(error))
            if node.is_counted:
                await anyio.to_thread.run_sync(self._ledger.put_right, name, day, -reckoned)
            raise
        node.scout.note_success()
        money = (reply.prompt_tokens * node.price_in + reply.completion_tokens * node.price_out) / MILLION
        if node.is_counted:
            await anyio.to_thread.run_sync(self._ledger.put_right, name, day, money - reckoned)
        return replace(reply, first_token_s=round(first, 3), elapsed_s=round(time.monotonic() - began, 3), money=round(money, 6))

    async def _reached(self, name: str, node: Node) -> str:
        if node.bounds == Bounds():
            return ""
        return node.bounds.reached(await anyio.to_thread.run_sync(self._ledger.spent, name, self._today()))


@asynccontextmanager
async def open_router(home: Home, settings: AgentSettings, engine: EngineClient, model: ModelClient, zone: Zone) -> AsyncGenerator[Router]:
    """The nodes of a home's settings, at work for the length of a block.

    Args:
        home: whose ledger and keys.
        settings: which nodes there are.
        engine: the default node, as it is asked what it serves.
        model: the default node, as it answers.
        zone: the person's clock, whose days the limits go by.
    """
    weighs = any(rule.within_s is not None for rule in settings.routing.rules)
    default = NodeState(tiers=None, main_tier=settings.routing.default_tier)
    nodes = {DEFAULT_NODE: Node(Scout(default, asks_engine(engine, weighs=weighs), is_only=not settings.nodes), model.complete)}
    async with AsyncExitStack() as held, background_tasks() as tasks:
        if settings.nodes:
            # A client of their own: what vouches for the engine vouches for no other machine.
            http = await held.enter_async_context(httpx2.AsyncClient(timeout=timeouts(), trust_env=False, verify=trust_of(None)))
            for name, entry in settings.nodes.items():
                nodes[name] = await _node(name, entry, home, http, held, weighs=weighs)
        ledger = Ledger(home.state_dir / LEDGER_FILE)
        held.callback(ledger.close)
        yield Router(nodes, ledger, today=lambda: zone.now().date().isoformat(), sticky_s=settings.routing.sticky_s, tasks=tasks)


async def _node(name: str, entry: NodeEntry, home: Home, http: httpx2.AsyncClient, held: AsyncExitStack, *, weighs: bool) -> Node:
    def read_key() -> SecretStr | None:
        return read_secret(key_name(name), home=home)

    key = EngineKey(read_key)
    blank = blank_node(name, entry)
    if entry.kind == "engine":
        ask, complete = asks_engine(EngineClient(entry.url, key, http), weighs=weighs), ModelClient(entry.url, key, http).complete
    else:
        # One that is outside is not asked without need: that alone would tell that we are here.
        ask = None if entry.is_external and entry.model else asks_list(entry.url, entry, key, http)
        complete = await _external(name, entry, key, held)
    mode = ModeReader(entry.mode_url, http) if entry.mode_url is not None else None
    bounds = Bounds(entry.calls_per_day, entry.money_per_day)
    return Node(Scout(blank, ask, mode), complete, bounds, entry.price_in, entry.price_out)


async def _external(name: str, entry: NodeEntry, key: EngineKey, held: AsyncExitStack) -> Completes:
    # By name and in a thread: the client takes a second to import, and most homes have no such node.
    module: Any = await anyio.to_thread.run_sync(importlib.import_module, "agent.routes.external")
    server = module.OpenAIModel(name, entry.url, key)
    held.push_async_callback(server.close)

    async def complete(
        body: bytes, *, session: str, on_text: Callable[[str], None], on_loading: Callable[[SwapProgress], None], is_forced: bool
    ) -> Reply:
        del session, on_loading, is_forced  # nothing of ours is told to it, and it loads nothing for us
        return await server.complete(body, on_text=on_text)

    return complete
