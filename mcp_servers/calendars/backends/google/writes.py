"""Changes in one Google calendar: each is held against the version that it is based on, and none is lost in silence.

A creation has an id of our own and may be asked for again. When a change gets no answer, the event is looked up
before anything is said. A series is changed first and its differing times after it: what Google makes of those by
itself is read, and put right where it is not what was shown.
"""

from __future__ import annotations

import logging
from datetime import UTC
from typing import Any

from mcp_servers.calendars.backends.components.fields import Component
from mcp_servers.calendars.backends.components.series import Edited
from mcp_servers.calendars.backends.google import fields as google
from mcp_servers.calendars.backends.google.events import GoogleCalendar, Stored, alone, planned, replaces
from mcp_servers.calendars.backends.google.pages import all_of
from mcp_servers.calendars.backends.google.service import CalendarApi
from mcp_servers.calendars.model import Event, How
from mcp_servers.calendars.shape import NO_VERSIONS, STALE
from mcp_servers.errors import Exists, Missing, Quoting, Refusal, Stale, Unanswered

log = logging.getLogger(__name__)

Json = dict[str, Any]
_UNKNOWN = "Whether the change was made is not known: look at the event before trying again."
_REMOVED = "That event was created before and has been removed since. Nothing was created. Ask for it anew."


class GoogleWrites:
    """One calendar. Not for use by two threads at once."""

    def __init__(self, api: CalendarApi, calendar: GoogleCalendar) -> None:
        self._api = api
        self._calendar = calendar

    def stored(self, event: Event) -> Stored:
        """What there is of an event, at the version that is known.

        Raises:
            Stale: it is another version, or gone.
        """
        name = google.google_id(event.uid)
        names = [name, f"{name}_{event.occurrence}"] if event.occurrence else [name]
        found = self._api.ask_all([self._get(each) for each in names])
        for one in found:
            if isinstance(one, Missing) or (not isinstance(one, Refusal) and one.get("status") == "cancelled"):
                raise Stale(STALE)
            if isinstance(one, Refusal):
                raise one
        items = [alone(one) for one in found[:1] if not isinstance(one, Refusal)]
        items += [one for one in found[1:] if not isinstance(one, Refusal)]
        others = self._others(items[0]) if items[0].get("recurrence") else ()
        stored = Stored(self._calendar, items[0], items[1] if event.occurrence else None, others)
        if stored.version != event.version:
            raise Stale(STALE)
        return stored

    def create(self, component: Component, how: How) -> Json:
        """Insert it, once: the event as it is stored."""
        body = google.body_of(component)
        if not body["reminders"]["overrides"]:
            del body["reminders"]  # those of the calendar
        return self._insert({**body, "id": google.new_google_id(str(component["UID"]))}, _told(how))

    def carry_out(self, stored: Stored, event: Event, edited: Edited, how: How) -> None:
        """Make of what is stored what was worked out.

        Raises:
            Stale: it has changed in between; nothing was done.
            Refusal: it was not done, or not known to be done: the sentence says which.
        """
        told = _told(how)
        if not edited.kept:
            self._remove(stored.master, told)
        elif event.occurrence and how.scope == "this":
            self._change_one(stored, event, edited, told)
        elif edited.split_off:
            self._split(stored, edited, told)
        else:
            self._change(stored.master, stored.components[0], edited.kept[0], told)
            self._settle(stored.master, edited.kept, told, has_others=bool(stored.others))

    def _change_one(self, stored: Stored, event: Event, edited: Edited, told: str) -> None:
        after = next((each for each in edited.kept[1:] if replaces(each) == event.occurrence), None)
        if stored.instance is None:
            raise Stale(STALE)
        if after is None:
            self._remove(stored.instance, told)
        else:
            self._change(stored.instance, self._calendar.component(stored.instance), after, told)

    def _split(self, stored: Stored, edited: Edited, told: str) -> None:
        """The later part first: should the second step fail, times are there twice and none is lost."""
        before, tail = stored.components[0], edited.split_off[0]
        new = google.body_of(tail)
        body = {name: stored.master[name] for name in google.COPIED if name in stored.master}
        body |= {name: value for name, value in google.patch_of(before, tail, stored.master).items() if value}
        body |= {name: new[name] for name in ("start", "end", "recurrence") if name in new}
        later = self._insert({**body, "id": google.new_google_id(str(tail["UID"]))}, told)
        try:
            self._change(stored.master, before, edited.kept[0], told)
        except Stale:
            self._api.write(self._api.events.delete(calendarId=self._calendar.id, eventId=later["id"], sendUpdates=told))
            raise
        self._settle(stored.master, edited.kept, told, has_others=bool(stored.others))
        self._settle(later, edited.split_off, told, has_others=False)

    def _settle(self, master: Json, kept: tuple[Component, ...], told: str, *, has_others: bool) -> None:
        """Let the times of a series that differ be those that were worked out, whatever became of them with the series."""
        if len(kept) == 1 and not has_others:
            return
        wanted = {replaces(each): each for each in kept[1:]}
        there = {google.occurrence_of(item): item for item in self._others(master) if item.get("status") != "cancelled"}
        absent = [occurrence for occurrence in wanted if occurrence not in there]
        found = self._api.ask_all([self._get(f"{master['id']}_{occurrence}") for occurrence in absent])
        failed = [one for one in found if isinstance(one, Refusal)]
        there |= {occurrence: one for occurrence, one in zip(absent, found, strict=True) if not isinstance(one, Refusal)}
        for occurrence, item in there.items():
            try:
                self._settle_one(item, wanted.get(occurrence) or planned(kept[0], occurrence, UTC), told)
            except Refusal as refusal:
                failed.append(refusal)
        if failed:
            raise Refusal(f"The series was changed, but {len(failed)} of its times that differ may not be right. Look at them. {failed[0]}")

    def _settle_one(self, item: Json, after: Component | None, told: str) -> None:
        if after is None:
            self._remove(item, told)
        else:
            self._change(item, self._calendar.component(item), after, told)

    def _insert(self, body: Json, told: str) -> Json:
        try:
            return self._api.write(self._api.events.insert(calendarId=self._calendar.id, body=body, sendUpdates=told))
        except Exists:
            log.info("a creation was repeated")
            found = self._look(body["id"], "It may be there already: ask for the same again, that makes no second one.")
            if found is None:
                raise Refusal(_REMOVED) from None
        except Unanswered as silence:
            found = self._look(body["id"], "Whether it was created is not known: ask for the same again, that makes no second one.")
            if found is None:
                raise Refusal(f"{silence} Nothing was created.") from silence
        return found

    def _change(self, item: Json, before: Component, after: Component, told: str) -> Json:
        patch = google.patch_of(before, after, item)
        if item.get("status") == "cancelled":
            patch["status"] = "confirmed"
        if not patch:
            return item
        try:
            request = self._api.events.patch(calendarId=self._calendar.id, eventId=item["id"], body=patch, sendUpdates=told)
            return self._api.write(request, self._etag(item))
        except Missing as gone:
            raise Stale(STALE) from gone
        except Unanswered as silence:
            found = self._look(item["id"], _UNKNOWN)
            if found is not None and found.get("etag") == item["etag"]:
                raise Refusal(f"{silence} Nothing was changed.") from silence
            if found is None or google.patch_of(self._calendar.component(found), after, found):
                raise Refusal(f"{silence} {_UNKNOWN}") from silence
            return found

    def _remove(self, item: Json, told: str) -> None:
        try:
            request = self._api.events.delete(calendarId=self._calendar.id, eventId=item["id"], sendUpdates=told)
            self._api.write(request, self._etag(item))
        except Missing as gone:
            raise Stale(STALE) from gone
        except Unanswered as silence:
            found = self._look(item["id"], _UNKNOWN)
            if found is not None and found.get("etag") == item["etag"]:
                raise Refusal(f"{silence} Nothing was removed.") from silence
            if found is not None:
                raise Refusal(f"{silence} {_UNKNOWN}") from silence

    def _look(self, name: str, otherwise: str) -> Json | None:
        """The event as it is there; None where it is not, or no more."""
        try:
            item = self._api.ask(self._get(name))
        except Missing:
            return None
        except Refusal as refusal:
            raise Refusal(f"{refusal} {otherwise}") from refusal
        return None if item.get("status") == "cancelled" else item

    def _etag(self, item: Json) -> str:
        if not item.get("etag"):
            raise Quoting(f'"{self._calendar.info.full_name}" {NO_VERSIONS}')
        return str(item["etag"])

    def _get(self, name: str) -> Any:
        return self._api.events.get(calendarId=self._calendar.id, eventId=name)

    def _others(self, master: Json) -> tuple[Json, ...]:
        """The times of a series that differ from it, removed ones among them."""
        uid = master.get("iCalUID", "")
        items, problem = all_of(self._api, lambda page: self._api.events.list(calendarId=self._calendar.id, iCalUID=uid, **page))
        if problem:
            raise Refusal(problem)
        return tuple(item for item in items if item.get("recurringEventId") == master["id"])


def _told(how: How) -> str:
    """Google's word for who is written to; never left to a default."""
    return "all" if how.notify == "all" else "none"
