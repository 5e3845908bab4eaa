"""Single times whose series is not there, as whoever is invited to those alone has them (RFC 5546, 3.2.2.6).

They lie under one UID, and each is an event by itself: its uid is that of the series with its time, so that none is
taken for another, and what becomes of one leaves the others. Pure but for copying components.
"""

from __future__ import annotations

import copy

from mcp_servers.calendars.backends.components.fields import Component
from mcp_servers.calendars.backends.components.starts import occurrence_text
from mcp_servers.errors import Refusal

NO_SERIES = "This is one time of a series that is not in the calendar: it does not repeat by itself. Add an event that does."
_NOT_ONE = "The calendar does not keep this time of a series as one that can be changed by itself. Change it where it was made."


def is_apart(series: list[Component]) -> bool:
    """Whether these components with one UID are such times."""
    return bool(series) and all("RECURRENCE-ID" in component for component in series)


def named(series: list[Component], event_id: str) -> list[Component]:
    """Those that are the event with that id; the UID alone names one where there is no other."""
    return [one for one in series if event_id in {uid_of(one), str(one.get("UID", ""))}]


def uid_of(component: Component) -> str:
    """The uid of such a time as an event."""
    return f"{component.get('UID', '')}#{occurrence_text(component['RECURRENCE-ID'].dt)}"


def parted(series: list[Component], event_id: str) -> tuple[Component, list[Component]]:
    """Copies of the one that is the event, and of the others.

    Raises:
        Refusal: it is none of them, or several.
    """
    copies = [copy.deepcopy(component) for component in series]
    meant = named(copies, event_id)
    if len(meant) != 1:
        raise Refusal(_NOT_ONE)
    return meant[0], [one for one in copies if one is not meant[0]]
