"""Which of the free times are the best for a meeting.

Pure. What is free is told in order of time, because that is how a person reads a day; what to propose first is another question. A meeting
is put at an end of a free span and never into its middle, so that no free block is split. Next to another event is better, between two of
them best, and earlier is better: each event that it touches is worth a day of waiting.
"""

from __future__ import annotations

from datetime import timedelta

from mcp_servers.calendars.model import Event, FreeDay
from mcp_servers.spans import Span
from mcp_servers.when import later

BEST = 3
"""More would be a list again."""


def best_times(days: tuple[FreeDay, ...], events: tuple[Event, ...], length: timedelta) -> tuple[Span, ...]:
    """The few best spans of that length, the best one first; none of them overlaps another.

    Args:
        days: what is free, each span at least that long.
        events: what takes up time around it, with the time that is kept free around each.
        length: of the meeting.
    """
    begins = {event.span.start.timestamp() for event in events if event.is_busy}
    ends = {event.span.end.timestamp() for event in events if event.is_busy}

    def rank(candidate: tuple[int, Span]) -> tuple[int, int, float]:
        day, span = candidate
        touched = (span.start.timestamp() in ends) + (span.end.timestamp() in begins)
        return day - touched, day, span.start.timestamp()

    candidates = [
        (number, slot)
        for number, day in enumerate(days)
        for free in day.spans
        for slot in (Span(free.start, later(free.start, length)), Span(later(free.end, -length), free.end))
    ]
    chosen: list[Span] = []
    for _, slot in sorted(candidates, key=rank):
        if len(chosen) < BEST and not any(slot.overlaps(other) for other in chosen):
            chosen.append(slot)
    return tuple(chosen)
