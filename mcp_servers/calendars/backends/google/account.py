"""Calendars of a Google account.

Google unfolds its series by itself; a series is changed here by the code that changes those of files and of CalDAV,
so that all three do the same and say the same of it. The version of a time of a series is its own and its series'
together. Several calendars are asked in one batch, and one that fails is said and hides no other.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from typing import Any, cast

from mcp_servers.calendars.backends.components import fields, ics, readable, series
from mcp_servers.calendars.backends.components.fields import Component
from mcp_servers.calendars.backends.components.series import Edited
from mcp_servers.calendars.backends.components.starts import occurrence_text
from mcp_servers.calendars.backends.contract import Listing, Pending, Which, each_of
from mcp_servers.calendars.backends.google import fields as google
from mcp_servers.calendars.backends.google.events import UNREADABLE, GoogleCalendar
from mcp_servers.calendars.backends.google.pages import all_of
from mcp_servers.calendars.backends.google.service import CalendarApi
from mcp_servers.calendars.backends.google.writes import GoogleWrites
from mcp_servers.calendars.backends.naming import told_apart
from mcp_servers.calendars.model import Answer, CalendarInfo, Change, Event, How, in_order
from mcp_servers.errors import Missing, Quoting, Refusal
from mcp_servers.outside.quoting import clean_line
from mcp_servers.spans import Span

Json = dict[str, Any]
Edit = Callable[[list[Component]], Edited]
KNOWN_FOR_S = 60.0
"""How long the list of calendars is good for."""
_DAY = timedelta(days=1)
"""All-day events lie up to a day away from where a calendar of another zone looks."""
_PAGE = 2500
_BUSY_PERIOD = timedelta(days=60)
"""Google tells of no longer period at once who is busy."""
_BUSY_CALENDARS = 50
_ID = re.compile(r"[A-Za-z0-9_-]{5,1024}")
_SHORTEST_FOREIGN_ID = 12
"""Shorter words are words of a title; Google is not asked for them as an id."""
_VIDEO = "the later times get no video call of their own"


class GoogleCalendars:
    """One Google account; asked when it is needed, not before. Not for use by two threads at once.

    Args:
        api: the account's own.
        address: the person's there, where it is not that of the account's first calendar.
    """

    def __init__(self, api: CalendarApi, address: str = "") -> None:
        self._api = api
        self._address = address.lower()
        self._known: dict[str, GoogleCalendar] = {}
        self._known_at = -KNOWN_FOR_S
        self._seen: dict[str, set[str]] = {}
        """In which calendars an event was last seen, by its id."""

    @property
    def account(self) -> str:
        return self._api.account

    @property
    def addresses(self) -> frozenset[str]:
        if self._address:
            return frozenset({self._address})
        return next((each.me for each in self._calendars().values()), frozenset[str]())

    def calendars(self) -> tuple[CalendarInfo, ...]:
        return tuple(each.info for each in self._calendars().values())

    def query(self, period: Span, which: Which = each_of) -> Listing:
        names = which(self.calendars())
        asked = [each for name, each in self._calendars().items() if name in names]
        whole = [each for each in asked if not each.shows_only_busy]
        found, problems = self._within(whole, period) if whole else ([], [])
        busy, unknown = self._busy([each for each in asked if each.shows_only_busy], period)
        events = [event for event in [*found, *busy] if event.span.overlaps(period) or _is_moment_in(event.span, period)]
        return Listing(tuple(sorted(events, key=in_order)), tuple(dict.fromkeys([*problems, *unknown])))

    def get(self, event_id: str, zone: tzinfo) -> tuple[Event, ...]:
        uid, occurrence = ics.parts_of(event_id)
        name = google.google_id(uid)
        is_known = name in self._seen or bool(occurrence)
        if not _ID.fullmatch(name) or not is_known and len(name) < _SHORTEST_FOREIGN_ID:
            return ()
        names = (f"{name}_{occurrence}", name) if occurrence else (name,)
        calendars = self._calendars().values()
        where = [each for each in calendars if each.id in self._seen.get(name, {each.id}) and not each.shows_only_busy]
        answers = self._api.ask_all([self._api.events.get(calendarId=each.id, eventId=one) for each in where for one in names])
        events: list[Event] = []
        for number, each in enumerate(where):
            part = answers[number * len(names) : (number + 1) * len(names)]
            items = [one for one in part if not isinstance(one, Refusal) and one.get("status") != "cancelled"]
            if len(items) == len(names) and not items[0].get("recurrence"):
                events += self._readable(each, items[:1], {str(items[-1]["id"]): items[-1]}, zone)[0]
        failed = [one for one in answers if isinstance(one, Refusal) and not isinstance(one, Missing)]
        if failed and not events:
            raise failed[0]
        return tuple(events)

    def create(self, event: Event, how: How) -> Event:
        calendar = self._calendar(event.calendar)
        component = fields.new_component(replace(event, organizer=""), how.now)
        component["TRANSP"] = "OPAQUE" if event.is_busy else "TRANSPARENT"
        item = GoogleWrites(self._api, calendar).create(component, how)
        self._seen.setdefault(str(item["id"]), set()).add(calendar.id)
        zone = _zone(how.now.tzinfo)
        if not item.get("recurrence"):
            return calendar.event(item, None, zone)
        stored = calendar.component(item)
        first = f"{stored['UID']}#{occurrence_text(stored['DTSTART'].dt)}"
        return next(iter(self.get(first, zone)), None) or replace(fields.read(stored, zone), calendar=event.calendar, account=self.account)

    def update(self, event: Event, change: Change, how: How) -> Pending:
        # A split-off series is found by an id that Google takes.
        how = replace(how, uid=google.uid_of(google.new_google_id(how.uid))) if how.uid else how
        return self._pending(event, how, lambda components: series.changed(components, event, change, how))

    def delete(self, event: Event, how: How) -> Pending:
        return self._pending(event, how, lambda components: series.removed(components, event, how))

    def respond(self, event: Event, answer: Answer, how: How) -> Pending:
        me = self.addresses
        return self._pending(event, how, lambda components: series.answered(components, event, answer, me, how))

    def _pending(self, event: Event, how: How, edit: Edit) -> Pending:
        calendar = self._calendar(event.calendar)
        writes = GoogleWrites(self._api, calendar)
        stored = writes.stored(event)
        edited = edit(stored.components)

        def carry_out() -> Event | None:
            writes.carry_out(stored, event, edited, how)
            return self._stored(calendar, edited, _zone(how.now.tzinfo)) if edited.event_id else None

        has_video = bool(edited.split_off) and bool(stored.master.get("conferenceData"))
        return Pending(carry_out, (*edited.notes, *([_VIDEO] if has_video else [])))

    def _stored(self, calendar: GoogleCalendar, edited: Edited, zone: tzinfo) -> Event:
        changed = (edited.split_off or edited.kept)[0]
        first = f"{changed['UID']}#{occurrence_text(changed['DTSTART'].dt)}" if ics.is_recurring([changed]) else str(changed["UID"])
        for name in dict.fromkeys([edited.event_id, first]):
            if found := [event for event in self.get(name, zone) if event.calendar == calendar.info.name]:
                return found[0]
        raise Refusal("The event was stored and cannot be found again. Look at the calendar.")

    def _within(self, calendars: list[GoogleCalendar], period: Span) -> tuple[list[Event], list[str]]:
        """The events of a period, and what could not be read."""
        zone = _zone(period.start.tzinfo)
        when = {"timeMin": (period.start - _DAY).isoformat(), "timeMax": (period.end + _DAY).isoformat()}

        def request(each: GoogleCalendar, page: Json) -> Any:
            return self._api.events.list(
                calendarId=each.id, singleEvents=True, orderBy="startTime", maxResults=_PAGE, **when, **page
            )  # fmt: skip

        firsts = self._api.ask_all([request(each, {}) for each in calendars])
        failed = [one for one in firsts if isinstance(one, Refusal)]
        if any(isinstance(one, Missing) for one in failed):
            self._known_at = -KNOWN_FOR_S  # the calendars have changed: they are looked for again by the next call
        if len(failed) == len(firsts):
            raise failed[0]
        items: dict[str, list[Json]] = {}
        problems: list[str] = []
        for each, first in zip(calendars, firsts, strict=True):
            if isinstance(first, Refusal):
                problems.append(f"{each.info.full_name}: {first}")
                continue
            items[each.id], problem = all_of(self._api, lambda page, each=each: request(each, page), first)
            problems += [f"{each.info.full_name}: {problem}"] if problem else []
        masters = self._masters(items)
        events: list[Event] = []
        for each in calendars:
            read, unread = self._readable(each, items.get(each.id, []), masters.get(each.id, {}), zone)
            events += read
            problems += [readable.left_out_text(unread, each.info.full_name)] if unread else []
        return events, problems

    def _masters(self, items: dict[str, list[Json]]) -> dict[str, dict[str, Json]]:
        """The series of the times that were found, by calendar and id."""
        wanted = list(
            dict.fromkeys(
                (name, str(item["recurringEventId"])) for name, listed in items.items() for item in listed if item.get("recurringEventId")
            )
        )
        answers = self._api.ask_all([self._api.events.get(calendarId=calendar, eventId=name) for calendar, name in wanted])
        found: dict[str, dict[str, Json]] = {}
        for (calendar, name), answer in zip(wanted, answers, strict=True):
            if isinstance(answer, Missing):
                continue  # invited to this one time of it
            if isinstance(answer, Refusal):
                raise answer
            found.setdefault(calendar, {})[name] = answer
        return found

    def _readable(self, calendar: GoogleCalendar, items: list[Json], masters: dict[str, Json], zone: tzinfo) -> tuple[list[Event], int]:
        """The events, and how many cannot be read."""
        events: list[Event] = []
        unread = 0
        for item in items:
            if item.get("status") == "cancelled":
                continue
            try:
                event = calendar.event(item, masters.get(str(item.get("recurringEventId"))), zone)
                events.append(event)
                self._seen.setdefault(google.google_id(event.uid), set()).add(calendar.id)
            except UNREADABLE:
                unread += 1
        return events, unread

    def _busy(self, calendars: list[GoogleCalendar], period: Span) -> tuple[list[Event], list[str]]:
        """What is known of calendars that only tell when they are busy; one that does not tell is not free."""
        events: list[Event] = []
        unknown: list[str] = []
        zone = _zone(period.start.tzinfo)
        for at in range(0, len(calendars), _BUSY_CALENDARS):
            part = calendars[at : at + _BUSY_CALENDARS]
            start = period.start
            while start < period.end:
                end = min(start + _BUSY_PERIOD, period.end)
                body = {"timeMin": start.isoformat(), "timeMax": end.isoformat(), "items": [{"id": each.id} for each in part]}
                told = cast("Json", self._api.ask(self._api.freebusy.query(body=body)).get("calendars") or {})
                for each in part:
                    said: Json = told.get(each.id) or {"errors": ["absent"]}
                    unknown += [f"{each.info.full_name}: Google does not say when it is busy."] if said.get("errors") else []
                    events += [_busy_event(each, one, zone) for one in said.get("busy", [])]
                start = end
        return events, unknown

    def _calendar(self, name: str) -> GoogleCalendar:
        calendars = self._calendars()
        if name not in calendars:
            raise Quoting(f'"{self.account}" has no calendar "{name}". There are {", ".join(calendars)}. Name one of them.')
        return calendars[name]

    def _calendars(self) -> dict[str, GoogleCalendar]:
        if time.monotonic() - self._known_at < KNOWN_FOR_S:
            return self._known
        entries, problem = all_of(self._api, lambda page: self._api.calendar_list.list(maxResults=250, **page))
        if problem or not entries:
            raise Refusal(problem or f'Google shows no calendar of "{self.account}". Look at it there.')
        entries.sort(key=lambda entry: not entry.get("primary"))
        primary = str(entries[0]["id"]).lower() if entries[0].get("primary") else ""
        me = frozenset({self._address or primary} - {""})
        titles = [_title(entry) for entry in entries]
        names = told_apart([(title, clean_line(str(entry["id"])).replace("/", "-")) for title, entry in zip(titles, entries, strict=True)])
        found = [GoogleCalendar.of(entry, self.account, name, me) for name, entry in zip(names, entries, strict=True)]
        self._known = {
            name: replace(each, info=replace(each.info, title=title)) for name, title, each in zip(names, titles, found, strict=True)
        }
        self._known_at = time.monotonic()
        return self._known


def _title(entry: Json) -> str:
    return clean_line(str(entry.get("summaryOverride") or entry.get("summary") or entry["id"])).replace("/", "-") or "calendar"


def _busy_event(calendar: GoogleCalendar, told: Json, zone: tzinfo) -> Event:
    span = Span(datetime.fromisoformat(told["start"]).astimezone(zone), datetime.fromisoformat(told["end"]).astimezone(zone))
    name = hashlib.sha256(f"{calendar.id} {told['start']}".encode()).hexdigest()[:16]
    return Event(f"busy-{name}", "(busy)", span, calendar=calendar.info.name, account=calendar.info.account)


def _is_moment_in(span: Span, period: Span) -> bool:
    return span.start == span.end and period.start <= span.start < period.end


def _zone(zone: tzinfo | None) -> tzinfo:
    if zone is None:
        raise ValueError("a time without a zone")
    return zone
