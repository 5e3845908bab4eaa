"""The person's clock: which zone it is in, and what it shows now."""

from __future__ import annotations

import os
from datetime import datetime, tzinfo
from pathlib import Path
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

ZONE_LINK = Path("/etc/localtime")
"""On most systems a link into the zone database, whose path ends in the zone's name."""


class Clock(Protocol):
    """The person's."""

    @property
    def name(self) -> str:
        """Of the zone that it is in now; empty where nobody tells it."""
        ...

    def now(self) -> datetime:
        """What it shows."""
        ...


class Zone(NamedTuple):
    """A zone and its name; the name is empty where the machine does not tell it, and then the zone is None: the machine's own offset."""

    name: str
    info: tzinfo | None

    def now(self) -> datetime:
        return datetime.now(self.info).astimezone(self.info).replace(microsecond=0)


class LocalClock:
    """A clock that goes with its person: the machine is asked for its zone each time, as a journey changes it under a service that runs.

    Args:
        setting: the zone that the settings name, which counts wherever the machine is.
    """

    def __init__(self, setting: str | None) -> None:
        self._setting = setting

    @property
    def name(self) -> str:
        return find_zone(self._setting).name

    def now(self) -> datetime:
        return find_zone(self._setting).now()


def find_zone(setting: str | None) -> Zone:
    """The zone that the settings name, else this machine's."""
    said = os.environ.get("TZ", "").removeprefix(":")
    # Where TZ is set the link does not count, also where TZ is a rule (`CET-1CEST,M3.5.0,M10.5.0/3`) and names no zone.
    for name in filter(None, (setting, _name_of(said) if said else _name_of(str(ZONE_LINK)))):
        try:
            return Zone(name, ZoneInfo(name))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return Zone("", None)


def _name_of(said: str) -> str:
    """The name of a zone that is said by its name or as a file of the zone database; empty for another file."""
    if not Path(said).is_absolute():
        return said
    _, found, name = str(Path(said).resolve()).partition("/zoneinfo/")
    return name if found else ""
