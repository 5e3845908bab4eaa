"""The shape of routing in `agent.toml`: the nodes that can answer, what each may be used for, and the ordered rules that choose."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from config.vocabulary import PROBLEMS, File, Listed, Name, Problem, Section, Tag, Url, WrittenUrl, whole_address

Latency = Literal["1s", "10s", "any"]
"""How long a person would wait for an answer to begin."""
LATENCIES: tuple[Latency, ...] = ("1s", "10s", "any")
Target = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*(/[A-Za-z0-9][A-Za-z0-9._:-]*)?$", max_length=200)]
"""A tier, a node, or one tier of one node as `node/tier`."""
DEFAULT_NODE = "engine"
"""The node of the section `[engine]`."""
_PRIVATE_SUFFIXES = (".local", ".lan", ".home.arpa", ".internal")


def bare_address(url: str) -> str:
    """An engine's address as it is kept, which is without the `/v1` that people copy from other clients.

    Raises:
        ValueError: it is none; what is allowed stands in its context.
    """
    allowed = "the engine's address without a path, such as http://192.168.1.10:8000"
    refusal = PydanticCustomError("no_engine", "more than an address", {"allowed": allowed})
    try:
        parts = urlsplit(whole_address(url))
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
    except ValueError:
        raise refusal from None
    if not is_address or parts.path.rstrip("/") not in ("", "/v1") or parts.query or parts.fragment:
        raise refusal
    return f"{parts.scheme}://{parts.netloc}"


EngineUrl = Annotated[WrittenUrl, AfterValidator(bare_address)]
"""Where an engine answers; what belongs behind it is put there by its client."""


class NodeEntry(Section):
    # First, because the address is looked at with it.
    kind: Literal["engine", "openai"] = "engine"
    """`engine`: another machine with Variet's engine. `openai`: any OpenAI-compatible server. Its key is the secret `node_NAME_key`."""
    url: WrittenUrl
    """Where it answers; for an OpenAI-compatible server with its `/v1`."""
    ca: File | None = None
    """The certificate, in PEM, that vouches for an `https` address: an authority's or the machine's own; no other is trusted then. Absent:
    those of this system."""
    model: str | None = None
    """For `openai`: the model's name there. Absent: the first that the server lists."""
    context: int = Field(default=8192, ge=512)
    """For `openai`: tokens that its model can hold."""
    capabilities: Listed[Literal["tools", "vision"]] = ("tools",)
    """For `openai`: what its model can do beside answering."""
    mode_url: Url | None = None
    """Where this machine's mode is told, such as `http://192.168.1.20:18000/mode`. In GAMING, and when it cannot be read, the node
    gets only what a person forced. Absent: it has no mode."""
    external: bool | None = None
    """Whether texts sent to it leave this house. Absent: it is read off the address; a public name or address is outside."""
    human_only: bool = False
    """It answers only where a person names it, and no rule or fallback ever chooses it."""
    calls_per_day: int | None = Field(default=None, ge=0)
    """Model calls in one local day. Absent: no bound."""
    money_per_day: float | None = Field(default=None, ge=0)
    """What it may cost in one local day, in the currency of its prices. Absent: no bound."""
    price_in: float = Field(default=0, ge=0)
    """Price of a million tokens read."""
    price_out: float = Field(default=0, ge=0)
    """Price of a million tokens generated."""

    @property
    def is_external(self) -> bool:
        """Whether texts that it gets leave this house."""
        return self.external if self.external is not None else _is_outside(urlsplit(self.url).hostname or "")

    @field_validator("url")
    @classmethod
    def _an_engines_is_bare(cls, url: str, so_far: ValidationInfo) -> str:
        return bare_address(url) if so_far.data.get("kind") == "engine" else whole_address(url)

    @model_validator(mode="after")
    def _money_needs_prices(self) -> Self:
        if self.money_per_day is not None and not (self.price_in or self.price_out):
            raise PydanticCustomError(
                "no_price", "a bound in money without a price", {"allowed": "`money_per_day` beside `price_in` or `price_out`"}
            )
        return self


OWN_RULES = ("force", "pin-option", "pin-tag", "deeper", "escalation", "kept", "default", "served")
"""What routing names its own reasons; the first four are a person's word, so a rule of the settings must not pass for one."""


class RouteRule(Section):
    name: Name
    """Its name, as reasons and the log show it."""
    to: Annotated[Listed[Target], Field(min_length=1)]
    """What answers, in the order of preference: tiers, nodes, or `node/tier`; the first that can.
    `node/auto` is what that node has loaded, its first tier where it has nothing."""
    task: Name | None = None
    """Only for this type of task (see `tasks`)."""
    min_tokens: int | None = Field(default=None, ge=0)
    """Only from about this many tokens of text and history on."""
    max_tokens: int | None = Field(default=None, ge=0)
    """Only for fewer tokens than this."""
    latency: Latency | None = None
    """Only where the client asked for an answer that begins within this time."""
    within_s: float | None = Field(default=None, gt=0)
    """What would begin to answer later than this, by the rates that were measured, is passed over for the next of `to`."""
    allow_external: bool = False
    """Whether nodes outside this house may be chosen: the conversation is sent there."""


class RoutingSection(Section):
    default_tier: Name = "fast"
    """The tier for everything that no rule sends elsewhere."""
    force_tier: Target | None = None
    """The big tier, which `#force_big` and its like ask for. Absent: forcing is not possible."""
    tags: Mapping[Tag, Target] = Field(default_factory=lambda: {"#deep": "balanced", "#fast": "fast"})
    """Words that a person types to pin a message to a tier."""
    ladder: Listed[Target] = ("fast", "balanced", "deep-coder", "deep-logic", "ultra")
    """Where `#deeper`, calls that stay invalid and going in circles lead: the next of these that another model answers."""
    escalate: bool | None = None
    """Whether calls that stay invalid and going in circles lead up the ladder by themselves. Absent: yes, but not with the embedded engine
    of a fresh machine, where all tiers are one small model."""
    network: bool = True
    """Whether nodes outside this house may be used at all."""
    sticky_s: float = Field(default=1800, ge=0)
    """A conversation stays where a rule or an escalation put it, as long as the pause between two messages is shorter than this."""
    answer_tokens: int = Field(default=256, ge=1)
    """Tokens that an answer is reckoned with when times and prices are predicted."""
    tasks: Mapping[Name, Listed[str]] = Field(
        default_factory=lambda: {
            "coding": ("```", "traceback", "refactor", "stack trace", "unit test", "compile error", "pull request"),
            "research": ("research", "compare sources", "literature", "find out everything"),
        }
    )
    """Types of task by words of the newest text; the first type with a word that occurs is the task's."""
    rules: Listed[RouteRule] = ()
    """Looked at in this order, after what a person forced or pinned."""


def routing_problems(routing: RoutingSection, nodes: Mapping[str, NodeEntry]) -> Iterator[Problem]:
    """What is wrong between nodes and rules."""
    if DEFAULT_NODE in nodes:
        yield Problem(f"nodes.{DEFAULT_NODE}", "a node of that name", "another name; that one is the section [engine]")
    for i, rule in enumerate(routing.rules):
        if rule.name in OWN_RULES:
            yield Problem(
                f"routing.rules.{i}.name", f'"{rule.name}"', f"another name; routing itself gives reasons as {', '.join(OWN_RULES)}"
            )
    places = {f"routing.rules.{rule.name}.to": rule.to for rule in routing.rules}
    places |= {"routing.ladder": routing.ladder, "routing.tags": tuple(routing.tags.values())}
    places |= {"routing.force_tier": (routing.force_tier,) if routing.force_tier else ()}
    for key, targets in places.items():
        yield from _unknown_nodes(key, targets, nodes)
    for rule in routing.rules:
        if rule.task is not None and rule.task not in routing.tasks:
            yield Problem(
                f"routing.rules.{rule.name}.task", f'"{rule.task}"', f"one of {', '.join(sorted(routing.tasks)) or 'routing.tasks'}"
            )


def raise_problems(problems: Sequence[Problem]) -> None:
    """Refuse settings with these problems, if there are any."""
    if problems:
        raise PydanticCustomError("routing", "nodes and rules do not fit together", {PROBLEMS: tuple(problems)})


def _unknown_nodes(key: str, targets: Sequence[str], nodes: Mapping[str, NodeEntry]) -> Iterator[Problem]:
    known = {DEFAULT_NODE, *nodes}
    for target in targets:
        node, slash, _ = target.partition("/")
        if slash and node not in known:
            yield Problem(key, f'the node "{node}"', f"one of {', '.join(sorted(known))}")


def _is_outside(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith(_PRIVATE_SUFFIXES)
