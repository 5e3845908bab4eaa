"""Calendars as `.ics` files in one folder, one file per calendar.

Any program that writes such files can share the folder: files are read again when they have changed, and replaced
as a whole. A change is made under the folder's lock and only when the version it is based on is still the stored one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from functools import cached_property
from pathlib import Path

from mcp_servers.calendars.backends.components import fields, ics, readable, series
from mcp_servers.calendars.backends.components.fields import Component
from mcp_servers.calendars.backends.components.ics import Calendar, Unfolded
from mcp_servers.calendars.backends.components.series import Edited
from mcp_servers.calendars.backends.contract import Listing, Pending, Which, each_of
from mcp_servers.calendars.model import LOCAL, Answer, CalendarInfo, Change, Event, How, in_order
from mcp_servers.calendars.shape import STALE
from mcp_servers.errors import Refusal, Stale
from mcp_servers.files import locked, private_folder, write_whole
from mcp_servers.spans import Span

DEFAULT_CALENDAR = "personal"
Edit = Callable[[list[Component]], Edited]


@dataclass(frozen=True)
class _Loaded:
    stamp: tuple[int, int, int]
    calendar: Calendar
    name: str

    @cached_property
    def unfolded(self) -> Unfolded:
        return Unfolded(self.calendar, self.name)


class LocalCalendars:
    """A folder of calendars. Not for use by two threads at once.

    Args:
        folder: made where it is missing.
        addresses: the person's own, which an invitation may name.
    """

    def __init__(self, folder: Path, addresses: frozenset[str] = frozenset()) -> None:
        self._folder = private_folder(folder)
        self._loaded: dict[str, _Loaded] = {}
        self._damaged: dict[str, str] = {}
        """Calendars that cannot be read, and the sentence that says so. They hide no other, and nothing is written to them."""
        self._addresses = frozenset(address.lower() for address in addresses)

    @property
    def account(self) -> str:
        return LOCAL

    @property
    def addresses(self) -> frozenset[str]:
        return self._addresses

    def calendars(self) -> tuple[CalendarInfo, ...]:
        names = dict.fromkeys([DEFAULT_CALENDAR, *self._calendars(), *self._damaged])
        stamps = {name: "-".join(map(str, loaded.stamp)) for name, loaded in self._loaded.items()}
        return tuple(CalendarInfo(LOCAL, name, is_writable=name not in self._damaged, state=stamps.get(name, "")) for name in names)

    def query(self, period: Span, which: Which = each_of) -> Listing:
        """What falls into the period, by start; all-day events first."""
        zone = _zone_of(period)
        names = which(self.calendars())
        kept = [loaded for name, loaded in self._loaded.items() if name in names]
        events = [event for loaded in kept for event in loaded.unfolded.occurrences(period, zone)]
        problems = [problem for name, problem in self._damaged.items() if name in names]
        problems += [readable.left_out_text(each.unfolded.left_out, each.name) for each in kept if each.unfolded.left_out]
        return Listing(tuple(sorted(events, key=in_order)), tuple(problems))

    def get(self, event_id: str, zone: tzinfo) -> tuple[Event, ...]:
        found = [ics.found(calendar, name, event_id, zone) for name, calendar in self._calendars().items()]
        return tuple(event for event in found if event is not None)

    def create(self, event: Event, how: How) -> Event:
        """Store a new event; the same uid a second time changes nothing and gives the stored one."""
        zone = _zone(how)
        with locked(self._folder):
            calendars = self._calendars()
            known = [first for name, each in calendars.items() if (first := ics.first_of(ics.components_with(each, event.uid), name, zone))]
            if known:
                return known[0]
            if event.calendar in self._damaged:
                raise Refusal(self._damaged[event.calendar])
            calendar = calendars.get(event.calendar) or ics.empty_calendar()
            calendar.add_component(fields.new_component(event, how.now))
            self._save(event.calendar, calendar)
        return self._stored(event.calendar, event.uid, event.uid, zone)

    def update(self, event: Event, change: Change, how: How) -> Pending:
        """As the contract says.

        Raises:
            Stale: the stored one has changed since.
        """
        return self._pending(event, how, lambda components: series.changed(components, event, change, how))

    def delete(self, event: Event, how: How) -> Pending:
        return self._pending(event, how, lambda components: series.removed(components, event, how))

    def respond(self, event: Event, answer: Answer, how: How) -> Pending:
        return self._pending(event, how, lambda components: series.answered(components, event, answer, self._addresses, how))

    def _pending(self, event: Event, how: How, edit: Edit) -> Pending:
        """Worked out twice: to be shown, and under the lock on what is stored then."""
        notes = edit(self._based_on(event)).notes

        def carry_out() -> Event | None:
            with locked(self._folder):
                stored = self._based_on(event)
                edited, uid = edit(stored), str(stored[0]["UID"])
                calendar = self._calendars()[event.calendar]
                others = [part for part in calendar.subcomponents if part.name != "VEVENT" or str(part.get("UID", "")) != uid]
                calendar.subcomponents = [*others, *edited.kept, *edited.split_off]
                self._save(event.calendar, calendar)
            if not edited.event_id:
                return None
            changed = edited.split_off or edited.kept
            return self._stored(event.calendar, edited.event_id, str(changed[0]["UID"]), _zone(how))

        return Pending(carry_out, notes)

    def _based_on(self, event: Event) -> list[Component]:
        calendar = self._calendars().get(event.calendar)
        components = ics.components_of(calendar, event) if calendar else []
        if not components or ics.version_of(components) != event.version:
            raise Stale(STALE)
        return components

    def _stored(self, calendar: str, event_id: str, uid: str, zone: tzinfo) -> Event:
        """By its id, else (its time no longer comes up) the first of its series."""
        stored = self._calendars()[calendar]
        event = ics.found(stored, calendar, event_id, zone) or ics.first_of(ics.components_with(stored, uid), calendar, zone)
        if event is None:
            raise Refusal("The event was stored and cannot be found again. Look at the calendar.")
        return event

    def _calendars(self) -> dict[str, Calendar]:
        files = {path.stem: path for path in sorted(self._folder.glob("*.ics")) if not path.name.startswith(".")}
        loaded = {name: self._load(name, path) for name, path in files.items()}
        self._loaded = {name: each for name, each in loaded.items() if isinstance(each, _Loaded)}
        self._damaged = {name: each for name, each in loaded.items() if isinstance(each, str)}
        return {name: loaded.calendar for name, loaded in self._loaded.items()}

    def _load(self, name: str, path: Path) -> _Loaded | str | None:
        """The calendar, or the sentence that says why it is not there; None where the file is gone by now."""
        try:
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
            known = self._loaded.get(name)
            if known is not None and known.stamp == stamp:
                return known
            return _Loaded(stamp, ics.parse(path.read_bytes()), name)
        except ValueError:
            what = "is damaged"
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not path.is_symlink():
                return None
            what = f"cannot be opened ({(error.strerror or str(error)).lower()})"
        return f'The calendar "{name}" cannot be read: {path.name} {what}. Mend the file, or move it away.'

    def _save(self, name: str, calendar: Calendar) -> None:
        # Forgotten first: should writing fail, the changed object must not pass for what is on the disk.
        self._loaded.pop(name, None)
        path, content = self._folder / f"{name}.ics", ics.serialized(calendar)
        try:
            # Resolved: a link leads to the file that another program keeps in step with other devices.
            write_whole(path.resolve(), content)
        except OSError as error:
            what = f"{path.name} is a link to {path.resolve()}, which" if path.is_symlink() else path.name
            why = (error.strerror or str(error)).lower()
            raise Refusal(f'Nothing was changed in the calendar "{name}": {what} cannot be written ({why}). Make it writable.') from error


def _zone(how: How) -> tzinfo:
    if how.now.tzinfo is None:
        raise ValueError("a time without a zone")
    return how.now.tzinfo


def _zone_of(period: Span) -> tzinfo:
    if period.start.tzinfo is None:
        raise ValueError("a time without a zone")
    return period.start.tzinfo
