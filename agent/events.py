"""The contract to front-ends: everything that happens in a session, as frozen values that survive JSON.

A front-end renders these and decides nothing. Events are stored as they are; `seq` is their place in the session's log, so a
front-end that was away asks for what came after the last one that it saw. `TextDelta`, `EngineLoading`, `PromptReading` and
`ToolProgress` are live only: they have `seq` 0 and are not stored (the text they add up to is, in `ModelReplied`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from agent.event_parts import AskedField, Attached, CallValue, Decision, EventBase, Picture, Taken, ToolClass, Usage
from agent.held_events import ToolHeld, ToolTakenBack
from agent.route_parts import RouteCost, RouteOption, RouteSignals, Shown


class TurnStarted(EventBase):
    type: Literal["turn_started"] = "turn_started"
    text: str
    """What the person typed."""
    sent_text: str
    """The user message as the model sees it (with its time line)."""
    now: str
    """The message's own time, ISO 8601 with offset."""
    who: str
    """Who typed it: `cli`, `discord:NAME`, …"""
    attached: tuple[Attached, ...] = ()
    """What was put beside it; the model sees it in `sent_text`."""
    pictures: tuple[Picture, ...] = ()
    """That were put beside it; the store has their bytes."""


class RouteChosen(EventBase):
    type: Literal["route_chosen"] = "route_chosen"
    node: str = "engine"
    """Which node answers."""
    tier: str
    model: str
    """The name sent to the engine (the tier's name)."""
    rule: str
    """Id of the rule that decided."""
    reasons: tuple[str, ...]
    """The chain of reasons, first to last."""
    n_ctx: int = 0
    """Tokens that the running model can hold; 0 when the engine did not say."""
    signals: RouteSignals | None = None
    alternatives: tuple[RouteOption, ...] = ()
    predicted: RouteCost | None = None
    hides_pictures: bool = False
    """It cannot see, and is told of the pictures of earlier turns only that there were some."""
    sees: bool = False
    """It says that it can be shown pictures."""
    shown: Shown | None = None
    """Which tools it is shown; None in a conversation from before this was asked."""
    shown_why: str = ""


class ContextTrimmed(EventBase):
    """The oldest turns have left the model's view; they stay in the log."""

    type: Literal["context_trimmed"] = "context_trimmed"
    kept_from: str
    """The oldest turn that the model still sees; empty where it sees none."""
    dropped: int
    """Turns that left."""
    n_ctx: int
    """Tokens that the model can hold."""
    summary: str = ""
    """What the model, asked before they left, wrote for itself of everything up to then; empty where they just left."""
    cause: Literal["full", "refused", "asked"] = "full"
    """`full`: seen before a turn began; `refused`: the server had said that the request was too long; `asked`: a person wanted it."""
    usage: Usage = Usage()
    """What the summary took."""


class EngineLoading(EventBase):
    type: Literal["engine_loading"] = "engine_loading"
    model: str
    phase: str
    """`queued`, `stopping`, `starting`, `loading`, `ready`."""
    elapsed_s: float
    expected_s: float | None = None
    """From the last loads of this model; None before the first."""
    percent: float | None = None
    """0 to 100 where the runtime tells it."""


class PromptReading(EventBase):
    """How far a model is with reading a prompt. Live only."""

    type: Literal["prompt_reading"] = "prompt_reading"
    total: int
    """Tokens."""
    cached: int
    """Of them, those that were there already."""
    read: int
    """Those that are there now."""
    elapsed_s: float


class TextDelta(EventBase):
    type: Literal["text_delta"] = "text_delta"
    text: str


class ModelReplied(EventBase):
    type: Literal["model_replied"] = "model_replied"
    text: str
    reasoning: str = ""
    raw: str = ""
    """The whole answer as generated, where `text` is not that: its thoughts came in it, or its calls."""
    calls: tuple[CallValue, ...] = ()
    model: str = ""
    """The physical model that answered, as the engine names it."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    processed_tokens: int | None = None
    """Of the prompt, those that the server had to read; None where it does not say."""
    first_token_s: float = 0.0
    """Seconds until its text began, loading included; 0 where nothing was shown."""
    elapsed_s: float = 0.0
    """Seconds from asking to its end."""
    money: float = 0.0
    """What it cost, in the currency of the node's prices."""
    drops_thoughts: bool = False
    """Its thoughts are not sent again with the conversation: the template of its model would not leave them where they were."""


class CacheLost(EventBase):
    """The server had to read again what it had read of this conversation before."""

    type: Literal["cache_lost"] = "cache_lost"
    cause: Literal["client", "server"]
    """`client`: the request did not begin with the bytes of the one before; `server`: it did."""
    differs_at: int | None = None
    """The first differing byte of the prompt (tools, system message, messages, one after the other)."""
    expected_tokens: int
    """The tokens of the request before, which could have been there."""
    cached_tokens: int
    """Those that were."""
    line: str
    """All of it in one sentence."""


class CallDecided(EventBase):
    type: Literal["call_decided"] = "call_decided"
    call: str
    name: str
    tool_class: ToolClass
    arguments: str
    """Canonical JSON of what will run (the prepared form where there is one)."""
    host: str = "{}"
    """Canonical JSON of what the host supplies beside them (ids, versions)."""
    verdict: Literal["allow", "ask", "deny"]
    reason: str
    headline: str = ""
    """One line of what will happen, where the call would be held before it runs."""
    details: tuple[tuple[str, str], ...] = ()
    """Label and value of everything that will happen, there too."""
    taken: tuple[Taken, ...] = ()
    """What of its arguments the model gave by handle: a question that is put again says so again."""


class ApprovalNeeded(EventBase):
    type: Literal["approval_needed"] = "approval_needed"
    approval: str
    call: str
    name: str
    tool_class: ToolClass
    summary: str
    """One line, `Create: Coffee with Marek, Fri 27 Nov 2026 10:00-11:00`."""
    lines: tuple[tuple[str, str], ...]
    """Label and value of everything that will happen."""
    digest: str
    """SHA-256 of the canonical call; an answer must carry it."""
    expires_at: str
    """ISO 8601 with offset; after it the call counts as refused."""
    definition: str = ""
    """Where the tool is described otherwise than when it was first used: the digest of what it is now, which a yes accepts too."""
    fields: tuple[AskedField, ...] = ()
    """What a tool server wants to know, of a question that is no call: a yes may carry values for them."""


class ServersMissing(EventBase):
    """Tool servers that did not start or went away, so that their tools cannot be called. Live only."""

    type: Literal["servers_missing"] = "servers_missing"
    problems: dict[str, str]
    """Why, by server, fit to be shown; empty once all are there."""


class ApprovalAnswered(EventBase):
    type: Literal["approval_answered"] = "approval_answered"
    approval: str
    call: str
    outcome: Literal["yes", "no", "expired"]
    who: str
    given: str = ""
    """SHA-256 of the values that a tool server was given with a yes."""


class ToolStarted(EventBase):
    type: Literal["tool_started"] = "tool_started"
    call: str
    name: str
    arguments: str


class ToolProgress(EventBase):
    """How far a call is, as its server says. Live only."""

    type: Literal["tool_progress"] = "tool_progress"
    call: str
    name: str
    done: float
    total: float | None = None
    """Of what `done` is a part; None where the server does not say."""
    message: str = ""
    """The server's words, fit to be shown."""


class ToolFinished(EventBase):
    type: Literal["tool_finished"] = "tool_finished"
    call: str
    name: str
    ok: bool
    decision: Decision
    text: str
    """What the model is told."""
    whole: str = ""
    """The whole result, where `text` is only its beginning."""
    pictures: tuple[Picture, ...] = ()
    """Of it, that the model is shown; the store has their bytes."""
    fields: dict[str, str] = {}
    """Values of it as canonical JSON, by the handles that the model was offered for them."""
    elapsed_s: float = 0.0
    taints: bool = False
    """Whether the text came from outside, so that the session is tainted from here on."""
    is_invalid: bool = False
    """The call could not be run as the model wrote it: an unknown name, or arguments that do not fit."""


class TurnDone(EventBase):
    type: Literal["turn_done"] = "turn_done"
    answer: str
    usage: Usage


class TurnFailed(EventBase):
    type: Literal["turn_failed"] = "turn_failed"
    error: str
    """A sentence for the person."""
    code: str
    """Stable: `engine_unreachable`, `model_failed`, `budget`, `interrupted`, `internal`."""
    is_unseen: bool = False
    """Its message alone was longer than the model can read, so the model is not shown it again."""


class TurnCancelled(EventBase):
    type: Literal["turn_cancelled"] = "turn_cancelled"
    who: str
    said: str = ""
    """What of the answer was shown by then."""


Event = (
    TurnStarted
    | RouteChosen
    | ContextTrimmed
    | EngineLoading
    | PromptReading
    | TextDelta
    | ModelReplied
    | CacheLost
    | ServersMissing
    | CallDecided
    | ApprovalNeeded
    | ApprovalAnswered
    | ToolHeld
    | ToolTakenBack
    | ToolStarted
    | ToolProgress
    | ToolFinished
    | TurnDone
    | TurnFailed
    | TurnCancelled
)
AnyEvent = TypeAdapter[Event](Annotated[Event, Field(discriminator="type")], config=ConfigDict(defer_build=True))
"""Parses one event from JSON."""
TURN_ENDS = ("turn_done", "turn_failed", "turn_cancelled")
"""Types of the event that ends a turn: exactly one per turn."""
