"""What Google keeps of calendars: events with their versions, series and the times of them that differ.

Series are unfolded by `dateutil` from their own wall times, which is not what the product unfolds with.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from tests.fakes.google_description import Called
from tests.fakes.google_series import Json, moment_of, occurrence_of, times_of

_ID = re.compile(r"[a-v0-9]{5,1024}")
ME = "anna@example.org"
Shown = tuple[int, Json | None]


class Refused(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass
class FakeCalendar:
    id: str
    summary: str
    role: str = "owner"
    is_primary: bool = False
    reminders: list[Json] = field(default_factory=list[Json])
    items: dict[str, Json] = field(default_factory=dict[str, Json])
    """Events, series, and the times of series that differ."""
    fails_busy: bool = False
    is_selected: bool = True
    """It has its tick, which one that is created or added has at first; of one without, Google says nothing of it."""

    def entry(self) -> Json:
        entry: Json = {"kind": "calendar#calendarListEntry", "id": self.id, "summary": self.summary, "accessRole": self.role}
        told = {"primary": self.is_primary, "selected": self.is_selected}
        return {**entry, "defaultReminders": self.reminders, "timeZone": "Europe/Berlin", **{name: True for name in told if told[name]}}


@dataclass
class FakeAccount:
    calendars: dict[str, FakeCalendar] = field(default_factory=lambda: {ME: FakeCalendar(ME, ME, is_primary=True)})
    page: int = 2500
    """More is on no page."""
    told: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Which event's guests were written to, and how."""
    versions: int = 0
    is_forgetful: bool = False
    """A series that is changed loses the times of it that differ, as some say that Google does."""

    def add(self, summary: str, role: str = "owner") -> FakeCalendar:
        added = FakeCalendar(f"{summary.lower()}@group.calendar.google.com", summary, role)
        self.calendars[added.id] = added
        return added

    @property
    def items(self) -> dict[str, Json]:
        """Of the first calendar."""
        return self.calendars[ME].items

    def do(self, called: Called) -> Shown:
        """Raises:
        Refused: it is not done.
        """
        handlers: dict[str, Callable[[Called], Shown]] = {
            "calendar.calendarList.list": self._calendar_list,
            "calendar.events.list": self._list,
            "calendar.events.get": self._get,
            "calendar.events.insert": self._insert,
            "calendar.events.patch": self._patch,
            "calendar.events.delete": self._delete,
            "calendar.freebusy.query": self._freebusy,
        }
        return handlers[called.method](called)

    def _calendar_list(self, called: Called) -> Shown:
        return 200, self._paged([each.entry() for each in self.calendars.values()], called, 250)

    def _list(self, called: Called) -> Shown:
        calendar = self._calendar(called)
        said = called.query
        if "syncToken" in said:
            raise Refused(410, "fullSyncRequired")
        is_single = said.get("singleEvents", False)
        if said.get("orderBy") == "startTime" and not is_single:
            raise Refused(400, "invalid")
        items = self._unfolded(calendar) if is_single else self._raw(calendar)
        since, until = (datetime.fromisoformat(said[name]) if name in said else None for name in ("timeMin", "timeMax"))
        if any(moment is not None and moment.tzinfo is None for moment in (since, until)):
            raise Refused(400, "badRequest")
        items = [item for item in items if "start" not in item or _is_within(item, since, until)]
        items = [item for item in items if said.get("iCalUID", item.get("iCalUID")) == item.get("iCalUID")]
        if is_single:
            items.sort(key=lambda item: moment_of(item["start"]))
        return 200, self._paged(items, called, 250)

    def _raw(self, calendar: FakeCalendar) -> list[Json]:
        return [copy.deepcopy(item) for item in calendar.items.values() if item["status"] != "cancelled" or "recurringEventId" in item]

    def _unfolded(self, calendar: FakeCalendar) -> list[Json]:
        found: list[Json] = []
        for item in calendar.items.values():
            if item["status"] == "cancelled":
                continue
            found += self._times(calendar, item) if item.get("recurrence") else [copy.deepcopy(item)]
        return found

    def _times(self, calendar: FakeCalendar, master: Json) -> list[Json]:
        """The times of a series that its rule gives and that nothing differs of; those that differ are items themselves."""
        times = [self._virtual(master, start) for start in times_of(master)]
        return [each for each in times if each["id"] not in calendar.items]

    def _virtual(self, master: Json, start: Json) -> Json:
        length = moment_of(master["end"]) - moment_of(master["start"])
        own = {name: copy.deepcopy(value) for name, value in master.items() if name != "recurrence"}
        end = {"date": str((moment_of(start) + length).date())} if "date" in start else {
            **start, "dateTime": (moment_of(start) + length).astimezone(moment_of(start).tzinfo).isoformat(),
        }  # fmt: skip
        name = f"{master['id']}_{occurrence_of(start)}"
        return {**own, "id": name, "recurringEventId": master["id"], "originalStartTime": start, "start": start, "end": end}

    def _found(self, calendar: FakeCalendar, name: str) -> Json:
        if name in calendar.items:
            return calendar.items[name]
        master = calendar.items.get(name.rpartition("_")[0])
        if master is not None and master.get("recurrence") and master["status"] != "cancelled":
            for each in self._times(calendar, master):
                if each["id"] == name:
                    return each
        raise Refused(404, "notFound")

    def _get(self, called: Called) -> Shown:
        return 200, copy.deepcopy(self._found(self._calendar(called), called.event))

    def _insert(self, called: Called) -> Shown:
        calendar = self._writable(called)
        body = called.body
        name = body.get("id") or f"made{self.versions:022d}"
        if not _ID.fullmatch(name) or "iCalUID" in body:
            raise Refused(400, "invalid")
        if name in calendar.items:
            raise Refused(409, "duplicate")
        calendar.items[name] = self._stored({"iCalUID": f"{name}@google.com", "reminders": {"useDefault": True}, **body, "id": name})
        self._tell(called, name)
        return 200, copy.deepcopy(calendar.items[name])

    def _patch(self, called: Called) -> Shown:
        calendar = self._writable(called)
        old = self._found(calendar, called.event)
        self._check_version(called, old)
        new = self._stored(_merged(old, called.body))
        if new.get("recurrence") and any(new[name] != old.get(name) for name in ("start", "recurrence")):
            kept = {f"{new['id']}_{occurrence_of(start)}" for start in times_of(new)}
            for name in [each for each, item in calendar.items.items() if item.get("recurringEventId") == new["id"]]:
                if name not in kept or self.is_forgetful:
                    del calendar.items[name]
        calendar.items[called.event] = new
        self._tell(called, called.event)
        return 200, copy.deepcopy(new)

    def _delete(self, called: Called) -> Shown:
        calendar = self._writable(called)
        old = self._found(calendar, called.event)
        if old["status"] == "cancelled":
            raise Refused(410, "deleted")
        self._check_version(called, old)
        for name in [each for each, item in calendar.items.items() if item.get("recurringEventId") == called.event]:
            del calendar.items[name]
        kept = ("id", "recurringEventId", "originalStartTime", "iCalUID")
        calendar.items[called.event] = self._versioned({**{name: old[name] for name in kept if name in old}, "status": "cancelled"})
        self._tell(called, called.event)
        return 204, None

    def _freebusy(self, called: Called) -> Shown:
        said = called.body
        since, until = datetime.fromisoformat(said["timeMin"]), datetime.fromisoformat(said["timeMax"])
        if (until - since).days > 90:
            raise Refused(400, "timeRangeTooLong")
        calendars: Json = {}
        for name in [each["id"] for each in said["items"]]:
            calendar = self.calendars.get(name)
            if calendar is None or calendar.fails_busy:
                calendars[name] = {"errors": [{"domain": "global", "reason": "notFound"}], "busy": []}
                continue
            taken = [
                item for item in self._unfolded(calendar) if _is_within(item, since, until) and item.get("transparency") != "transparent"
            ]
            busy = [{name: moment_of(item[name]).astimezone(UTC).isoformat() for name in ("start", "end")} for item in taken]
            calendars[name] = {"busy": busy}
        return 200, {"kind": "calendar#freeBusy", "timeMin": said["timeMin"], "timeMax": said["timeMax"], "calendars": calendars}

    def _calendar(self, called: Called) -> FakeCalendar:
        calendar = self.calendars.get(called.path["calendarId"])
        if calendar is None or calendar.role == "freeBusyReader":
            raise Refused(404, "notFound")
        return calendar

    def _writable(self, called: Called) -> FakeCalendar:
        calendar = self._calendar(called)
        if calendar.role not in {"owner", "writer"}:
            raise Refused(403, "requiredAccessLevel")
        return calendar

    def _check_version(self, called: Called, item: Json) -> None:
        if called.headers.get("if-match", item["etag"]) != item["etag"]:
            raise Refused(412, "conditionNotMet")

    def _stored(self, item: Json) -> Json:
        for name in ("start", "end"):
            value: Json = item.get(name) or {}
            if ("date" in value) == ("dateTime" in value) or (item.get("recurrence") and "dateTime" in value and not value.get("timeZone")):
                raise Refused(400, "invalid")
        for person in item.get("attendees", []):
            person.setdefault("responseStatus", "needsAction")
            if person["email"] == ME:
                person["self"] = True
        item.setdefault("organizer", {"email": ME, "self": True})
        return self._versioned({"kind": "calendar#event", "status": "confirmed", "eventType": "default", **item})

    def _versioned(self, item: Json) -> Json:
        self.versions += 1
        return {**item, "etag": f'"{self.versions}"'}

    def _tell(self, called: Called, name: str) -> None:
        self.told.append((name, str(called.query.get("sendUpdates", "unsaid"))))

    def _paged(self, items: list[Json], called: Called, usual: int) -> Json:
        start = int(called.query.get("pageToken", 0))
        end = start + min(self.page, called.query.get("maxResults", usual))
        return {"items": items[start:end], **({"nextPageToken": str(end)} if end < len(items) else {})}


def _is_within(item: Json, since: datetime | None, until: datetime | None) -> bool:
    start, end = moment_of(item["start"]), moment_of(item["end"])
    return (since is None or end > since) and (until is None or start < until)


def _merged(old: Json, patch: Json) -> Json:
    """RFC 7396, which is how Google patches; what becomes empty is not kept."""
    new = copy.deepcopy(old)
    for name, value in patch.items():
        if isinstance(value, dict) and isinstance(new.get(name), dict):
            new[name] = _merged(new[name], cast("Json", value))
        elif value in (None, "", []):
            new.pop(name, None)
        else:
            new[name] = copy.deepcopy(cast("Any", value))
    return new
