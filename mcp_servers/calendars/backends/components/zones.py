"""The time zones that calendars define, for the `icalendar` library: each is made once, and none whose rules would never end."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any, cast

from icalendar.timezone.zoneinfo import ZONEINFO

from mcp_servers.calendars.backends.components import rules

_KEPT = 64


class Zones(ZONEINFO):
    """The library's zones; one that a calendar defines is made once, as that takes longer than reading an event."""

    def __init__(self) -> None:
        self._made: dict[bytes, tzinfo] = {}

    def create_timezone(self, tz: Any) -> tzinfo:
        """A zone as a calendar defines it.

        Raises:
            ValueError: its rules change the clock so often, or look for days that never come, that no time in it is ever found.
        """
        definition = tz.to_ical()
        if definition not in self._made:
            if not all(map(_can_be_unfolded, tz.subcomponents)):
                raise ValueError("no time zone")
            if len(self._made) >= _KEPT:
                self._made.clear()
            self._made[definition] = cast("Any", super()).create_timezone(tz)
        return self._made[definition]


def _can_be_unfolded(part: Any) -> bool:
    found: Any = part.get("RRULE", [])
    each = cast("list[Any]", found if isinstance(found, list) else [found])
    return all(rules.can_be_unfolded(rules.parts_of(rule.to_ical().decode())) for rule in each)
