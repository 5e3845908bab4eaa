"""The person's clock: which zone it is in, and what it shows now."""

from __future__ import annotations

import os
from datetime import datetime, tzinfo
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

ZONE_LINK = Path("/etc/localtime")
"""On most systems a link into the zone database, whose path ends in the zone's name."""


class Zone(NamedTuple):
    """A zone and its name; the name is empty where the machine does not tell it, and then the zone is None: the machine's own offset."""

    name: str
    info: tzinfo | None

    def now(self) -> datetime:
        return datetime.now(self.info).astimezone(self.info).replace(microsecond=0)


def find_zone(setting: str | None) -> Zone:
    """The zone that the settings name, else this machine's."""
    for name in filter(None, (setting, os.environ.get("TZ"), _linked_zone())):
        try:
            return Zone(name, ZoneInfo(name))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return Zone("", None)


def _linked_zone() -> str:
    _, found, name = str(ZONE_LINK.resolve()).partition("/zoneinfo/")
    return name if found else ""
