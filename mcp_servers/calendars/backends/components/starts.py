"""The starts of one series in the form in which it keeps them: days, wall times of a zone, or floating times.

An exception names the occurrence it replaces by that form, so whatever is added to a series is written in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Literal

from mcp_servers.spans import Span

Start = date | datetime
"""A day for all-day events, else a moment."""
_UTC_FORM = "%Y%m%dT%H%M%SZ"
_FLOATING_FORM = "%Y%m%dT%H%M%S"
_DAY_FORM = "%Y%m%d"
_DAY = timedelta(days=1)
"""No clock is changed by more, nor twice within one."""


@dataclass(frozen=True)
class Starts:
    """How a series keeps its times; `wall` times are naive, and a day is its midnight."""

    kind: Literal["days", "zoned", "floating"]
    zone: tzinfo | None = None

    @classmethod
    def of(cls, value: Start) -> Starts:
        if not isinstance(value, datetime):
            return cls("days")
        return cls("zoned", value.tzinfo) if value.tzinfo else cls("floating")

    @classmethod
    def of_span(cls, span: Span) -> Starts:
        return cls("days") if span.is_all_day else cls("zoned", span.start.tzinfo)

    def wall(self, value: Start) -> datetime:
        if not isinstance(value, datetime):
            return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - a wall time
        if self.kind == "days":
            return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - as above
        if self.kind == "zoned" and value.tzinfo is not None:
            value = value.astimezone(self.zone)
        return value.replace(tzinfo=None, fold=0)

    def start(self, wall: datetime) -> Start:
        if self.kind == "days":
            return wall.date()
        return wall.replace(tzinfo=self.zone) if self.kind == "zoned" else wall

    def is_skipped(self, wall: datetime) -> bool:
        """Whether clocks go over that wall time; it means the moment that clocks before the change would give it (RFC 5545, 3.3.5)."""
        return self.wall(self._real(wall)) != wall

    def skipped(self, value: Start) -> datetime | None:
        """The wall time that clocks went over and that means this moment."""
        if self.kind != "zoned" or not isinstance(value, datetime) or value.tzinfo is None:
            return None
        moment = value.astimezone(UTC)
        day_before = (moment - _DAY).astimezone(self.zone).utcoffset() or timedelta()
        wall = (moment + day_before).replace(tzinfo=None)
        return wall if self.is_skipped(wall) and self._real(wall) == moment else None

    def shown(self, wall: datetime) -> Start:
        """The start as clocks show it, also where they go over the wall time."""
        real = self._real(wall)
        return real.astimezone(self.zone) if isinstance(real, datetime) and self.kind == "zoned" else real

    def _real(self, wall: datetime) -> Start:
        start = self.start(wall)
        return start.astimezone(UTC) if isinstance(start, datetime) and self.kind == "zoned" else start

    def of_moment(self, moment: datetime, here: tzinfo | None) -> datetime:
        """The wall time of a moment: in the series' own zone; for days and floating times, where the person is."""
        return self.wall(moment if self.kind == "zoned" else moment.astimezone(here).replace(tzinfo=None))

    def until(self, wall: datetime) -> str:
        """An UNTIL that still holds that time."""
        if self.kind == "days":
            return wall.strftime(_DAY_FORM)
        return wall.replace(tzinfo=self.zone).astimezone(UTC).strftime(_UTC_FORM) if self.kind == "zoned" else wall.strftime(_FLOATING_FORM)

    def until_wall(self, text: str) -> datetime:
        """The wall time that an UNTIL means.

        Raises:
            ValueError: it is no time.
        """
        if len(text) == 8:
            day = datetime.strptime(text, _DAY_FORM)  # noqa: DTZ007 - a day has no zone
            return day if self.kind == "days" else day + timedelta(days=1, seconds=-1)
        if text.endswith("Z"):
            return self.wall(datetime.strptime(text, _UTC_FORM).replace(tzinfo=UTC))
        return self.wall(datetime.strptime(text, _FLOATING_FORM))  # noqa: DTZ007 - nor has a floating time


def in_form_of(first: Start, value: Start) -> Start:
    """A start in the form of the series that begins with `first`; of a day, the time at which the series begins."""
    starts = Starts.of(first)
    if starts.kind == "zoned" and isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(starts.zone)  # the moment itself, also where clocks skip or repeat its wall time
    if starts.kind != "days" and not isinstance(value, datetime):
        value = datetime.combine(value, starts.wall(first).time())
    return starts.start(starts.wall(value))


def usual_transp(start: Start) -> str:
    """TRANSP of what does not say it: whole days leave a person free."""
    return "OPAQUE" if isinstance(start, datetime) else "TRANSPARENT"


def occurrence_text(start: Start) -> str:
    """`20261126T140000Z`, or `20261126` for all-day events."""
    if not isinstance(start, datetime):
        return start.strftime(_DAY_FORM)
    return start.astimezone(UTC).strftime(_UTC_FORM) if start.tzinfo else start.strftime(_FLOATING_FORM)


def start_of(occurrence: str, starts: Starts) -> Start:
    """The start that an occurrence's text names, in the form of its series.

    Raises:
        ValueError: it is no such text.
    """
    if starts.kind == "days":
        return datetime.strptime(occurrence, _DAY_FORM).date()  # noqa: DTZ007 - a day has no zone
    if starts.kind == "floating":
        return datetime.strptime(occurrence, _FLOATING_FORM)  # noqa: DTZ007 - nor has a floating time
    return datetime.strptime(occurrence, _UTC_FORM).replace(tzinfo=UTC).astimezone(starts.zone)
