"""The nodes of a home while its service runs: looked at before a turn, asked by the route that was chosen, counted and timed.

It decides nothing: what it found goes into `agent.routes.deciding.routing`, and what was decided comes back as a stored event.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from agent.background import background_tasks
from agent.calls.assemble import Reply
from agent.engine.client import EngineClient, Served
from agent.engine.model_client import ModelClient
from agent.engine.progress import OnProgress
from agent.errors import AgentError, EngineUnreachable, ModelError
from agent.events import RouteChosen
from agent.local_time import Clock
from agent.own_databases import usable
from agent.routes.deciding.memory import RouteMemory
from agent.routes.deciding.nodes import DEFAULT_NODE, NodeState
from agent.routes.deciding.routing import Route
from agent.routes.ledger import Bounds, Ledger, Spent
from agent.routes.passed import PASSED_FILE, PassedBook
from agent.routes.places.at_work import Node, as_closed, open_node
from agent.routes.places.forwarding import Forwarded, Forwards, Passing
from agent.routes.places.meter import Meter
from agent.routes.places.reach import Reaches
from agent.routes.places.scout import ModeReader, Scout, asks_engine
from config.paths import Home
from config.schema import AgentSettings

log = logging.getLogger(__name__)
LEDGER_FILE = "routes.sqlite3"
REFUSED_FROM = 400
"""Statuses from here on cost nothing."""


@dataclass
class _Entry:
    """One call in the ledger."""

    money: float
    """What it costs, as far as it is known."""


class Router:
    """The nodes of one home. Made by `open_router`.

    Args:
        nodes: the default one first.
        ledger: what was spent.
        passed: what was decided for other programs.
        today: the person's local day, ISO 8601.
        sticky_s: the longest pause between two messages of one task.
        tasks: for looks in the background.
    """

    def __init__(
        self, nodes: Mapping[str, Node], ledger: Ledger, passed: PassedBook, *, today: Callable[[], str], sticky_s: float, tasks: TaskGroup
    ) -> None:
        self._nodes = nodes
        self._ledger = ledger
        self.passed = passed
        self._today = today
        self._sticky_s = sticky_s
        self._tasks = tasks

    @property
    def engines(self) -> dict[str, EngineClient]:
        """The nodes that are engines of ours and may be asked, as they are asked about themselves."""
        return {name: node.engine for name, node in self._nodes.items() if node.engine is not None and not node.is_closed}

    async def forget(self, session: str, *, but: Collection[str] = ()) -> frozenset[str]:
        """Have every engine throw away what it keeps of a conversation, side by side.

        Args:
            session: its id.
            but: nodes that are not asked.

        Returns:
            The nodes that have not been told: those, and who may not be asked, did not answer or is taken for dead.
        """
        untold: set[str] = set()

        async def tell(name: str, node: Node, engine: EngineClient) -> None:
            if name in but or node.is_closed or (node.scout.circuit.is_open and len(self._nodes) > 1):
                untold.add(name)
                return
            try:
                await engine.forget(session)
            except AgentError as error:
                log.info("%s has not been told of a deleted conversation: %s", name, error)
                untold.add(name)

        async with anyio.create_task_group() as tasks:
            for name, node in self._nodes.items():
                if node.engine is not None:
                    tasks.start_soon(tell, name, node, node.engine)
        return frozenset(untold)

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
        return tuple([await self._with_limits(found[name], node) for name, node in self._nodes.items()])

    def most_bytes(self, route: RouteChosen | None) -> int | None:
        """Of a request for the place that a route names, as it said when it was last looked at; None where that is not known."""
        node = self._nodes.get(route.node) if route is not None else None
        tier = (node.scout.state.tiers or {}).get(route.tier) if node is not None and route is not None else None
        return tier.max_body_bytes if tier is not None else None

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
        on_progress: OnProgress, is_forced: bool,
    ) -> Reply:  # fmt: skip
        """One answer of the place that a route names.

        Args:
            route: as it was stored; None for the default node.
            body: the request, made out to the route's tier.
            session: the conversation's name.
            on_text: gets each piece of the answer's text.
            on_progress: gets how far it is while a model is being loaded and while it reads the prompt.
            is_forced: a person forced this very request, so it passes gaming mode.

        Raises:
            EngineUnreachable: the node does not answer, or may not be asked at all or any more today.
            ModelFailed: it refused.
        """
        reckoned = route.predicted.money if route is not None and route.predicted is not None else 0.0
        began, first = time.monotonic(), 0.0

        def show(text: str) -> None:
            nonlocal first
            first = first or time.monotonic() - began
            on_text(text)

        async with self._entered(route.node if route is not None else DEFAULT_NODE, reckoned) as (node, entry):
            reply = await node.complete(body, session=session, on_text=show, on_progress=on_progress, is_forced=is_forced)
            if reply.prompt_tokens or reply.completion_tokens:  # Of who does not count, what was reckoned stays: it is not free.
                entry.money = node.money(reply.prompt_tokens, reply.completion_tokens)
        elapsed_s = time.monotonic() - began
        return replace(reply, first_token_s=round(first, 3), elapsed_s=round(elapsed_s, 3), money=round(entry.money, 6))

    @asynccontextmanager
    async def forward(self, route: Route, passing: Passing, meter: Meter, *, engine: Forwards) -> AsyncGenerator[Forwarded]:
        """Pass another program's request on to the place that was chosen for it.

        Args:
            route: the choice.
            passing: the request, made out to the route's tier.
            meter: reads along; it has the cost when the block has ended.
            engine: passes requests to the default node.

        Raises:
            EngineUnreachable: the node does not answer, or may not be asked at all or any more today.
            ModelFailed: it refused us, or its answer broke off.
        """
        async with self._entered(route.node, route.predicted.money if route.predicted is not None else 0.0) as (node, entry):
            async with (node.forward or engine)(passing) as answer:
                meter.hides_counts = answer.hides_counts
                yield replace(answer, pieces=_metered(answer.pieces, meter))
            tokens = meter.tokens()
            if answer.status >= REFUSED_FROM:
                entry.money = 0.0
            elif tokens is not None:
                entry.money = node.money(*tokens)
            meter.money = entry.money

    @asynccontextmanager
    async def _entered(self, name: str, reckoned: float) -> AsyncGenerator[tuple[Node, _Entry]]:
        """One call to a node: in the ledger before it is made and put right after it, and what it says of the node's health."""
        node = self._nodes.get(name)
        if node is None:
            raise EngineUnreachable(name, f'The settings have no node "{name}" any more.')
        if node.is_closed:  # Where it was chosen before that was so, such as before a restart.
            raise EngineUnreachable(name, f"The node {name} {node.scout.state.closed}. Ask another tier, or change routing.network.")
        day, entry = self._today(), _Entry(reckoned)
        if node.is_counted and (refused := await anyio.to_thread.run_sync(self._ledger.enter, name, day, node.bounds, reckoned)):
            raise EngineUnreachable(name, f"The node {name} has spent its limit ({refused}).")
        try:
            yield node, entry
        except EngineUnreachable as error:
            node.scout.note_failure(str(error))
            # No answer began: it was no call, or a day without a network would use up the next one's.
            if node.is_counted and not error.was_taken:
                await anyio.to_thread.run_sync(self._ledger.put_right, name, day, -reckoned, -1)
            raise
        except ModelError as error:
            if node.is_counted and error.is_refusal:
                await anyio.to_thread.run_sync(self._ledger.put_right, name, day, -reckoned)
            raise
        node.scout.note_success()
        if node.is_counted:
            await anyio.to_thread.run_sync(self._ledger.put_right, name, day, entry.money - reckoned)

    async def _with_limits(self, state: NodeState, node: Node) -> NodeState:
        bounds = node.bounds
        if bounds == Bounds():
            return state
        spent = await anyio.to_thread.run_sync(self._ledger.spent, state.name, self._today())
        left = None if bounds.money is None else max(0.0, bounds.money - spent.money)
        return replace(state, spent=bounds.reached(spent), money_left=left)


@asynccontextmanager
async def open_router(home: Home, settings: AgentSettings, engine: EngineClient, model: ModelClient, zone: Clock) -> AsyncGenerator[Router]:
    """The nodes of a home's settings, at work for the length of a block.

    Args:
        home: whose ledger and keys.
        settings: which nodes there are.
        engine: the default node, as it is asked what it serves.
        model: the default node, as it answers.
        zone: the person's clock, whose days the limits go by.

    Raises:
        AgentError: a node's certificate, the environment's proxy or a database of the home cannot be used.
    """
    weighs = any(rule.within_s is not None for rule in settings.routing.rules)
    default = NodeState(tiers=None, main_tier=settings.routing.default_tier)
    # The route of the engine itself: the mode's own port may be closed to us, and an engine that is away has no need of it.
    scout = Scout(default, asks_engine(engine, weighs=weighs), ModeReader("[engine]", engine.mode), is_only=not settings.nodes)
    nodes = {DEFAULT_NODE: Node(scout, model.complete, engine=engine)}
    async with AsyncExitStack() as held, background_tasks() as tasks:
        reaches = Reaches(held)
        for name, entry in settings.nodes.items():
            node = await open_node(name, entry, home, await reaches.of(name, entry), held, weighs=weighs)
            nodes[name] = as_closed(node, name, entry) if entry.is_external and not settings.routing.network else node
        with usable(home.state_dir / LEDGER_FILE) as file:
            ledger = Ledger(file)
        held.callback(ledger.close)
        with usable(home.state_dir / PASSED_FILE) as file:
            passed = PassedBook(file, lambda: zone.now().isoformat())
        held.callback(passed.close)
        sticky_s = settings.routing.sticky_s
        yield Router(nodes, ledger, passed, today=lambda: zone.now().date().isoformat(), sticky_s=sticky_s, tasks=tasks)


async def _metered(pieces: AsyncIterator[bytes], meter: Meter) -> AsyncGenerator[bytes]:
    async for piece in pieces:
        if shown := meter.take(piece):
            yield shown
    if rest := meter.end():
        yield rest
