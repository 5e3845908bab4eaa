"""When a component reminds of itself: the alarms that show or sound some time before its start.

Pure. Others are not told, and are kept: those that send a mail, those after the start, and those that cannot be read.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import icalendar

# The library's own types say little, as in `fields`.
Component = Any
_SHOWN_ALARMS = frozenset({"DISPLAY", "AUDIO"})


def read(component: Component) -> tuple[int, ...]:
    """Those that ring some time before the start; others are kept and not shown."""
    found: set[int] = set()
    for alarm in component.subcomponents:
        trigger: Any = alarm.get("TRIGGER") if alarm.name == "VALARM" else None
        length = None if isinstance(trigger, icalendar.vBroken) else getattr(trigger, "dt", None)
        if isinstance(length, timedelta) and length <= timedelta() and trigger.params.get("RELATED", "START") == "START":
            found.add(int(-length / timedelta(minutes=1)))
    return tuple(sorted(found))


def put(component: Component, reminders: tuple[int, ...]) -> None:
    """In place of all that show or sound; one that sends a mail is another program's."""
    component.subcomponents = [
        part for part in component.subcomponents if part.name != "VALARM" or str(part.get("ACTION", "DISPLAY")).upper() not in _SHOWN_ALARMS
    ]
    for minutes in reminders:
        alarm: Any = icalendar.Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", str(component.get("SUMMARY", "Reminder")))
        alarm.add("trigger", -timedelta(minutes=minutes))
        component.add_component(alarm)
