"""A person's clock that was set to another time and goes on from there: for tests and judged runs, whose worlds have a date."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import NamedTuple

from agent.local_time import Zone


class SetClock(NamedTuple):
    """When it was set, and to what."""

    shown: datetime
    set_at: float


class SetZone(Zone):
    """A zone whose clock does not show the real time."""

    clock: SetClock

    def now(self) -> datetime:
        """What the clock shows now, in the zone."""
        passed = timedelta(seconds=time.monotonic() - self.clock.set_at)
        return (self.clock.shown + passed).astimezone(self.info).replace(microsecond=0)


def set_clock(zone: Zone, shown: datetime) -> Zone:
    """The same zone, whose clock shows `shown` now.

    Args:
        zone: the person's.
        shown: a time without an offset is one of that zone.
    """
    aware = shown if shown.tzinfo is not None else shown.replace(tzinfo=zone.info).astimezone(zone.info)
    set_zone = SetZone(*zone)
    set_zone.clock = SetClock(aware, time.monotonic())
    return set_zone
