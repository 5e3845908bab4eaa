"""Which events a person means by a few words.

Pure. The decision tree:
1. an event's id means that event;
2. the words that carry no meaning (`the`, `my`, `with`) are dropped; an event matches when its title, place or
   guests hold all others (a word also matches where it begins a longer one, and in the plural);
   where only these and those of 3. are said beside an emoji, or no word at all, it matches when its title has such signs;
3. when nothing matches, the words for events in general (`appointment`, `meeting`) are dropped too;
4. when still nothing matches, one slip of the pen is forgiven in words of five letters or more;
5. of several matches, those whose whole title is the words are preferred, then those that are not over;
6. of several occurrences of one recurring event, the first is meant, and one event in several calendars is one.
"""

from __future__ import annotations

from datetime import datetime

from mcp_servers.calendars.model import Event
from mcp_servers.wording import EMPTY_WORDS, holds, holds_signs, signs_in, words_of

_EVENT_WORDS = frozenset(
    "appointment appointments meeting meetings event events call calls session sessions entry thing visit calendar slot booking".split()
)


def filtered(events: tuple[Event, ...], words: str) -> tuple[Event, ...]:
    """The events that `words` speak of (2. to 4.); all of them when the words say nothing."""
    if signs := signs_in(words, EMPTY_WORDS | _EVENT_WORDS):
        return tuple(event for event in events if holds_signs(event.title, signs))
    significant = tuple(word for word in words_of(words) if word not in EMPTY_WORDS)
    specific = tuple(word for word in significant if word not in _EVENT_WORDS)
    for wanted, is_forgiving in ((significant, False), (specific, False), (specific, True)):
        found = tuple(event for event in events if _holds(event, wanted, is_forgiving=is_forgiving))
        if found:
            return found
    return ()


def meant(events: tuple[Event, ...], words: str, now: datetime) -> tuple[Event, ...]:
    """The events that could be meant by one event's name; one where it is clear.

    Args:
        events: the candidates, by start.
        words: an id, or words.
        now: what has ended by then is over.
    """
    by_id = tuple(event for event in events if words.strip() in {event.id, event.uid})
    found = by_id or filtered(events, words)  # 1. to 4.
    exact = tuple(event for event in found if words_of(event.title) == words_of(words))
    found = exact or found  # 5.
    ahead = tuple(event for event in found if event.span.end > now)
    found = ahead or found
    firsts: dict[tuple[str, str, str], Event] = {}
    for event in found:
        firsts.setdefault((event.account, event.calendar, event.uid), event)
    several = tuple(firsts.values())
    return several[:1] if len({event.uid for event in several}) == 1 else several  # 6.


def _holds(event: Event, wanted: tuple[str, ...], *, is_forgiving: bool) -> bool:
    return holds(" ".join((event.title, event.location, *event.guests)), wanted, is_forgiving=is_forgiving)
