"""A conversation written out: Markdown for people, one event a line as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from agent.calls.telling import for_person
from agent.event_parts import DEFERRED_TEXT
from agent.events import ApprovalAnswered, Event, ModelReplied, RouteChosen, ToolFinished, TurnCancelled, TurnDone, TurnFailed, TurnStarted
from agent.held_events import ToolTakenBack

Form = Literal["markdown", "jsonl"]
FORMS: tuple[Form, ...] = ("markdown", "jsonl")
_OUTCOMES = {"yes": "approved", "no": "refused", "expired": "not approved in time"}


def exported(form: Form, title: str, events: Iterable[Event]) -> str:
    """A conversation as a text.

    Args:
        form: `markdown`, or `jsonl`: the stored events as they are, thoughts and approvals included.
        title: of the conversation.
        events: all of them, oldest first.
    """
    if form == "jsonl":
        return "".join(event.model_dump_json() + "\n" for event in events)
    calls: dict[str, str] = {}
    parts = [f"# {title}\n"]
    for event in events:
        if isinstance(event, ModelReplied):
            calls |= {call.id: f"{call.name}({call.arguments})" for call in event.calls}
        parts.append(_paragraph(event, calls))
    return "\n".join(part for part in parts if part)


def _paragraph(event: Event, calls: dict[str, str]) -> str:
    match event:
        case TurnStarted():
            # What was approved later runs in a turn of its own, whose text is the host's.
            who = "variet" if event.text.startswith(DEFERRED_TEXT) else event.who
            return f"## {who}, {event.now[:16].replace('T', ' ')}\n\n{event.text}\n{_beside(event)}"
        case RouteChosen():
            return f"*{event.tier}: {'; '.join(event.reasons) or event.rule}*\n"
        case ToolFinished():
            return f"- `{calls.get(event.call, event.name)}`\n\n{_fenced(for_person(event.whole or event.text))}\n"
        case ApprovalAnswered():
            return f"*{_OUTCOMES[event.outcome]}{f' by {event.who}' if event.who else ''}*\n"
        case ToolTakenBack():
            return f"*taken back{f' by {event.who}' if event.who else ''}, before it went out*\n"
        case TurnDone():
            return f"{event.answer}\n"
        case TurnFailed():
            return f"*Failed: {event.error}*\n"
        case TurnCancelled():
            return f"{event.said.rstrip()}\n\n*Cancelled.*\n" if event.said.strip() else "*Cancelled.*\n"
        case _:
            return ""


def _beside(event: TurnStarted) -> str:
    pictures = "".join(f"\n- picture: `{each.name}` ({each.width} × {each.height})\n" for each in event.pictures)
    return pictures + "".join(f"\n- attached: `{each.name}`\n\n{_fenced(each.text)}\n" for each in event.attached)


def _fenced(text: str) -> str:
    """Text from outside in a fence that it cannot close."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text}\n{fence}"
