"""Routing that tells of two nodes and one decision, for front-ends' tests; what it explains is decided for real."""

from __future__ import annotations

from agent.events import RouteChosen, RouteCost, RouteOption
from agent.route_parts import NO_WISH, RouteWish
from agent.routes.deciding.nodes import NodeState, TierState
from agent.routes.deciding.routing import RoutingRules, Rule
from agent.routes.desk import explain
from agent.routes.report import Actual, DecisionRow, ExplainRequest, Explanation, RoutesReport, node_row

NODES = (
    NodeState(tiers={"fast": TierState("fast", "small", 8192, prefill_tps=800.0, decode_tps=70.0)}, main_tier="fast"),
    NodeState(
        "cloud", "named", is_external=True, tiers={"glm": TierState("glm", "glm", 128_000)}, main_tier="glm", spent="3 of 3 calls today"
    ),
)
RULES = RoutingRules(
    rules=(Rule("coding", ("cloud",), task="coding"), Rule("quick", ("fast",), latency="1s")),
    tasks={"coding": ("refactor",), "research": ("research",), "cooking": ("recipe",)},
)
NOWHERE = "nowhere"
"""A tier that is not served."""


class FakeRoutes:
    async def report(self, limit: int) -> RoutesReport:
        engine = node_row(NODES[0], is_counted=False, calls=0, money=0, bounds=(None, None))
        cloud = node_row(NODES[1], is_counted=True, calls=3, money=0.25, bounds=(3, 2.0))
        decision = DecisionRow(
            session="s-1", turn="t-1", at="2026-11-20T10:00:00+01:00", node="engine", tier="fast", rule="default",
            reasons=('the rule "coding" (task coding), but cloud/glm has spent its limit (3 of 3 calls today)', "the default tier: fast"),
            alternatives=(RouteOption(name="cloud/glm", why_not="has spent its limit"),), predicted=RouteCost(begins_s=0.5, ends_s=4.0),
            actual=Actual(requests=1, first_token_s=0.6, elapsed_s=3.5, prompt_tokens=400, completion_tokens=200, money=0),
        )  # fmt: skip
        return RoutesReport(nodes=(engine, cloud), decisions=(decision,)[:limit])

    def chosen(self, turn: str, text: str, tier: str | None, wish: RouteWish) -> RouteChosen:
        """Where a turn goes: what was wished is decided for real, any tier but `NOWHERE` is served, and all else is `fast`."""
        says_more = wish.model_copy(update={"by_program": False}) != NO_WISH
        if tier != NOWHERE and (tier is not None or not says_more or wish.forced):
            name, rule = tier or ("big" if wish.forced else "fast"), "pin-option" if tier else "default"
            return RouteChosen(turn=turn, tier=name, model=name, rule=rule, reasons=("no rule matched",))
        found = explain(ExplainRequest(text=text, tier=tier, task=wish.task, latency=wish.latency), NODES, RULES)
        return RouteChosen(turn=turn, node=found.node, tier=found.tier, model=found.tier, rule=found.rule, reasons=found.reasons)

    async def explain(self, asked: ExplainRequest) -> Explanation:
        return explain(asked, NODES, RULES)
