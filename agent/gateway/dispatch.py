"""One request that has to be routed: decided over the home's nodes, written down, passed on, decided anew where a node does not answer."""

from __future__ import annotations

import time
import uuid
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

import anyio
import anyio.to_thread

from agent.errors import EngineUnreachable
from agent.events import RouteChosen
from agent.gateway.asked import Asked
from agent.gateway.deciding import decide, headers_of
from agent.gateway.relay import Upstream
from agent.route_parts import RouteWish
from agent.routes.deciding.candidates import Kept
from agent.routes.deciding.memory import RouteMemory
from agent.routes.deciding.routing import Route, RoutingRules
from agent.routes.places.forwarding import Forwarded, Passing
from agent.routes.places.meter import Meter
from agent.routes.report import Actual, DecisionRow
from agent.routes.router import Router

SOURCE = "gateway"
MOST_ROUTES = 4
"""Of one request: more nodes than this that die one after the other are a network that is gone."""
SETTLE_BOUND_S = 2.0
"""Writing down what came of a request whose client has left already."""
CONVERSATIONS = 1000
"""That are remembered; of more, the oldest are routed anew."""
NOT_REMEMBERED = frozenset({"named", "capability"})
"""Rules that say nothing of where a conversation belongs."""


@dataclass
class Dispatcher:
    """What all requests of one gateway share."""

    router: Router
    upstream: Upstream
    rules: RoutingRules
    _memories: OrderedDict[str, RouteMemory] = field(default_factory=OrderedDict[str, RouteMemory])

    def kept(self, session: str) -> Kept | None:
        """Where a conversation was answered last, from now on taken for going on.

        Args:
            session: its name; empty for a request that belongs to none.
        """
        if not session:
            return None
        memory = self._memories.pop(session, RouteMemory())
        self._memories[session] = memory = replace(memory, before=memory.now, now=self.router.passed.now())
        if len(self._memories) > CONVERSATIONS:
            self._memories.popitem(last=False)
        return memory.kept(self.rules.sticky_s)

    def remember(self, session: str, route: Route) -> None:
        """Note where it is answered now."""
        if session in self._memories and route.rule not in NOT_REMEMBERED:
            chosen = RouteChosen(turn="", node=route.node, tier=route.tier, model=route.tier, rule=route.rule, reasons=route.reasons)
            self._memories[session] = self._memories[session].after(chosen)


class Dispatch:
    """One request's way.

    Args:
        shared: of the gateway.
        asked: the request.
        wish: of its headers.
        session: its conversation's name; empty for none.
        make_out: the request as it is sent to the place of a route.
        path: its route.
    """

    def __init__(
        self, shared: Dispatcher, asked: Asked, wish: RouteWish, *, session: str, make_out: Callable[[Route], Passing], path: str
    ) -> None:
        self._shared = shared
        self._asked = asked
        self._wish = wish
        self._session = session
        self._make_out = make_out
        self._id = f"g-{uuid.uuid4().hex[:12]}"
        self._told: Mapping[str, str] = {}
        self.path = path

    def told(self) -> Mapping[str, str]:
        """See `Way`: the decision that counts."""
        return self._told

    @asynccontextmanager
    async def answer(self) -> AsyncGenerator[Forwarded]:
        """See `Way`."""
        await self._shared.upstream.ensure()
        kept = self._shared.kept(self._session)
        async with AsyncExitStack() as held:
            yield await self._open(held, kept)

    async def _open(self, held: AsyncExitStack, kept: Kept | None) -> Forwarded:
        for left in reversed(range(MOST_ROUTES)):
            nodes = await self._shared.router.states()
            route = decide(self._asked, self.path, self._wish, nodes=nodes, rules=self._shared.rules, kept=kept)
            self._told = headers_of(route)
            self._shared.remember(self._session, route)
            try:
                return await held.enter_async_context(self._passed(route))
            except EngineUnreachable:
                if len(nodes) == 1 or not left:
                    raise
        raise AssertionError

    @asynccontextmanager
    async def _passed(self, route: Route) -> AsyncGenerator[Forwarded]:
        """The answer of one place; the decision is kept before it is asked, and what came of it afterwards."""
        shared, meter = self._shared, Meter(time.monotonic)
        row = DecisionRow(
            session=self._session, turn=self._id, at=shared.router.passed.now(), node=route.node, tier=route.tier, rule=route.rule,
            reasons=route.reasons, signals=route.signals, alternatives=route.alternatives, predicted=route.predicted, source=SOURCE,
        )  # fmt: skip
        number = await anyio.to_thread.run_sync(shared.router.passed.enter, row)
        try:
            async with shared.router.forward(route, self._make_out(route), meter, engine=shared.upstream.forward) as answer:
                yield answer
        finally:
            if meter.first_s:
                with anyio.move_on_after(SETTLE_BOUND_S, shield=True):
                    await anyio.to_thread.run_sync(shared.router.passed.settle, number, row, _actual(meter))


def _actual(meter: Meter) -> Actual:
    read, written = meter.tokens() or (0, 0)
    meter.end()
    return Actual(
        requests=1, first_token_s=round(meter.first_s, 3), elapsed_s=round(meter.elapsed_s, 3), prompt_tokens=read,
        completion_tokens=written, money=round(meter.money, 6),
    )  # fmt: skip
