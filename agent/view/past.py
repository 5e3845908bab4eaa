"""What a conversation's log still holds when the model no longer sees it: found again by words, read on by a handle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from agent.event_parts import DEFERRED_TEXT
from agent.events import Event, ToolFinished, TurnCancelled, TurnDone, TurnStarted
from agent.view.cutting import handle_of, page_of
from agent.view.fences import unfenced
from agent.view.own_names import OWN_NAMES, READ_MORE
from agent.view.ranking import rank, sought_in, words_of

RECALLED = 5
"""Places that a search shows."""
SNIPPET_CHARS = 400
NOTHING_RECALLED = "Nothing of this conversation matches. Try other words."


class Said(NamedTuple):
    """One thing that was said or read."""

    who: str
    """`person`, `assistant`, a tool's name, the name of what the person put beside a message, or `approved`: a call that the person said
    yes to, in words that an outsider may have chosen."""
    at: str
    """The time of the turn, to the minute."""
    text: str


def recalled(events: Sequence[Event], query: str) -> str:
    """The places of a conversation that match a few words, the best first.

    Args:
        events: of the session, oldest first; the turn that runs is left out.
        query: what is looked for.
    """
    past = said_in(events, but=events[-1].turn if events else "")
    wanted = sought_in(query)
    places = rank(query, [words_of(unfenced(said.text)) for said in past])[:RECALLED]
    return "\n\n".join(_shown(past[place], wanted) for place in places) or NOTHING_RECALLED


def read_on(events: Sequence[Event], handle: str, *, start: int, room: int) -> str | None:
    """More of a text of the log; None when nothing has that handle.

    A page that one of the host's own tools told is such a text too: it was cut once more where its turn had less room left.

    Args:
        events: of the session.
        handle: as the notice of a cut gave it.
        start: the first character.
        room: bytes.
    """
    pages = (event.whole for event in events if isinstance(event, ToolFinished) and event.name in OWN_NAMES and event.whole)
    texts = chain((said.text for said in said_in(events)), pages)
    whole = next((text for text in texts if handle_of(text) == handle), None)
    if whole is None:
        return None
    if not 0 <= start < len(whole):
        return f"It has {len(whole)} characters; {start} is beyond them."
    return page_of(whole, start=start, room=room, is_readable=True).text


def said_in(events: Iterable[Event], *, but: str = "") -> list[Said]:
    """Everything that was said or read, oldest first, but for one turn; what the host's own tools told is in it already."""
    said, at = list[Said](), dict[str, str]()
    for event in events:
        if event.turn == but:
            continue
        match event:
            case TurnStarted():
                at[event.turn] = event.now[:16].replace("T", " ")
                is_approved = event.text.startswith(DEFERRED_TEXT)
                said.append(Said("approved" if is_approved else "person", at[event.turn], event.text.removeprefix(DEFERRED_TEXT)))
                said += [Said(f"attached {' '.join(each.name.split())}", at[event.turn], each.text) for each in event.attached]
            case TurnDone():
                said.append(Said("assistant", at.get(event.turn, ""), event.answer))
            case TurnCancelled() if event.said.strip():
                said.append(Said("assistant", at.get(event.turn, ""), event.said))
            case ToolFinished() if event.name not in OWN_NAMES:
                said.append(Said(event.name, at.get(event.turn, ""), event.whole or event.text))
            case _:
                pass
    return said


def _shown(said: Said, wanted: frozenset[str]) -> str:
    if len(said.text) <= SNIPPET_CHARS:
        return f"[{said.at}] {said.who}: {said.text}"
    start = max(0, _place(said.text, wanted) - SNIPPET_CHARS // 4)
    part = said.text[start : start + SNIPPET_CHARS]
    return f"[{said.at}] {said.who}: … {part} … ({READ_MORE}(handle={handle_of(said.text)}, start={start}) shows more)"


def _place(text: str, wanted: frozenset[str]) -> int:
    """Where the first of the words stands."""
    place = 0
    for line in text.splitlines(keepends=True):
        if wanted & set(words_of(line)):
            words = line.split(" ")
            first = next((number for number, word in enumerate(words) if wanted & set(words_of(word))), 0)
            return place + sum(len(word) + 1 for word in words[:first]) + _place_in(words[first], wanted)
        place += len(line)
    return 0


def _place_in(word: str, wanted: frozenset[str]) -> int:
    """Where in what stands between two blanks, which is a whole paragraph where a script has none."""
    places = (word.lower().find(each) for each in wanted)
    return min((place for place in places if place >= 0), default=0)
