"""One line for each thing that happens in a turn: the wording that the chat and `variet ask` share.

Everything from outside goes through `config.plain` here, once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

from agent.calls.telling import for_person
from agent.event_parts import Beside, PictureFile
from agent.events import (
    ApprovalNeeded,
    CallDecided,
    ContextTrimmed,
    EngineLoading,
    PromptReading,
    RouteChosen,
    ServersMissing,
    ToolFinished,
    ToolProgress,
)
from agent.faces.notes import missing_notes, staying_notes, trimmed_note
from agent.held_events import ToolHeld
from agent.service.wire import SessionRow
from agent.sessions.compacting import Compacted
from config.plain import neutralise, one_line

ARGUMENT_WIDTH = 40
"""Characters of one argument; the whole is in the log."""


def arguments_of(raw: str) -> dict[str, Any]:
    """The arguments of a call as an object; empty when the model wrote none that can be read."""
    try:
        parsed = json.loads(raw)
    except json.JSONDecodeError:
        return {}
    return cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else {}


def call_line(name: str, arguments: str) -> str:
    """`list_events(when: tomorrow)`."""
    given = ", ".join(f"{key}: {_value(value)}" for key, value in arguments_of(arguments).items())
    return one_line(f"{name}({given})")


def result_line(event: ToolFinished) -> str:
    """The first line of a result, and how much more there is."""
    first, *rest = for_person(event.text).strip().splitlines() or [""]
    more = f" (+{len(rest)} line{'s' if len(rest) > 1 else ''})" if rest else ""
    return one_line(first) + more


def route_line(event: RouteChosen) -> str:
    """The tier and why."""
    return one_line(f"{event.tier}: {'; '.join(event.reasons) or event.rule}")


def trimmed_line(event: ContextTrimmed) -> str:
    """That the model has forgotten something, and how much."""
    return trimmed_note(event)


def compacted_lines(done: Compacted) -> list[str]:
    """What compacting a conversation has brought."""
    if not done.dropped:
        return ["Nothing to compact: what the model sees before the last exchange is shorter than a summary of it."]
    turns = "1 turn has" if done.dropped == 1 else f"{done.dropped} turns have"
    instead = "; a summary stands there instead" if done.is_summed_up else ""
    of = f" of {done.n_ctx:,}" if done.n_ctx else ""
    return [
        f"Compacted: about {done.had_tokens:,} tokens, now about {done.has_tokens:,}{of}.",
        f"{turns} left the model's view{instead}. All of it stays in the log; `variet sessions search` finds it.",
    ]


def missing_lines(event: ServersMissing) -> list[str]:
    """Which tool servers are not there, and why."""
    return [one_line(note) for note in missing_notes(event)]


def staying_lines(event: CallDecided) -> list[str]:
    """That what a call sends unasked reaches nobody."""
    return [one_line(note) for note in staying_notes(event)]


def loading_line(event: EngineLoading) -> str:
    """What the engine is doing, for how long, and how long it should take."""
    expected = f" of about {event.expected_s:.0f} s" if event.expected_s else " s"
    percent = f", {event.percent:.0f} %" if event.percent is not None else ""
    return one_line(f"{event.phase} {event.model}: {event.elapsed_s:.0f}{expected}{percent}")


def beside_line(beside: Beside) -> str:
    """What was put beside a message, and how much it is."""
    if isinstance(beside, PictureFile):
        return one_line(f"{beside.name} (a picture, {len(beside.content) / 1024:,.0f} KB)")
    return one_line(f"{beside.name} ({len(beside.text):,} characters)")


def reading_line(event: PromptReading) -> str:
    """How much of the prompt is read, and how long the rest should take."""
    new, done = event.total - event.cached, event.read - event.cached
    left = f", about {event.elapsed_s * (new - done) / done:.0f} s left" if 0 < done < new and event.elapsed_s else ""
    return f"reading {new:,} tokens: {done / max(1, new):.0%}{left}".replace("%", " %")


def progress_line(event: ToolProgress) -> str:
    """How far a call is, as its server says."""
    share = f" {event.done:g} of {event.total:g}" if event.total else ""
    return one_line(f"{event.name}{share}: {event.message}" if event.message else f"{event.name}{share}")


def held_line(event: ToolHeld, now: float) -> str:
    """`goes out in 8 s: Send to bruno@example.org, …`."""
    left = max(0, round(event.due - now))
    return one_line(f"goes out in {left} s: {event.summary}")


def approval_lines(event: ApprovalNeeded) -> list[str]:
    """Everything that will happen, exactly as it was prepared; nothing is cut."""
    width = max((len(label) for label, _ in event.lines), default=0)
    shown = [one_line(event.summary)]
    for label, value in event.lines:
        first, *rest = neutralise(value).splitlines() or [""]
        shown.append(f"  {one_line(label).ljust(width)}  {first}")
        shown.extend(f"  {'':{width}}  {line}" for line in rest)
    return shown


def _value(value: Any) -> str:
    return one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), ARGUMENT_WIDTH)


def waiting_line(rows: Sequence[SessionRow]) -> str:
    """What waits for the person in these conversations and how to see it; empty when nothing does."""
    waiting = [row for row in rows if row.waiting]
    if not waiting:
        return ""
    count = sum(row.waiting for row in waiting)
    what = "1 call waits" if count == 1 else f"{count} calls wait"
    more = f" (and {len(waiting) - 1} more, see /sessions)" if len(waiting) > 1 else ""
    return f"{what} for your approval: variet chat --session {waiting[0].session}{more}"
