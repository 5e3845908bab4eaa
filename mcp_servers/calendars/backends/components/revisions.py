"""Of components with one UID that stand for the same time, the newest: the one that is shown is the one that is changed.

Pure. Some programs keep an event's older states beside it (RFC 5545, 3.8.7.4), which whoever unfolds times passes over.
"""

from __future__ import annotations

from mcp_servers.calendars.backends.components.fields import Component, revision_of
from mcp_servers.calendars.backends.components.starts import occurrence_text


def newest(components: list[Component]) -> list[Component]:
    """For each time, and for the event or series itself, those with the highest number; several only where they differ."""
    same: dict[str, list[Component]] = {}
    for component in components:
        same.setdefault(stands_for(component), []).append(component)
    return [one for revisions in same.values() for one in _highest(revisions)]


def _highest(revisions: list[Component]) -> list[Component]:
    if len(revisions) == 1:
        return revisions
    highest = max(map(revision_of, revisions))
    return list({one.to_ical(): one for one in reversed(revisions) if revision_of(one) == highest}.values())[::-1]


def stands_for(component: Component) -> str:
    """The time of its series that it changes; empty for the event or series itself."""
    if "RECURRENCE-ID" not in component:
        return ""
    try:
        return occurrence_text(component["RECURRENCE-ID"].dt)
    except (AttributeError, ValueError):
        return f"unreadable {id(component)}"  # like no other
