"""What routing tells of itself, over the wire: the nodes as they are, what was decided and what came of it, what would be decided."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.events import RouteCost, RouteOption, RouteSignals
from agent.routes.deciding.nodes import NodeState, TierState
from agent.routes.deciding.seeing import VISION
from agent.whole_text import WholeText

DECISIONS = 20
"""How many of the last decisions are told when nobody says otherwise."""


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class TierRow(_Wire):
    """One name that a node serves."""

    name: str
    model: str
    n_ctx: int
    is_resident: bool
    unavailable: str
    load_s: float | None
    prefill_tps: float | None
    decode_tps: float | None
    sees: bool = False
    """It says that it can be shown pictures."""


class NodeRow(_Wire):
    """One node."""

    name: str
    use: Literal["auto", "named", "human"]
    is_external: bool
    health: Literal["up", "down", "unknown", "closed"]
    why: str
    """Of a node that is down or closed."""
    is_gaming: bool
    main_tier: str
    tiers: tuple[TierRow, ...]
    calls_today: int | None = None
    """None where it is not counted."""
    calls_per_day: int | None = None
    money_today: float | None = None
    money_per_day: float | None = None
    spent: str = ""
    """Which limit is reached."""


class Actual(_Wire):
    """What a turn really took at the place that was chosen."""

    requests: int
    first_token_s: float
    elapsed_s: float
    prompt_tokens: int
    completion_tokens: int
    money: float


class DecisionRow(_Wire):
    """One stored decision."""

    session: str
    turn: str
    """Of a request that was only passed on, its own id."""
    at: str
    node: str
    tier: str
    rule: str
    reasons: tuple[str, ...]
    signals: RouteSignals | None = None
    alternatives: tuple[RouteOption, ...] = ()
    predicted: RouteCost | None = None
    actual: Actual | None = None
    """None while no model has answered."""
    source: str = ""
    """Where it came from: the front-end that began the turn, or `gateway` for a request of another program."""


class RoutesReport(_Wire):
    """Answer of `GET /routes`."""

    nodes: tuple[NodeRow, ...]
    decisions: tuple[DecisionRow, ...]
    """Newest first."""


class ExplainRequest(_Wire):
    """Body of `POST /routes/explain`."""

    text: WholeText
    tier: WholeText | None = None
    task: WholeText | None = None
    latency: Literal["1s", "10s", "any"] = "any"
    history_tokens: int = Field(default=0, ge=0)
    """Of a conversation before it."""
    needs: frozenset[Literal["tools", "vision", "attachments"]] = frozenset({"tools"})
    forced: bool = False
    session: WholeText | None = None
    """A conversation that the text would go on with: where it is kept, and what is in its view, count as they do for its next turn."""


class Explanation(_Wire):
    """Answer of `POST /routes/explain`."""

    node: str
    tier: str
    rule: str
    reasons: tuple[str, ...]
    signals: RouteSignals
    alternatives: tuple[RouteOption, ...]
    predicted: RouteCost | None


def node_row(state: NodeState, *, is_counted: bool, calls: int, money: float, bounds: tuple[int | None, float | None]) -> NodeRow:
    """A node as it is told.

    Args:
        state: as it was when it was last asked.
        is_counted: its calls are entered in the ledger.
        calls: today.
        money: today.
        bounds: calls and money for one day.
    """
    health: Literal["up", "down", "unknown", "closed"] = (
        "closed" if state.closed else "down" if state.down else "unknown" if state.tiers is None else "up"
    )
    return NodeRow(
        name=state.name,
        use=state.use,
        is_external=state.is_external,
        health=health,
        why=state.closed or state.down,
        is_gaming=state.is_gaming,
        main_tier=state.main_tier,
        tiers=tuple(_tier_row(tier) for tier in (state.tiers or {}).values()),
        calls_today=calls if is_counted else None,
        calls_per_day=bounds[0],
        money_today=round(money, 6) if is_counted else None,
        money_per_day=bounds[1],
        spent=state.spent,
    )


def _tier_row(tier: TierState) -> TierRow:
    return TierRow(
        name=tier.name, model=tier.model, n_ctx=tier.n_ctx, is_resident=tier.is_resident, unavailable=tier.unavailable,
        load_s=tier.load_s, prefill_tps=tier.prefill_tps, decode_tps=tier.decode_tps,
        sees=VISION in tier.capabilities,
    )  # fmt: skip
