"""Calendar values to the texts of the extended tools.

Pure. These are read by models with room, so they name ids and calendars, which the everyday texts leave out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mcp_servers.calendars.backends.components.rule_words import words_of_rule
from mcp_servers.calendars.model import CalendarInfo, Change, Event, Guest, Standing
from mcp_servers.calendars.paging import Page
from mcp_servers.outside.quoting import clean_line, count_text, shortened
from mcp_servers.spans import Span, clock_text, period_text, span_text

_ANSWERS = {
    "accepted": "accepted",
    "tentative": "perhaps",
    "declined": "declined",
    "needs-action": "no answer yet",
    "delegated": "sent another",
}
MAX_SHOWN_DESCRIPTION_CHARS = 500
_UNITS = ((7 * 24 * 60, "week"), (24 * 60, "day"), (60, "hour"), (1, "minute"))
_STANDING: dict[Standing, list[str]] = {
    "counted": [],
    "shown": ["shown, takes up no time"],
    "named": ["looked at only when named"],
}
SCOPES = {"this": "only this time", "following": "this and all later times", "all": "all times"}


def calendars_text(infos: tuple[CalendarInfo, ...], names: list[str], default: str, problems: tuple[str, ...]) -> str:
    """`2 calendars`, then one line each with what is special about it."""
    lines: list[str] = []
    for name, info in zip(names, infos, strict=True):
        about = ["new events go here"] if info.path == default else []
        about += [] if info.is_writable else ["read only"]
        about += ["its server writes to guests"] if info.sends_invitations else []
        about += _STANDING[info.standing]
        lines.append(name + (f" ({', '.join(about)})" if about else ""))
    return "\n".join([count_text(len(infos), "calendar"), *lines, *problems])


def found_text(period: Span, query: str, page: Page[Event], total: int, problems: tuple[str, ...], block: str) -> str:
    """`Sat 21 Nov 2026 to ... matching "dentist": 23 events`, the block with a line for each, and how to see the rest."""
    head = f'{period_text(period)} matching "{query}": {count_text(total, "event") if total else "no events"}'
    more = [f"and {page.more} more, with cursor {page.cursor}"] if page.more else []
    return "\n".join([head, *([block] if page.items else []), *more, *problems])


def found_lines(page: Page[Event], marks: Sequence[str]) -> str:
    """One line for each event. Their words are other people's."""
    return "\n".join(f"{event_line(event, mark)} [{event.id}]" for event, mark in zip(page.items, marks, strict=True))


def event_line(event: Event, mark: str = "") -> str:
    """`Fri 27 Nov 2026 10:00-11:00 Standup at Room 4, every week on Mon (work/Team)`."""
    place = f" at {event.location}" if event.location else ""
    repeats = f", {repeats_text(event)}" if event.rule else ""
    status = f", {mark}" if mark else ", cancelled" if event.status == "cancelled" else ""
    return f"{span_text(event.span)} {event.title}{place}{repeats}{status} ({event.calendar_name})"


def event_text(event: Event) -> str:
    """All of one event, a line for each thing that there is to say."""
    head = f"{event.title}, {span_text(event.span)}" + (f" at {event.location}" if event.location else "")
    lines = [head, f"Id: {event.id}", f"Calendar: {event.calendar_name}", *(f"{name}: {value}" for name, value in facts(event))]
    return "\n".join([*lines, *(["Description:", event.description] if event.description else [])])


def facts(event: Event) -> list[tuple[str, str]]:
    """What there is to say of an event beyond its title, time, place and calendar."""
    there = zone_text(event)
    return [
        (name, value)
        for name, value in (
            ("Repeats", repeats_text(event) if event.rule else ""),
            ("Moved from", span_text(event.series_span) if event.series_span and event.series_span != event.span else ""),
            ("There", there),
            ("Invites", event.organizer),
            ("Guests", guests_text(event.attendees)),
            ("Reminders", reminders_text(event.reminders)),
            ("Status", event.status if event.status not in {"", "confirmed"} else ""),
        )
        if value
    ]


def description_text(description: str) -> tuple[tuple[str, str], ...]:
    """The line of a plan that shows it, cut where it is long."""
    return (("Description", shortened(clean_line(description), MAX_SHOWN_DESCRIPTION_CHARS)),) if description else ()


def changed_text(change: Change) -> tuple[tuple[str, str], ...]:
    """What a change does that cannot be seen in the event as it will be: a new description, and what is taken away."""
    parts = {"place": change.location, "description": change.description, "guests": change.attendees, "reminders": change.reminders}
    away = [name for name, value in parts.items() if value is not None and not value]
    return (*description_text(change.description or ""), *((("Taken away", ", ".join(away)),) if away else ()))


def repeats_text(event: Event) -> str:
    """`every 2 weeks on Mon and Wed, 10 times`."""
    return words_of_rule(event.rule, known_zone(event.zone) or event.span.start.tzinfo)


def zone_text(event: Event) -> str:
    """`09:00-10:00 America/New_York` where that is another wall time than the person's."""
    there = known_zone(event.zone)
    if there is None or event.span.is_all_day or event.span.start.utcoffset() == event.span.start.astimezone(there).utcoffset():
        return ""
    return f"{clock_text(span_in(event.span, there))} {event.zone}"


def span_in(span: Span, zone: tzinfo | None) -> Span:
    """The same span on another zone's wall; whole days stay the days that they are."""
    return span if span.is_all_day else Span(span.start.astimezone(zone), span.end.astimezone(zone))


def guests_text(guests: tuple[Guest, ...]) -> str:
    """`Sue <sue@example.org> (accepted), bo@example.org (no answer yet, optional)`."""
    return ", ".join(
        (f"{guest.name} <{guest.address}>" if guest.name else guest.address)
        + f" ({_ANSWERS.get(guest.status, guest.status)}{', optional' if guest.is_optional else ''})"
        for guest in guests
    )


def reminders_text(minutes: tuple[int, ...]) -> str:
    """`10 minutes before, 1 day before`."""
    return ", ".join(f"{length_text(each)} before" for each in minutes)


def length_text(minutes: int) -> str:
    """`90 minutes`, `2 hours`, `1 day`: in the largest unit that leaves nothing over."""
    size, unit = next((size, unit) for size, unit in _UNITS if minutes % size == 0 and (minutes or size == 1))
    return count_text(minutes // size, unit)


def best_text(spans: tuple[Span, ...]) -> list[str]:
    """`Best: Mon 23 Nov 2026 10:30-11:30; ...`, or no line."""
    return [f"Best: {'; '.join(map(span_text, spans))}"] if spans else []


def looked_at_text(names: tuple[str, ...], bounds: list[str], buffer: timedelta) -> str:
    """What a search for free time went by."""
    kept = [f"{length_text(int(buffer / timedelta(minutes=1)))} kept free around events"] if buffer else []
    return "; ".join([f"Looked at {', '.join(names) or 'no calendar'}", *bounds, *kept])


def known_zone(name: str) -> tzinfo | None:
    """The zone of that name, where it is one that is known here: other programs make names up."""
    try:
        return ZoneInfo(name) if name else None
    except (ValueError, ZoneInfoNotFoundError, OSError):
        return None
