"""What a turn is told and what it asks for in return, as frozen values; the loop carries them out, the turn only decides.

`Record` effects are committed to the log, all of one step in one transaction, before any other effect of that step starts. When a
turn ends, its loop stops whatever is still under way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from agent.calls.assemble import Reply
from agent.changing import changed
from agent.event_parts import Picture
from agent.events import ApprovalAnswered, Event, Usage
from agent.held_events import ToolTakenBack
from agent.routes.deciding.candidates import Kept
from agent.routes.deciding.nodes import NodeState
from agent.turns.budget import Limits
from agent.turns.turn_state import Rules, Stage, TurnState, apply
from agent.view.messages import Manner
from agent.view.prompt import canonical_json
from agent.view.window import Cut, View

# --- what a turn is told ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Begun:
    """Go on from what the log says: the first step of a new turn and of one that a restart interrupted."""


@dataclass(frozen=True)
class TiersKnown:
    served: frozenset[str] | None
    """None when the engine did not say."""
    contexts: Mapping[str, int] = field(default_factory=dict[str, int])
    """Tokens that each served name can hold."""
    view: View = View()
    nodes: tuple[NodeState, ...] = ()
    kept: Kept | None = None
    """Where the conversation was answered last."""


@dataclass(frozen=True)
class Replied:
    reply: Reply


@dataclass(frozen=True)
class Overflowed:
    """The request was longer than the model's context."""

    prompt_tokens: int
    n_ctx: int
    view: View
    sentence: str


@dataclass(frozen=True)
class Summarised:
    """The model was asked to sum up what is about to leave its view."""

    leaving: Cut
    n_ctx: int
    summary: str
    """Empty when there is none, for whatever reason."""
    usage: Usage = Usage()


@dataclass(frozen=True)
class Broke:
    """The turn cannot go on."""

    code: Literal["engine_unreachable", "model_failed", "interrupted", "internal"]
    sentence: str


@dataclass(frozen=True)
class Prepared:
    call: str
    arguments: str
    """Canonical JSON."""
    host: str
    summary: str
    lines: tuple[tuple[str, str], ...]


def prepared_from(call: str, told: Mapping[str, Any]) -> Prepared:
    """What a server's dry run told of a call."""
    return Prepared(
        call,
        canonical_json(told.get("arguments") or {}),
        canonical_json(told.get("host") or {}),
        str(told.get("summary") or ""),
        tuple((str(label), str(value)) for label, value in told.get("lines") or ()),
    )


@dataclass(frozen=True)
class RulesKnown:
    """The model that was chosen is shown other tools than the rules spoke of."""

    rules: Rules


@dataclass(frozen=True)
class PrepareRefused:
    call: str
    text: str


@dataclass(frozen=True)
class Answered:
    approval: str
    is_granted: bool
    who: str


@dataclass(frozen=True)
class Asking:
    """The server of a call asks the person something, or has its answer or none by now."""

    call: str
    is_open: bool


@dataclass(frozen=True)
class TakenBack:
    """A person wants a held call not to run."""

    hold: str
    who: str


@dataclass(frozen=True)
class ToolEnded:
    call: str
    ok: bool
    text: str
    elapsed_s: float = 0.0
    structured: Mapping[str, Any] | None = None
    """The result's fields, where it has some."""
    pictures: tuple[Picture, ...] = ()
    """That the model is shown."""


@dataclass(frozen=True)
class CancelAsked:
    who: str
    said: str = ""
    """What of the answer was shown."""


@dataclass(frozen=True)
class Woke:
    """The time given by `wake_at` has come."""

    said: str = ""
    """What of an answer was shown."""


TurnInput = (
    Begun | TiersKnown | RulesKnown | Replied | Overflowed | Summarised | Broke | Prepared | PrepareRefused | Answered | TakenBack
    | Asking | ToolEnded | CancelAsked | Woke
)  # fmt: skip


def was_taken(given: TurnInput, recorded: Event) -> bool:
    """Whether what was recorded is the answer that was given: the turn may have ended on it, and said no itself."""
    if isinstance(given, TakenBack) and isinstance(recorded, ToolTakenBack):
        return (recorded.hold, recorded.who) == (given.hold, given.who)
    if not isinstance(given, Answered) or not isinstance(recorded, ApprovalAnswered):
        return False
    return (recorded.approval, recorded.outcome) == (given.approval, "yes" if given.is_granted else "no")


# --- what it asks for -------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    event: Event


@dataclass(frozen=True)
class LookUpTiers:
    pass


@dataclass(frozen=True)
class CallModel:
    tier: str
    manner: Manner = "usual"


@dataclass(frozen=True)
class Summarise:
    """Have the model sum up the conversation before its oldest turns leave."""

    tier: str
    leaving: Cut
    n_ctx: int


@dataclass(frozen=True)
class PrepareCall:
    call: str
    name: str
    arguments: str


@dataclass(frozen=True)
class RunTool:
    call: str
    name: str
    arguments: str
    host: str
    is_read: bool
    """It may be sent again when its server dies."""


Effect = Record | LookUpTiers | CallModel | Summarise | PrepareCall | RunTool


class Step(NamedTuple):
    state: TurnState
    effects: tuple[Effect, ...]
    wake_at: float | None
    """Epoch seconds at which `Woke` is due; None to wait for an input."""


@dataclass
class Draft:
    """One step in the making. `record` is the only way in which the state changes for good, so the log and the state cannot differ."""

    state: TurnState
    now: float
    effects: list[Effect] = field(default_factory=list[Effect])

    def record(self, event: Event) -> None:
        self.state = apply(self.state, event)
        self.effects.append(Record(event))

    def do(self, effect: Effect) -> None:
        self.effects.append(effect)

    def to_stage(self, stage: Stage) -> None:
        """Follows from what was recorded: when the last result is in, the fold cannot know that the model is next."""
        self.state = changed(self.state, stage=stage)

    def usage(self) -> Usage:
        """What the turn used up to now."""
        used = self.state.usage
        return used.model_copy(update={"elapsed_s": round(self.state.active_s, 3), "money": round(used.money, 6)})

    def count_time(self) -> None:
        """Add the time since the last step, if the turn was working."""
        state = self.state
        if state.active_since is not None:
            worked = max(0.0, self.now - state.active_since)
            self.state = changed(state, active_s=state.active_s + worked)

    def finish(self) -> Step:
        limits: Limits = self.state.rules.limits
        state = changed(self.state, active_since=self.now if self.state.is_timed else None)
        if state.stage == "ended":
            return Step(state, tuple(self.effects), None)
        times = [call.expires_at for call in state.calls if call.phase == "waiting"] + [held.due for held in state.held]
        if state.is_timed:
            times.append(self.now + limits.turn_timeout_s - state.active_s)
        return Step(state, tuple(self.effects), min(times) if times else None)
