"""What was said and done in a conversation, read from its events: the last exchange, its calls, and where to cut before it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from agent.calls.telling import for_person
from agent.event_parts import DEFERRED_TEXT
from agent.events import TURN_ENDS, CallDecided, Event, ToolFinished, TurnCancelled, TurnDone, TurnStarted
from bots.lines import call_line


class Exchange(NamedTuple):
    """One message and what came of it."""

    turn: str
    text: str
    """What the person typed; empty where the turn was the host's own."""
    answer: str
    done: tuple[str, ...]
    """Calls that changed something, as lines."""
    before: str | None
    """The turn before it; None where it was the first."""


def last_exchange(events: Sequence[Event]) -> Exchange | None:
    """The last turn that has ended; None where there is none."""
    ended = [event.turn for event in events if event.type in TURN_ENDS]
    if not ended:
        return None
    turn = ended[-1]
    text = next((event.text for event in events if isinstance(event, TurnStarted) and event.turn == turn), "")
    return Exchange(
        turn=turn,
        text="" if text.startswith(DEFERRED_TEXT) else text,
        answer=next((_answer_in(event) for event in reversed(events) if event.turn == turn and event.type in TURN_ENDS), ""),
        done=_done(event for event in events if event.turn == turn),
        before=ended[-2] if len(ended) > 1 else None,
    )


def _answer_in(end: Event) -> str:
    """What was said in a turn, by its end."""
    match end:
        case TurnDone():
            return end.answer
        case TurnCancelled():
            return end.said
        case _:
            return ""


def last_typed(events: Sequence[Event]) -> str:
    """What the person asked last; empty for nothing."""
    typed = [event.text for event in events if isinstance(event, TurnStarted) and not event.text.startswith(DEFERRED_TEXT)]
    return typed[-1] if typed else ""


def unfolded(events: Sequence[Event]) -> str:
    """The calls of the last turn that made any, each with its whole result; empty where none was made."""
    finished = [event for event in events if isinstance(event, ToolFinished)]
    decided = {(event.turn, event.call): event for event in events if isinstance(event, CallDecided)}
    shown: list[str] = []
    for event in finished:
        if event.turn != finished[-1].turn:
            continue
        call = decided.get((event.turn, event.call))
        line = f"{event.name}({call.arguments})" if call is not None else event.name
        shown.append(f"{'✓' if event.ok else '✗'} {line}\n{_indented(for_person(event.whole or event.text))}")
    return "\n".join(shown)


def _done(events: Iterable[Event]) -> tuple[str, ...]:
    decided: dict[str, CallDecided] = {}
    lines: list[str] = []
    for event in events:
        if isinstance(event, CallDecided):
            decided[event.call] = event
        elif isinstance(event, ToolFinished) and event.ok and (call := decided.get(event.call)) and call.tool_class != "read":
            lines.append(call_line(call.name, call.arguments))
    return tuple(lines)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.strip().splitlines())
