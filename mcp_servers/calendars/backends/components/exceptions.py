"""The times of a series that differ from it: changed ones, removed ones, and ones that were added by hand."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, cast

from mcp_servers.calendars.backends.components import fields, reminders
from mcp_servers.calendars.backends.components.fields import Component
from mcp_servers.calendars.backends.components.starts import Start, Starts, in_form_of, occurrence_text, start_of
from mcp_servers.calendars.model import Change
from mcp_servers.errors import Refusal

TOO_INVOLVED = "This series is kept in a form that can only be changed time by time here. Say scope: this."
_DATES = ("EXDATE", "RDATE")
WallOf = Callable[[Start], datetime]


class Exceptions:
    """The exceptions of one series; its components are the caller's to store."""

    def __init__(self, components: list[Component]) -> None:
        self.components = components

    def of(self, master: Component, occurrence: str) -> Component:
        """The exception for that occurrence, made from the series where there is none."""
        for component in self.components:
            if _replaces(component) == occurrence:
                return component
        start = start_of(occurrence, Starts.of(master["DTSTART"].dt))
        made = copy.deepcopy(master)
        for name in ("RRULE", "RDATE", "EXDATE"):
            made.pop(name, None)
        fields.put_start(made, start, cast("Any", start) + fields.length_of(master))
        made.add("recurrence-id", start)
        self.components.append(made)
        return made

    def take_out(self, master: Component, occurrence: str) -> None:
        """That occurrence, changed or not, is no more."""
        self.components = [component for component in self.components if _replaces(component) != occurrence]
        self.remove_dates(master, [start_of(occurrence, Starts.of(master["DTSTART"].dt))])

    def check_editable(self, master: Component) -> None:
        """Raises:
        Refusal: the series has a form that no program writes today, and that cannot be changed as a whole safely.
        """
        for component in self.components:
            _replaces(component)
        has_range = any("RANGE" in component["RECURRENCE-ID"].params for component in self.components)
        has_periods = any(not hasattr(value, "year") for name in _DATES for value in _dates(master, name))
        if has_range or has_periods or " " in fields.rule_text(master):
            raise Refusal(TOO_INVOLVED)

    def parted(self, starts: Starts, wall: datetime, uid: str) -> tuple[Exceptions, Exceptions]:
        """Those before a time, and those from it on, which belong to the series `uid` then."""
        earlier = [component for component in self.components if _wall(component, starts) < wall]
        later = [component for component in self.components if _wall(component, starts) >= wall]
        for component in later:
            component["UID"] = type(component["UID"])(uid)
        return Exceptions(earlier), Exceptions(later)

    def write_inherited(self, series: Component, change: Change, now: datetime) -> None:
        """A change of the whole series, into each exception where that has nothing of its own."""
        theirs = _texts(series)
        for component in self.components:
            own = _texts(component)
            values = {
                name: getattr(change, name)
                for name, text in own.items()
                if text == theirs[name] and getattr(change, name) is not None
            }  # fmt: skip
            if values:
                fields.write(component, Change(**values), now)

    def follow(self, before: Component, series: Component, wall_of: WallOf, by: timedelta, *, is_exact: bool) -> list[str]:
        """After the series has moved: move along, or go where there is no telling where to.

        Args:
            before: the series as it was.
            series: as it is now.
            wall_of: the wall time at which the series had a start.
            by: how far the wall time of each occurrence has moved.
            is_exact: every occurrence has moved by as much.

        Returns:
            What is to be said of it.
        """
        if not is_exact:
            return self._drop(series, lambda _: False)
        old, new = Starts.of(before["DTSTART"].dt), Starts.of(series["DTSTART"].dt)
        for name in _DATES:
            _put_dates(series, name, [new.start(wall_of(value) + by) for value in _dates(before, name)])
        own_times = 0
        for component in self.components:
            original = component["RECURRENCE-ID"].dt
            moved = new.start(wall_of(original) + by)
            component.pop("RECURRENCE-ID")
            component.add("recurrence-id", moved)
            if old.wall(component["DTSTART"].dt) != old.wall(original):
                own_times += 1
                continue
            has_own_length = fields.length_of(component) != fields.length_of(before)
            length = fields.length_of(component if has_own_length else series)
            fields.put_start(component, moved, cast("Any", moved) + length)
        keeps = "keeps its own time" if own_times == 1 else "keep their own times"
        return [f"{_times(own_times)} that {_was(own_times)} moved before {keeps}"] if own_times else []

    def keep_those_of(self, series: Component, gives: Callable[[Start], bool]) -> list[str]:
        """After the series' rule has changed: drop the exceptions of times that no longer come up."""
        return self._drop(series, gives, names=("EXDATE",))

    def _drop(self, series: Component, is_kept: Callable[[Start], bool], *, names: tuple[str, ...] = _DATES) -> list[str]:
        kept = [component for component in self.components if is_kept(component["RECURRENCE-ID"].dt)]
        changed = len(self.components) - len(kept)
        self.components = kept
        dropped = {name: _keep(series, name, is_kept) for name in names}
        removed, added = dropped["EXDATE"], dropped.get("RDATE", 0)
        return [
            *([f"{_times(changed)} that {_was(changed)} changed {_was(changed)} reset"] if changed else []),
            *([f"{_times(removed)} that {_was(removed)} removed may come up again"] if removed else []),
            *([f"{_times(added)} that {_was(added)} added by hand {_was(added)} dropped"] if added else []),
        ]

    @staticmethod
    def keep_dates(component: Component, starts: Starts, is_kept: Callable[[datetime], bool]) -> None:
        """Of the removed and the added times, keep those for which that holds."""
        for name in _DATES:
            _keep(component, name, lambda value: is_kept(starts.wall(value)))

    @staticmethod
    def remove_dates(component: Component, starts: list[Start]) -> None:
        """Let the series not come up then. What was removed before stays as it is written: one line has one form for all its times."""
        if not starts:
            return
        before = fields.listed(component, "EXDATE")
        _put_dates(component, "EXDATE", starts)
        added = component["EXDATE"]
        alike = next((dates for dates in before if _forms(dates) == _forms(added)), None)
        if alike is not None:
            alike.dts += added.dts
        _put_lists(component, "EXDATE", before if alike is not None else [*before, added])

    def has_only_removed(self, component: Component, earlier: list[Start], wall: datetime, starts: Starts) -> bool:
        """Whether nothing of the series comes up before a time: all that its rule gives is removed, and none was added or changed."""
        removed = {occurrence_text(value) for value in _dates(component, "EXDATE")}
        others = [*_dates(component, "RDATE"), *(each["RECURRENCE-ID"].dt for each in self.components)]
        return all(starts.wall(value) >= wall for value in others) and all(occurrence_text(value) in removed for value in earlier)


def _keep(component: Component, name: str, is_kept: Callable[[Start], bool]) -> int:
    """How many were dropped."""
    lists, dropped = fields.listed(component, name), 0
    for dates in lists:
        kept = [value for value in dates.dts if is_kept(_own(component, value.dt))]
        dropped += len(dates.dts) - len(kept)
        dates.dts = kept
    if dropped:
        _put_lists(component, name, [dates for dates in lists if dates.dts])
    return dropped


def _replaces(component: Component) -> str:
    """Raises:
    Refusal: that cannot be read.
    """
    try:
        return occurrence_text(component["RECURRENCE-ID"].dt)
    except (AttributeError, ValueError) as error:
        raise Refusal("A changed time of this series cannot be read. Change it where it was made.") from error


def _wall(component: Component, starts: Starts) -> datetime:
    return starts.wall(component["RECURRENCE-ID"].dt)


def _dates(component: Component, name: str) -> list[Start]:
    """In the form in which the series keeps its times, whatever other programs wrote."""
    return [_own(component, value) for value in fields.dates_of(component, name)]


def _own(component: Component, value: Start) -> Start:
    return in_form_of(component["DTSTART"].dt, value) if hasattr(value, "year") else value  # else a period


def _forms(dates: Any) -> set[tuple[str, bool, bool]]:
    """In which its times are written: the zone, and whether they are days or in UTC."""
    zone = str(dates.params.get("TZID", ""))
    return {(zone, isinstance(value.dt, datetime), getattr(value.dt, "tzinfo", None) is not None) for value in dates.dts}


def _put_lists(component: Component, name: str, lists: list[Any]) -> None:
    component.pop(name, None)
    if lists:
        component[name] = lists if len(lists) > 1 else lists[0]


def _put_dates(component: Component, name: str, dates: list[Start]) -> None:
    component.pop(name, None)
    if dates:
        component.add(name.lower(), dates)


def _texts(component: Component) -> dict[str, object]:
    """What of a component can be inherited, in a form that compares."""
    return {
        "title": str(component.get("SUMMARY", "")),
        "location": str(component.get("LOCATION", "")),
        "description": str(component.get("DESCRIPTION", "")),
        "attendees": tuple(sorted(guest.address for guest in fields.attendees_of(component))),
        "reminders": reminders.read(component),
    }


def _times(count: int) -> str:
    return "1 time" if count == 1 else f"{count} times"


def _was(count: int) -> str:
    return "was" if count == 1 else "were"
