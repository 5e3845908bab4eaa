"""Answers questions about routing: how the nodes are, what was decided and what came of it, what would be decided for a text."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import anyio.to_thread

from agent.errors import SessionNotFound
from agent.events import AnyEvent, Event, ModelReplied, RouteChosen
from agent.route_parts import check_task
from agent.routes.deciding.candidates import Kept
from agent.routes.deciding.from_settings import rules_of
from agent.routes.deciding.memory import RouteMemory
from agent.routes.deciding.nodes import NodeState, TierState
from agent.routes.deciding.routing import Facts, RoutingRules, choose
from agent.routes.deciding.seeing import VISION, can_see
from agent.routes.deciding.signals import CHARS_PER_TOKEN
from agent.routes.ledger import Bounds, Spent
from agent.routes.places.scout import blank_node
from agent.routes.report import Actual, DecisionRow, ExplainRequest, Explanation, NodeRow, RoutesReport, node_row
from agent.routes.router import Router
from config.schema import AgentSettings

_DECISIONS = """SELECT e.session, e.turn, e.at, e.seq FROM events e WHERE e.type = 'route_chosen'
    AND e.seq > (SELECT copied FROM sessions WHERE id = e.session) ORDER BY e.at DESC, e.seq DESC LIMIT ?"""
"""Not what a copy of a conversation took over: that was decided once."""
_OF_TURN = "SELECT body FROM events WHERE session = ? AND turn = ? AND seq >= ? AND type IN ('route_chosen', 'model_replied') ORDER BY seq"

_WHO = "SELECT json_extract(body, '$.who') FROM events WHERE session = ? AND turn = ? AND type = 'turn_started' LIMIT 1"


class Standing(NamedTuple):
    """A conversation as its next turn would find it."""

    memory: RouteMemory
    tokens: int
    """In its view."""
    has_pictures: bool


AsStands = Callable[[str], Awaitable[Standing]]


async def no_conversation(session: str) -> Standing:
    """Where none is kept."""
    raise SessionNotFound(session)


class RouteDesk:
    """Routing of one home, for whoever asks.

    Args:
        router: the nodes.
        rules: of the settings.
        log: the session log's file, which is only read here.
        standing: how a conversation stands, by its id.
    """

    def __init__(self, router: Router, rules: RoutingRules, log: Path, standing: AsStands = no_conversation) -> None:
        self._router = router
        self._rules = rules
        self._log = log
        self._standing = standing

    async def report(self, limit: int) -> RoutesReport:
        """Nodes and last decisions.

        Args:
            limit: most decisions.
        """
        states, spending = await self._router.states(), await self._router.spending()
        rows = [_row(state, spending.get(state.name)) for state in states]
        decisions = await anyio.to_thread.run_sync(partial(decisions_of, self._log, limit))
        passed = await anyio.to_thread.run_sync(self._router.passed.last, limit)
        newest = sorted([*decisions, *passed], key=lambda row: datetime.fromisoformat(row.at), reverse=True)
        return RoutesReport(nodes=tuple(rows), decisions=tuple(newest[:limit]))

    async def explain(self, asked: ExplainRequest) -> Explanation:
        """What would be decided now; nothing is asked of any model, and nothing is stored.

        Raises:
            SessionNotFound: the conversation that it names is not there.
            TaskUnknown: the settings have no such type of task.
        """
        if asked.session is None:
            return explain(asked, await self._router.states(), self._rules)
        stands = await self._standing(asked.session)
        found = await self._router.look(stands.memory)
        nodes, kept = (found.nodes, found.kept) if found is not None else (await self._router.states(), None)
        asked = asked.model_copy(update={"history_tokens": asked.history_tokens + stands.tokens})
        if stands.has_pictures:
            seeing = explain(asked.model_copy(update={"needs": asked.needs | {VISION}}), nodes, self._rules, kept)
            if can_see(_tier_of(seeing, nodes)):
                return seeing
            # As its turn would: those of earlier ones are left out where nobody sees.
        return explain(asked, nodes, self._rules, kept)


def explain(asked: ExplainRequest, nodes: Sequence[NodeState], rules: RoutingRules, kept: Kept | None = None) -> Explanation:
    """What would be decided for a text with nodes as they are given.

    Args:
        asked: the text, and what else counts.
        nodes: the default one first.
        rules: of the settings.
        kept: where the conversation was answered last.

    Raises:
        TaskUnknown: the settings have no such type of task.
    """
    check_task(asked.task, rules.tasks)
    tokens = len(asked.text) // CHARS_PER_TOKEN
    route = choose(
        Facts(
            asked.text, asked.tier, None, tuple(nodes), forced=asked.forced, history_tokens=asked.history_tokens, turn_tokens=tokens,
            prompt_tokens=asked.history_tokens + tokens, needs=frozenset(asked.needs), latency=asked.latency, task=asked.task, kept=kept,
        ),
        rules,
    )  # fmt: skip
    return Explanation(
        node=route.node, tier=route.tier, rule=route.rule, reasons=route.reasons, signals=route.signals,
        alternatives=route.alternatives, predicted=route.predicted,
    )  # fmt: skip


def _tier_of(route: Explanation, nodes: Sequence[NodeState]) -> TierState | None:
    node = next((each for each in nodes if each.name == route.node), None)
    return (node.tiers or {}).get(route.tier) if node is not None else None


def explain_offline(asked: ExplainRequest, settings: AgentSettings) -> Explanation:
    """The same by the settings alone: every node is taken to be up and to serve whatever it is asked for.

    Raises:
        TaskUnknown: the settings have no such type of task.
    """
    nodes = [NodeState(main_tier=settings.routing.default_tier)]
    for name, entry in settings.nodes.items():
        blank = blank_node(name, entry)
        nodes.append(replace(blank, tiers=blank.tiers or None, main_tier=blank.main_tier or "any", is_gaming=False))
    return explain(asked, nodes, rules_of(settings.routing))


def decisions_of(log: Path, limit: int) -> list[DecisionRow]:
    """The last decisions in a session log, newest first."""
    with closing(sqlite3.connect(f"{log.as_uri()}?mode=ro", uri=True)) as db:
        found = db.execute(_DECISIONS, (limit,)).fetchall()
        return [_decision(session, at, _events(db, session, turn, seq), _source(db, session, turn)) for session, turn, at, seq in found]


def _events(db: sqlite3.Connection, session: str, turn: str, seq: int) -> list[Event]:
    return [AnyEvent.validate_json(row[0]) for row in db.execute(_OF_TURN, (session, turn, seq))]


def _source(db: sqlite3.Connection, session: str, turn: str) -> str:
    row = db.execute(_WHO, (session, turn)).fetchone()
    return str(row[0]) if row is not None else ""


def _decision(session: str, at: str, events: Sequence[Event], source: str) -> DecisionRow:
    """One decision with what came of it until the next one of its turn."""
    route = events[0]
    assert isinstance(route, RouteChosen)
    later = next((index for index, event in enumerate(events[1:], 1) if isinstance(event, RouteChosen)), len(events))
    return DecisionRow(
        session=session, turn=route.turn, at=at, node=route.node, tier=route.tier, rule=route.rule, reasons=route.reasons,
        signals=route.signals, alternatives=route.alternatives, predicted=route.predicted, actual=_actual(events[1:later]),
        source=source,
    )  # fmt: skip


def _actual(events: Iterable[Event]) -> Actual | None:
    replies = [event for event in events if isinstance(event, ModelReplied)]
    if not replies:
        return None
    return Actual(
        requests=len(replies),
        first_token_s=replies[0].first_token_s,
        elapsed_s=round(sum(reply.elapsed_s for reply in replies), 3),
        prompt_tokens=sum(reply.prompt_tokens for reply in replies),
        completion_tokens=sum(reply.completion_tokens for reply in replies),
        money=round(sum(reply.money for reply in replies), 6),
    )


def _row(state: NodeState, spending: tuple[Spent, Bounds] | None) -> NodeRow:
    spent, bounds = spending or (Spent(), Bounds())
    return node_row(state, is_counted=spending is not None, calls=spent.calls, money=spent.money, bounds=(bounds.calls, bounds.money))
