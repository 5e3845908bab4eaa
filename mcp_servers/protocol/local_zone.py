"""The zone of the machine that a tool server runs on, for calls that name none."""

from __future__ import annotations

import os
from datetime import UTC, datetime, tzinfo
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import tzlocal


def local_zone() -> tzinfo:
    """This machine's zone.

    1. The one that the system names.
    2. TZ can be a rule and no name (`CET-1CEST,M3.5.0,M10.5.0/3`): a zone with that rule, for an event is kept with a zone's name.
    3. The system's offset as it is now.
    """
    try:
        # 1.
        return tzlocal.get_localzone()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # 2. 3.
        name = _zone_by(os.environ.get("TZ", "").removeprefix(":"))
        return ZoneInfo(name) if name else datetime.now().astimezone().tzinfo or UTC


@cache
def _zone_by(rule: str) -> str:
    """The zone that goes by a rule today: the shortest name, which is a region's (CET) where there is one; empty where there is none."""
    found = [name for name in (files("tzdata") / "zones").read_text("utf-8").split() if _rule_of(name) == rule]
    return min(found, key=lambda name: (len(name), name), default="")


def _rule_of(name: str) -> str:
    """The last line of a zone's file (RFC 9636, 3.3)."""
    return files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes().rstrip(b"\n").rpartition(b"\n")[2].decode("ascii", "replace")
