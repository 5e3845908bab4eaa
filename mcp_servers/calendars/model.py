"""Calendar values: calendars, events, free days, and what a change would do.

Pure. Text in these values has already been cleaned of characters that hide.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from mcp_servers.spans import Span

LOCAL = "local"
"""The account whose calendars are files on this machine."""
Scope = Literal["this", "following", "all"]
"""Which times of a repeating event a change is about: one, that one and all later ones, or all."""
Answer = Literal["accepted", "tentative", "declined"]
Standing = Literal["counted", "shown", "named"]
"""What a calendar is to the person: its events take up time; they are shown and take up none; they are looked at where it is named."""
Notify = Literal["", "all", "none"]
"""Who is told of a change: nothing said, every guest (or the organiser), nobody."""


@dataclass(frozen=True)
class Guest:
    """Someone who is invited. `status` is iCalendar's word in lower case."""

    address: str
    name: str = ""
    status: str = "needs-action"
    is_optional: bool = False

    @property
    def shown_name(self) -> str:
        return self.name or self.address


@dataclass(frozen=True)
class CalendarInfo:
    """One calendar of one account."""

    account: str
    name: str
    is_writable: bool = True
    sends_invitations: bool = False
    """Its server tells the guests of what changes, unless it is told not to."""
    state: str = ""
    """Another text whenever anything in the calendar has changed, after a minute at most; empty where that is not known."""
    title: str = ""
    """What its server calls it, which others may be called as well; empty where that is `name`."""
    standing: Standing = "counted"

    @property
    def full_name(self) -> str:
        return full_name(self.account, self.name)

    @property
    def path(self) -> str:
        """The name that no other calendar has: `local/personal`, `work/Team`."""
        return f"{self.account}/{self.name}"


@dataclass(frozen=True)
class Event:
    """One event, or one occurrence of a recurring event."""

    uid: str
    title: str
    span: Span
    location: str = ""
    guests: tuple[str, ...] = ()
    calendar: str = "personal"
    occurrence: str = ""
    """Which occurrence of a recurring event this is (its original start); empty for a single event."""
    is_busy: bool = True
    """It takes up the person's time: all-day events do not unless they say so."""
    version: str = ""
    """What a change is based on: one that is based on an older version is refused."""
    account: str = LOCAL
    description: str = ""
    attendees: tuple[Guest, ...] = ()
    organizer: str = ""
    """The address of who invites."""
    reminders: tuple[int, ...] = ()
    """Minutes before the start."""
    rule: str = ""
    """The series' RRULE."""
    zone: str = ""
    """The time zone that its times are kept in; empty for days, UTC and floating times."""
    is_floating: bool = False
    """Its times are wall times wherever the person is."""
    series_span: Span | None = None
    """Where the series itself would put this occurrence."""
    status: str = ""
    removed: tuple[tuple[str, int], ...] = ()
    """Characters that were taken out of its texts, by kind."""

    @property
    def id(self) -> str:
        return f"{self.uid}#{self.occurrence}" if self.occurrence else self.uid

    @property
    def calendar_name(self) -> str:
        """The calendar, with its account where that is not this machine."""
        return full_name(self.account, self.calendar)

    def moved_to(self, span: Span) -> Event:
        """At another time; what was free only because it took all day, or busy because it did not, follows that."""
        is_usual = self.is_busy is not self.span.is_all_day and self.status != "cancelled"
        return replace(self, span=span, is_busy=not span.is_all_day if is_usual else self.is_busy)


@dataclass(frozen=True)
class Change:
    """What becomes of an event; what is None stays."""

    span: Span | None = None
    title: str | None = None
    location: str | None = None
    description: str | None = None
    attendees: tuple[Guest, ...] | None = None
    reminders: tuple[int, ...] | None = None
    rule: str | None = None
    zone: str | None = None
    """The zone that `span` is kept in from now on."""

    @property
    def is_empty(self) -> bool:
        return self == Change()


@dataclass(frozen=True)
class How:
    """How a write is made."""

    now: datetime
    scope: Scope = "this"
    notify: Notify = ""
    uid: str = ""
    """The client-made id of a series that a change of `following` splits off."""


@dataclass(frozen=True)
class FreeDay:
    """The free spans of one day, or of a part of it."""

    period: Span
    spans: tuple[Span, ...]


def full_name(account: str, calendar: str) -> str:
    """`personal` on this machine, else `work/Team`."""
    return calendar if account == LOCAL else f"{account}/{calendar}"


def in_order(event: Event) -> tuple[float, bool, float, str]:
    """By start; all-day events first."""
    return event.span.start.timestamp(), not event.span.is_all_day, event.span.end.timestamp(), event.title
