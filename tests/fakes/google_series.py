"""The times of a series as Google keeps it, unfolded by `dateutil` on the wall of its own zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

Json = dict[str, Any]
_LAST = timedelta(days=800)
"""Nobody looks further than this from the first time of a series."""


def moment_of(value: Json) -> datetime:
    """A day is its midnight in Berlin, where the calendars are."""
    if "date" in value:
        day = date.fromisoformat(value["date"])
        return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("Europe/Berlin"))
    return datetime.fromisoformat(value["dateTime"]).astimezone(ZoneInfo(value.get("timeZone") or "UTC"))


def occurrence_of(value: Json) -> str:
    if "date" in value:
        return value["date"].replace("-", "")
    return moment_of(value).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def times_of(master: Json) -> list[Json]:
    """The starts that the rule gives, those taken out left out."""
    start = master["start"]
    first = moment_of(start).replace(tzinfo=None)
    zone = moment_of(start).tzinfo
    found: set[datetime] = set()
    removed: set[datetime] = set()
    for line in master["recurrence"]:
        name, _, value = line.partition(":")
        if name == "RRULE":
            parts = dict(part.split("=") for part in value.split(";"))
            if "UNTIL" in parts:
                parts["UNTIL"] = _wall(parts["UNTIL"], zone).strftime("%Y%m%dT%H%M%S")
            rule = rrulestr(";".join(f"{key}={part}" for key, part in parts.items()), dtstart=first)
            found |= set(rule.between(first, first + _LAST, inc=True))
        else:
            dates = {_wall(text, zone) for text in value.split(",")}
            found |= dates if name.startswith("RDATE") else set()
            removed |= dates if name.startswith("EXDATE") else set()
    return [_shown(each, start) for each in sorted(found - removed)]


def _wall(text: str, zone: Any) -> datetime:
    if len(text) == 8:
        return datetime.strptime(text, "%Y%m%d")  # noqa: DTZ007 - a day
    if text.endswith("Z"):
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
    return datetime.strptime(text, "%Y%m%dT%H%M%S")  # noqa: DTZ007 - a wall time


def _shown(wall: datetime, start: Json) -> Json:
    if "date" in start:
        return {"date": wall.date().isoformat()}
    return {"dateTime": wall.replace(tzinfo=ZoneInfo(start["timeZone"])).isoformat(), "timeZone": start["timeZone"]}
