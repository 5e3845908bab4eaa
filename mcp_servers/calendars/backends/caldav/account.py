"""Calendars on a CalDAV server (RFC 4791).

An event's version is its ETag: every change is made with `If-Match`, every creation with `If-None-Match` under a name
made of the client's id, so that one that is repeated makes no twin. Series are unfolded here, as those of local files
are, and not by the server: both show the same.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections.abc import Callable
from datetime import timedelta, tzinfo
from urllib.parse import quote

import httpx2

from mcp_servers.calendars.backends.caldav import multistatus
from mcp_servers.calendars.backends.caldav.dav import Dav, Login, RefusedHere
from mcp_servers.calendars.backends.caldav.discovery import Collection, Discovered
from mcp_servers.calendars.backends.caldav.multistatus import CALDAV, DAV, Item, NotDav
from mcp_servers.calendars.backends.caldav.resources import Read, Resource, parsed
from mcp_servers.calendars.backends.components import fields, ics, readable, series
from mcp_servers.calendars.backends.components.fields import Component
from mcp_servers.calendars.backends.components.ics import Calendar
from mcp_servers.calendars.backends.components.series import Edited
from mcp_servers.calendars.backends.contract import Listing, Pending, Which, each_of
from mcp_servers.calendars.model import Answer, CalendarInfo, Change, Event, How, in_order
from mcp_servers.calendars.shape import NO_VERSIONS, STALE
from mcp_servers.errors import Exists, Missing, Quoting, Refusal, Stale, Unanswered
from mcp_servers.spans import Span

log = logging.getLogger(__name__)

_DAY = timedelta(days=1)
"""All-day and floating times lie up to a day away from where a server without the person's zone looks."""
_PLAIN_UID = re.compile(r"[A-Za-z0-9._@-]{1,100}")
_SHORTEST_FOREIGN_UID = 12
"""Shorter words are words of a title; a server is not asked for them as an id."""
_CUT = 507
Edit = Callable[[list[Component]], Edited]


class CalDavCalendars:
    """One account on a CalDAV server; asked when it is needed, not before. Not for use by two threads at once.

    Args:
        login: where and as whom.
        address: the person's own there, where the server does not tell.
        transport: for tests.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        login: Login,
        address: str = "",
        *,
        transport: httpx2.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._login = login
        self._address = frozenset({address.lower()} - {""})
        self._transport = transport
        self._server: Dav | None = None
        self._known = Discovered(lambda: self._dav, clock)
        self._urls: dict[tuple[str, str], str] = {}
        """Where an event was last seen, by its calendar's url (names can change) and UID."""

    @property
    def account(self) -> str:
        return self._login.account

    @property
    def addresses(self) -> frozenset[str]:
        return self._address or self._known.found.addresses

    def calendars(self) -> tuple[CalendarInfo, ...]:
        try:
            found = self._known.now()
        except Unanswered:
            if self._known.last is None:
                raise
            found = self._known.last
        return tuple(collection.info for collection in found.collections.values())

    def query(self, period: Span, which: Which = each_of) -> Listing:
        zone = _zone(period.start.tzinfo)
        asked = multistatus.events_within(Span(period.start - _DAY, period.end + _DAY))
        events: list[Event] = []
        problems: list[str] = []
        failed: list[Refusal] = []
        known = self._known.now().collections
        names = which(tuple(each.info for each in known.values()))
        collections = [each for name, each in known.items() if name in names]
        for collection in collections:
            read = self._read(collection, asked)
            if isinstance(read, Refusal):
                failed.append(read)
                problems.append(_problem_of(collection, read))
                continue
            events += [event for resource in read.resources for event in resource.events(period, zone)]
            problems += read.problems(collection.info.full_name)
        if failed and len(failed) == len(collections):
            raise failed[0]
        return Listing(tuple(sorted(events, key=in_order)), tuple(problems))

    def get(self, event_id: str, zone: tzinfo) -> tuple[Event, ...]:
        uid, occurrence = ics.parts_of(event_id)
        is_known = any(known == uid for _, known in self._urls)
        if not is_known and not occurrence and (len(uid) < _SHORTEST_FOREIGN_UID or any(each.isspace() for each in uid)):
            return ()
        self._known.now()
        found = [resource.event(event_id, zone) for resource in self._named(uid)]
        return tuple(event for event in found if event is not None)

    def create(self, event: Event, how: How) -> Event:
        collection = self._collection(event.calendar)
        component = fields.new_component(event, how.now)
        fields.put_notify(component, how.notify)
        calendar = ics.empty_calendar()
        calendar.add_component(component)
        url = _url_of(collection, event.uid)
        try:
            self._put(collection, url, calendar, None)
        except Exists:
            log.info("a creation was repeated")
        except Unanswered as silence:
            # It is under a name of our own: looking there tells whether it was made.
            if not self._at(collection, url):
                raise Refusal(f"{silence} Nothing was created.") from silence
        stored = next(iter(self._at(collection, url) or self._named(event.uid)), None)
        first = stored.first(_zone(how.now.tzinfo)) if stored else None
        if first is None:
            raise Quoting(f'"{collection.info.full_name}" does not show the event that was to be created. Look at the calendar.')
        return first

    def update(self, event: Event, change: Change, how: How) -> Pending:
        return self._pending(event, how, lambda components: series.changed(components, event, change, how))

    def delete(self, event: Event, how: How) -> Pending:
        return self._pending(event, how, lambda components: series.removed(components, event, how))

    def respond(self, event: Event, answer: Answer, how: How) -> Pending:
        me = self.addresses
        return self._pending(event, how, lambda components: series.answered(components, event, answer, me, how))

    def _pending(self, event: Event, how: How, edit: Edit) -> Pending:
        url = self._collection(event.calendar).url
        uid = event.uid if (url, event.uid) in self._urls else ics.parts_of(event.uid)[0]  # as of `ics.components_of`
        resource = next((each for each in self._named(uid) if each.collection.info.name == event.calendar), None)
        if resource is None or resource.etag != event.version:
            raise Stale(STALE)
        edited = edit(resource.components)

        def carry_out() -> Event | None:
            try:
                self._store(resource, edited, how)
            except Unanswered as silence:
                raise Refusal(f"{silence} Whether the change was made is not known: look at the event before trying again.") from silence
            return self._stored(resource.collection, edited, _zone(how.now.tzinfo)) if edited.event_id else None

        return Pending(carry_out, edited.notes)

    def _store(self, resource: Resource, edited: Edited, how: How) -> None:
        if not edited.kept:
            self._remove(resource, how)
            return
        if not edited.split_off:
            self._put(resource.collection, resource.url, ics.with_events(resource.calendar, edited.kept), resource.etag)
            return
        # The later part first: should the second step fail, times are there twice and none is lost.
        url = _url_of(resource.collection, str(edited.split_off[0]["UID"]))
        try:
            self._put(resource.collection, url, ics.with_events(resource.calendar, edited.split_off), None)
        except Exists:
            log.info("a split was repeated")
        try:
            self._put(resource.collection, resource.url, ics.with_events(resource.calendar, edited.kept), resource.etag)
        except Stale:
            self._dav.write("DELETE", url)
            raise

    def _remove(self, resource: Resource, how: How) -> None:
        etag = resource.etag
        headers = {"Schedule-Reply": "F"} if how.notify == "none" else {}
        if how.notify == "none":
            # A server that writes to guests would do so now, unless the event itself says not to.
            edited = series.silenced(resource.components, how)
            self._put(resource.collection, resource.url, ics.with_events(resource.calendar, edited.kept), etag)
            etag = next((each.etag for each in self._at(resource.collection, resource.url)), etag)
        self._dav.write("DELETE", resource.url, headers={"If-Match": etag, **headers})

    def _stored(self, collection: Collection, edited: Edited, zone: tzinfo) -> Event:
        uid = str((edited.split_off or edited.kept)[0]["UID"])
        for resource in self._named(uid):
            if resource.collection.url == collection.url and (event := resource.event(edited.event_id, zone) or resource.first(zone)):
                return event
        raise Refusal("The event was stored and cannot be found again. Look at the calendar.")

    @property
    def _dav(self) -> Dav:
        if self._server is None:
            self._server = Dav(self._login, transport=self._transport)
        return self._server

    def _collection(self, name: str) -> Collection:
        collections = self._known.found.collections
        if name not in collections:
            raise Quoting(f'"{self.account}" has no calendar "{name}". There are {", ".join(collections)}. Name one of them.')
        return collections[name]

    def _named(self, uid: str) -> list[Resource]:
        """The stored object with that UID, in each calendar that has it."""
        collections = {each.url: each for each in self._known.found.collections.values()}
        known = [(collections[at], url) for (at, each), url in self._urls.items() if each == uid and at in collections]
        reads = [self._read(collection, _object_at(url)) for collection, url in known]
        if seen := _resources_of(reads):
            return seen
        reads = [self._read(collection, multistatus.events_named(uid)) for collection in collections.values()]
        found = [resource for resource in _resources_of(reads) if resource.components and str(resource.components[0]["UID"]) == uid]
        if not found and (failed := [read for read in reads if isinstance(read, Refusal)]):
            raise failed[0]
        return found

    def _at(self, collection: Collection, url: str) -> list[Resource]:
        return self._report(collection, _object_at(url)).resources

    def _read(self, collection: Collection, body: str) -> Read | Refusal:
        """As `_report`, or why this one calendar tells nothing, while others may: what fails everywhere is raised."""
        try:
            return self._report(collection, body)
        except (Missing, RefusedHere) as refusal:
            return refusal

    def _report(self, collection: Collection, body: str) -> Read:
        """The objects of an answer."""
        try:
            reply = self._dav.ask("REPORT", collection.url, body, depth="1")
            items = multistatus.items_of(reply.content)
        except Missing:
            self._known.forget()  # the calendars have changed
            raise
        except NotDav as error:
            raise RefusedHere(f'The calendar server of "{self.account}" gave an answer that cannot be read. Try again later.') from error
        read = [self._resource(collection, item) for item in items if item.status != 404 and item.text(f"{CALDAV}calendar-data")]
        resources = [resource for resource in read if resource is not None]
        self._urls |= {(collection.url, str(each.components[0]["UID"])): each.url for each in resources if each.components}
        # RFC 4791 (8.2): a server that does not tell everything says so of the calendar itself.
        unread = len(read) - len(resources) + sum(readable.left_out(each.calendar) for each in resources)
        return Read(resources, unread, is_cut=any(item.status == _CUT for item in items))

    def _resource(self, collection: Collection, item: Item) -> Resource | None:
        try:
            calendar = parsed(item.text(f"{CALDAV}calendar-data"), self._known.found.aliases, self.addresses)
        except ValueError:
            log.warning("an entry of %s cannot be read", collection.info.full_name)
            return None
        return Resource(collection, self._dav.absolute(item.href, collection.url), item.text(f"{DAV}getetag"), calendar)

    def _put(self, collection: Collection, url: str, calendar: Calendar, etag: str | None) -> None:
        if etag == "":
            raise Quoting(f'The server of "{collection.info.full_name}" {NO_VERSIONS}')
        headers = {"If-None-Match": "*"} if etag is None else {"If-Match": etag}
        self._dav.write("PUT", url, ics.serialized(calendar), headers)


def _object_at(url: str) -> str:
    return multistatus.resources([httpx2.URL(url).raw_path.decode()])


def _resources_of(reads: list[Read | Refusal]) -> list[Resource]:
    return [resource for read in reads if isinstance(read, Read) for resource in read.resources]


def _problem_of(collection: Collection, refusal: Refusal) -> str:
    # What leads nowhere is one calendar here, often a link to one that is shared no more: not the account's url.
    said = "Its server lists it and has nothing there." if isinstance(refusal, Missing) else str(refusal)
    return f"{collection.info.full_name}: {said}"


def _url_of(collection: Collection, uid: str) -> str:
    name = uid if _PLAIN_UID.fullmatch(uid) else hashlib.sha256(uid.encode()).hexdigest()
    return f"{collection.url.rstrip('/')}/{quote(name)}.ics"


def _zone(zone: tzinfo | None) -> tzinfo:
    if zone is None:
        raise ValueError("a time without a zone")
    return zone
