"""Which place answers a request to the gateway, and why: the agent's own routing, over every node of the home, by what the request says.

Pure. A name that no node is known for is passed on to the engine all the same: what there is and what is not is the engine's to say.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from agent.errors import TaskUnknown
from agent.gateway.asked import Asked, NotUnderstood
from agent.route_parts import TASK_CHARS, RouteWish, check_task
from agent.routes.deciding.candidates import Kept, asked_by_program
from agent.routes.deciding.nodes import CHAT_PATH, NodeState, places_of
from agent.routes.deciding.routing import Facts, Route, RoutingRules, choose
from agent.routes.deciding.signals import CHARS_PER_TOKEN
from config.shapes.routing import LATENCIES, Latency
from inference.contract.headers import FORCE
from inference.contract.status import Capability

AUTO = "auto"
"""The name that leaves the choice to the routing; a request without a name means the same."""
BIG = "big"
"""The name that asks for the big tier, as it does everywhere in the agent."""
FORCE_BIG = "X-Force-Big"
"""Request header: `true` asks for the big tier, whatever the request's model is."""
LATENCY = "X-Variet-Latency"
"""Request header: when the answer must begin: `1s`, `10s` or `any`."""
TASK = "X-Variet-Task"
"""Request header: the type of task, instead of what the words say."""
NODE = "X-Variet-Node"
TIER = "X-Variet-Tier"
RULE = "X-Variet-Rule"
REASON = "X-Variet-Reason"
REASON_CHARS = 1000
"""Longer chains of reasons are cut: a client may bound its headers."""
ONLY_CHAT = "is only known to answer chat completions"
_TASK = "### Task:"
"""How a chat page's own request begins, which it sends as if the person had typed it: for a title, tags or questions, or what it found."""
_QUOTES = ("chat_history", "context")
"""Between which marks such a request quotes: earlier messages, or documents and pages. The last end counts: they may have marks in them."""
_NEEDS: Mapping[str, Capability] = {
    "embeddings": "embeddings",
    "rerank": "rerank",
    "reranking": "rerank",
    "audio/speech": "speech",
    "audio/transcriptions": "transcription",
}
"""Last words of a route, and what its model must be able to do. Every other route wants a language model."""


def wish_of(headers: Mapping[str, str], tasks: Collection[str]) -> RouteWish:
    """What the headers ask for.

    Args:
        headers: of the request.
        tasks: the settings' types of task.

    Raises:
        NotUnderstood: one of them has a value that it cannot have.
    """
    said, task = headers.get(LATENCY, "any"), headers.get(TASK)
    latency: Latency | None = next((each for each in LATENCIES if each == said), None)
    if latency is None:
        raise NotUnderstood(f"{LATENCY} is one of {', '.join(LATENCIES)}.")
    if task is not None and len(task) > TASK_CHARS:
        raise NotUnderstood(f"{TASK} is longer than {TASK_CHARS} characters.")
    try:
        check_task(task, tasks)
    except TaskUnknown as error:
        raise NotUnderstood(f"{TASK}: {error}") from error
    return RouteWish(forced=headers.get(FORCE_BIG, "").lower() == "true", latency=latency, task=task, by_program=True)


def needs_choice(asked: Asked, wish: RouteWish, *, has_nodes: bool) -> bool:
    """Whether something has to be chosen, so that it has to be known what can answer.

    Args:
        asked: the request.
        wish: of its headers.
        has_nodes: there is more than the one engine, so that a name may mean several places.
    """
    return wish.forced or has_nodes or asked.model in ("", AUTO, BIG)


def named(asked: Asked) -> Route:
    """A request that says itself where it goes."""
    return Route(asked.model, "named", (f'the request names "{asked.model}"',))


def decide(asked: Asked, path: str, wish: RouteWish, *, nodes: Sequence[NodeState], rules: RoutingRules, kept: Kept | None = None) -> Route:
    """Choose.

    1. The header `X-Force-Big: true`, or the name `big` where nothing of that name is served: the settings' big tier; where that cannot
       answer, a name that some node is known for.
    2. A name that some node is known for: that one, as if a person had pinned it. Any other name: the engine's to say.
    3. A route that no language model answers: the engine's first name that can do it.
    4. The agent's routing, by the newest text that the person typed. What is embedded, ranked or spoken is no such text, nor is what a
       chat page quotes beside a task of its own.

    Args:
        asked: the request.
        path: its route.
        wish: of its headers.
        nodes: every node, the engine first.
        rules: what the settings say.
        kept: where the same conversation was answered last.
    """
    model, shown = asked.model, tuple(_shown(node, path) for node in nodes)
    engine = nodes[0].tiers or {}
    need = next((_NEEDS[last] for last in _NEEDS if path.endswith(f"/{last}")), None)
    facts = _facts(asked, "" if need else _unquoted(asked.newest_text()), wish, shown, kept)
    is_known = model != AUTO and any(place.node.tiers is not None for place in places_of(model, shown))
    if wish.forced or (model == BIG and BIG not in engine):  # 1
        return choose(facts._replace(pinned=model if is_known else BIG), rules)
    if model not in ("", AUTO):  # 2
        return choose(facts._replace(pinned=model), rules) if is_known and len(nodes) > 1 else named(asked)
    able = next((tier for tier in engine.values() if need in tier.capabilities and not tier.unavailable), None)
    if able is not None:  # 3
        return Route(able.name, "capability", (f"the first that can do {need}: {able.name}",))
    return choose(facts, rules)  # 4


def headers_of(route: Route) -> dict[str, str]:
    """What the client is told of a decision."""
    reason = ascii_line("; ".join(route.reasons))[:REASON_CHARS]
    return {NODE: ascii_line(route.node), TIER: ascii_line(route.tier), RULE: ascii_line(route.rule), REASON: reason}


def force_headers(route: Route) -> dict[str, str]:
    """What tells an engine that a person's own words ask for it: only where the request asks for the big tier with the words for that."""
    return {FORCE: "true"} if route.rule == "force" else {}


def ascii_line(text: str) -> str:
    """A header holds one line of ASCII."""
    return " ".join(text.split()).encode("ascii", "backslashreplace").decode()


def _shown(node: NodeState, path: str) -> NodeState:
    """A node as a request for this route may see it."""
    return replace(node, closed=ONLY_CHAT) if node.only_chat and path != CHAT_PATH else node


def _unquoted(text: str) -> str:
    """A text without what a chat page quotes in it: a tag that stands there was for another message, or is no person's at all."""
    if not text.lstrip().startswith(_TASK):
        return text
    for name in _QUOTES:
        before, _, rest = text.partition(f"<{name}>")
        _, end, after = rest.rpartition(f"</{name}>")
        # What has no end is a person's own word, such as that of a question about such marks.
        text = before + after if end else text
    return text


def _facts(asked: Asked, text: str, wish: RouteWish, nodes: tuple[NodeState, ...], kept: Kept | None) -> Facts:
    tokens = asked.chars() // CHARS_PER_TOKEN
    facts = Facts(
        text=text,
        pinned=None,
        served=None,
        nodes=nodes,
        forced=wish.forced,
        history_tokens=max(0, tokens - len(text) // CHARS_PER_TOKEN),
        # Nothing of it can be left out on the way: all of it is the client's.
        turn_tokens=tokens,
        prompt_tokens=tokens,
        needs=asked.needs(),
        latency=wish.latency,
        task=wish.task,
        kept=kept,
    )
    return asked_by_program(facts)
