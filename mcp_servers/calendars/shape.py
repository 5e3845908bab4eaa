"""Calendar values to the texts of docs/tools.md, word for word.

Pure. A model is trained on exactly these texts: change a character here and the shipped model no longer knows it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, time

from mcp_servers.calendars.model import Event, FreeDay
from mcp_servers.outside.quoting import MAX_ITEMS, count_text, item_lines
from mcp_servers.spans import Span, clock_text, day_text, days_of, period_text, short_span_text, span_text

STALE = "The event has changed since. Look again."
NO_VERSIONS = "gives events no versions, so nothing there can be changed safely. Change it at the calendar itself."
NOTHING_TO_CHANGE = "Nothing to change. Say a new time, title or place."


def events_text(period: Span, events: tuple[Event, ...], query: str = "") -> str:
    """`Sun 22 Nov 2026: 3 events`, then one line per event."""
    matching = f' matching "{query}"' if query else ""
    count = count_text(len(events), "event") if events else "no events"
    is_one_day = period.first_day == period.last_day
    lines = [_day_line(period, event) if is_one_day else _period_line(event) for event in events]
    return "\n".join([f"{period_text(period)}{matching}: {count}", *item_lines(lines)])


def marked(event: Event, mark: str) -> Event:
    """For a text alone: `Standup (cancelled)`, where it stands in a calendar and does not take place for the person."""
    return replace(event, title=f"{event.title} ({mark})") if mark else event


def created_text(event: Event, overlaps: tuple[Event, ...] = ()) -> str:
    """`Created: Coffee with Marek, Fri 27 Nov 2026 10:00-11:00 at Cafe Nord`, then what it overlaps."""
    head = f"Created: {event.title}, {span_text(event.span)}{_at(event)}"
    return f"{head}\nOverlaps: {clashes_text(overlaps)}" if overlaps else head


def updated_text(event: Event) -> str:
    """`Updated: Dentist, now Fri 27 Nov 2026 16:00-17:00 at Room 4`."""
    return f"Updated: {event.title}, now {span_text(event.span)}{_at(event)}"


def deleted_text(event: Event) -> str:
    """`Deleted: Dentist, Thu 26 Nov 2026 15:00-16:00`."""
    return f"Deleted: {event.title}, {span_text(event.span)}"


def free_text(days: tuple[FreeDay, ...]) -> str:
    """One line per day: `Thu 26 Nov 2026: free 09:00-12:30, 13:30-18:00`, or `no free time`."""
    return "\n".join(item_lines([_free_line(day) for day in days]))


def span_free_text(span: Span, clashes: tuple[Event, ...]) -> str:
    """`Thu 26 Nov 2026 15:00-16:00: free`, or `busy, ` and what stands there."""
    return f"{span_text(span)}: " + (f"busy, {clashes_text(clashes)}" if clashes else "free")


def clashes_text(events: tuple[Event, ...]) -> str:
    """`Standup 09:45-10:15; Gym 10:00-11:00`."""
    shown = [f"{event.title} {clock_text(event.span)}" for event in events]
    return "; ".join(item_lines(shown))


def no_event_text(event: str, period: Span) -> str:
    """The error when no event matches the words."""
    first, last = day_text(period.first_day), day_text(period.last_day)
    return f'No event matches "{event}" ' + (f"on {first}." if first == last else f"from {first} to {last}.")


def not_known_free(problems: tuple[str, ...]) -> tuple[str, ...]:
    """What is said below free time of accounts that gave no answer."""
    return tuple(f"{problem} Its time is not known to be free." for problem in problems)


def several_events_text(event: str, matches: tuple[Event, ...]) -> str:
    """The error when more than one event matches the words."""
    lines = [f"{span_text(match.span)} {match.title}" for match in matches]
    twins = Counter(lines)
    # What reads the same is told apart by its calendar and by its id, which every tool takes.
    shown = [
        f"{line} ({match.calendar_name}, id {match.id})" if twins[line] > 1 else line
        for line, match in zip(lines[:MAX_ITEMS], matches, strict=False)
    ]
    more = [f"and {len(matches) - MAX_ITEMS} more"] if len(matches) > MAX_ITEMS else []
    return f'{len(matches)} events match "{event}": {"; ".join([*shown, *more])}. Say which one.'


def _free_line(day: FreeDay) -> str:
    free = ", ".join(clock_text(span) for span in day.spans)
    return f"{day_text(day.period.first_day)}: " + (f"free {free}" if free else "no free time")


def _day_line(period: Span, event: Event) -> str:
    whole_day = days_of(period.start, period.first_day)
    return f"{clock_text(_clipped(event.span, whole_day))} {event.title}{_at(event)}"


def _clipped(span: Span, day: Span) -> Span:
    """What of a span of several days falls on this day; an evening that runs past midnight keeps its end."""
    if span.is_all_day or (span.start <= day.start and span.end >= day.end):
        return day
    if span.start >= day.start:
        return span
    return Span(datetime.combine(day.first_day, time(), day.start.tzinfo), span.end)


def _period_line(event: Event) -> str:
    return f"{short_span_text(event.span)} {event.title}{_at(event)}"


def _at(event: Event) -> str:
    return f" at {event.location}" if event.location else ""
