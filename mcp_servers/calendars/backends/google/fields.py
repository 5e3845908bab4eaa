"""One event as Google writes it, read into an iCalendar component, and what changed of a component as Google takes it.

In between the same code changes series as for files and CalDAV. Whatever Google keeps beyond what is read here stays
as it is: a change names only the fields that differ.
"""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import icalendar

from mcp_servers.calendars.backends.components import fields
from mcp_servers.calendars.backends.components.fields import Component
from mcp_servers.calendars.backends.components.starts import Start, Starts, in_form_of, occurrence_text, usual_transp
from mcp_servers.calendars.model import Guest
from mcp_servers.outside.htmltext import text_of_html

Json = dict[str, Any]
COPIED = (
    *(
        "summary",
        "location",
        "description",
        "transparency",
        "visibility",
        "colorId",
        "attendees",
        "reminders",
        "extendedProperties",
        "source",
    ),
    *("anyoneCanAddSelf", "guestsCanInviteOthers", "guestsCanModify", "guestsCanSeeOtherGuests"),
)
"""What a series that is split off takes over as it is."""
_GOOGLE_ID = re.compile(r"[a-v0-9]{5,1024}")
_HTML = re.compile(r"</?[a-zA-Z][^>]*>|&(?:#\d+|#x[0-9a-fA-F]+|[a-zA-Z]+);")
_ANSWERS = {"needsAction": "NEEDS-ACTION", "accepted": "ACCEPTED", "tentative": "TENTATIVE", "declined": "DECLINED"}
_ANSWERED = {ical: google for google, ical in _ANSWERS.items()}
_ALARMS = {"popup": "DISPLAY", "email": "EMAIL"}
_DATES = ("EXDATE", "RDATE")


def google_id(uid: str) -> str:
    """The id at Google of what a client calls `uid`: the same each time, so that nothing is created twice."""
    try:
        plain = uuid.UUID(uid)
    except ValueError:
        plain = None
    if plain is not None and str(plain) == uid:
        return plain.hex
    # What came from Google is its own id.
    return uid


def new_google_id(uid: str) -> str:
    """As `google_id`, for something new: other programs' ids may hold what Google takes in none."""
    name = google_id(uid)
    return name if _GOOGLE_ID.fullmatch(name) else base64.b32hexencode(hashlib.sha256(uid.encode()).digest()).decode().rstrip("=").lower()


def uid_of(name: str) -> str:
    """The uid of an id at Google."""
    return str(uuid.UUID(name)) if re.fullmatch(r"[0-9a-f]{32}", name) else name


def component_of(item: Json, reminders: list[Json], me: frozenset[str] = frozenset()) -> Component:
    """An event as iCalendar has it.

    Args:
        item: as Google answers it.
        reminders: those of its calendar, for an event that has none of its own.
        me: the person's own addresses; Google names secondary calendars by an address that is nobody's.

    Raises:
        KeyError, ValueError, TypeError, AttributeError: it cannot be read.
    """
    component: Component = icalendar.Event()
    component.add("uid", uid_of(str(item.get("recurringEventId") or item["id"])))
    for name, key in (("summary", "summary"), ("location", "location")):
        if item.get(key):
            component.add(name, str(item[key]))
    if item.get("description"):
        text = str(item["description"])
        component.add("description", text_of_html(text.replace("\n", "<br>")) if _HTML.search(text) else text)
    start = start_of(item["start"])
    fields.put_start(component, start, start_of(item["end"]))
    _add_recurrence(component, item.get("recurrence") or ())
    if item.get("originalStartTime"):
        component.add("recurrence-id", start_of(item["originalStartTime"]))
    component.add("transp", "TRANSPARENT" if item.get("transparency") == "transparent" else "OPAQUE")
    component.add("status", str(item.get("status", "confirmed")).upper())
    _add_people(component, item, me)
    _add_alarms(component, item.get("reminders") or {}, reminders)
    return component


def start_of(value: Json) -> Start:
    """A day, or a moment in the zone that it is kept in."""
    if value.get("date"):
        return date.fromisoformat(value["date"])
    moment = datetime.fromisoformat(value["dateTime"])
    try:
        zone = ZoneInfo(value.get("timeZone") or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = UTC
    return moment.astimezone(zone) if moment.tzinfo else moment.replace(tzinfo=zone)


def occurrence_of(item: Json) -> str:
    """Which time of its series an item is; empty for none."""
    return occurrence_text(start_of(item["originalStartTime"])) if item.get("originalStartTime") and item.get("recurringEventId") else ""


def body_of(component: Component) -> Json:
    """All of a component that Google has a field for, without what is empty."""
    start: Start = component["DTSTART"].dt
    body: Json = {
        "summary": str(component.get("SUMMARY", "")),
        "location": str(component.get("LOCATION", "")),
        "description": str(component.get("DESCRIPTION", "")),
        "start": _time(start),
        "end": _time(component["DTEND"].dt),
        "recurrence": _recurrence(component, start),
        "attendees": [_attendee(*each) for each in zip(fields.attendees_of(component), _people(component), strict=True)],
        "reminders": {"useDefault": False, "overrides": _overrides(component)},
        "transparency": str(component.get("TRANSP", usual_transp(start))).lower(),
    }
    return {name: value for name, value in body.items() if value}


def patch_of(before: Component, after: Component, item: Json) -> Json:
    """What to send so that `item`, which is `before`, becomes `after`; empty where nothing differs."""
    old, new = body_of(before), body_of(after)
    patch: Json = {name: new.get(name, _emptied(name)) for name in {**old, **new} if old.get(name) != new.get(name)}
    for name in {"start", "end"} & patch.keys():
        # Of the two forms of a time the other one has to go.
        patch[name] = {"date": None, "dateTime": None, "timeZone": None, **patch[name]}
    if "attendees" in patch:
        known = {str(one.get("email", "")).lower(): one for one in item.get("attendees", [])}
        patch["attendees"] = [{**known.get(one["email"].lower(), {}), **one} for one in patch["attendees"]]
    return patch


def _emptied(name: str) -> Any:
    return [] if name in {"attendees", "recurrence"} else ""


def _time(value: Start) -> Json:
    if not isinstance(value, datetime):
        return {"date": value.isoformat()}
    zone = str(getattr(value.tzinfo, "key", "") or "")
    if value.tzinfo is None:
        raise ValueError("a time without a zone")
    return {"dateTime": value.isoformat(), "timeZone": zone} if zone else {"dateTime": value.astimezone(UTC).isoformat(), "timeZone": "UTC"}


def _recurrence(component: Component, start: Start) -> list[str]:
    rules = fields.rule_text(component)
    lines = [f"RRULE:{rule}" for rule in rules.split(" ") if rule]
    for name in _DATES:
        dates = [in_form_of(start, value) for value in fields.dates_of(component, name)]
        lines += [f"{name}{_stamp(each, Starts.of(start))}" for each in sorted(dates)]
    return lines


def _stamp(value: Start, starts: Starts) -> str:
    if starts.kind == "days" or not isinstance(value, datetime):
        return f";VALUE=DATE:{value.strftime('%Y%m%d')}"
    return f":{value.astimezone(UTC).strftime('%Y%m%dT%H%M%SZ')}"


def _add_recurrence(component: Component, lines: Any) -> None:
    if not lines:
        return
    text = "\r\n".join(["BEGIN:VEVENT", *(str(line).replace("\r", "").replace("\n", "") for line in lines), "END:VEVENT", ""])
    library: Any = icalendar.Event
    read: Any = library.from_ical(text)
    for name in ("RRULE", *_DATES):
        if name in read:
            component[name] = read[name]


def _listed(component: Component, name: str) -> list[Any]:
    value: Any = component.get(name, [])
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _people(component: Component) -> list[Any]:
    return [person for person in _listed(component, "ATTENDEE") if str(person)]


def _add_people(component: Component, item: Json, me: frozenset[str]) -> None:
    for one in item.get("attendees") or ():
        if not one.get("email"):
            continue
        person = icalendar.vCalAddress(f"mailto:{one['email']}")
        person.params["PARTSTAT"] = _ANSWERS.get(one.get("responseStatus", ""), "NEEDS-ACTION")
        person.params["ROLE"] = "OPT-PARTICIPANT" if one.get("optional") else "REQ-PARTICIPANT"
        if one.get("displayName"):
            person.params["CN"] = str(one["displayName"]).replace('"', "'")
        component.add("attendee", person, encode=0)
    organizer: Json = item.get("organizer") or {}
    address = min(me, default=organizer.get("email", "")) if organizer.get("self") else organizer.get("email", "")
    if address and item.get("attendees"):
        component.add("organizer", f"mailto:{address}")


def _attendee(guest: Guest, person: Any) -> Json:
    said: Json = {"email": guest.address, "responseStatus": _ANSWERED.get(str(person.params.get("PARTSTAT", "")).upper(), "needsAction")}
    return {**said, **({"displayName": guest.name} if guest.name else {}), **({"optional": True} if guest.is_optional else {})}


def _add_alarms(component: Component, own: Json, usual: list[Json]) -> None:
    for reminder in usual if own.get("useDefault") else own.get("overrides") or ():
        alarm: Any = icalendar.Alarm()
        alarm.add("action", _ALARMS.get(str(reminder.get("method")), "DISPLAY"))
        alarm.add("trigger", -timedelta(minutes=int(reminder["minutes"])))
        component.add_component(alarm)


def _overrides(component: Component) -> list[Json]:
    found: list[Json] = []
    for alarm in component.subcomponents:
        trigger: Any = getattr(alarm.get("TRIGGER"), "dt", None) if alarm.name == "VALARM" else None
        if isinstance(trigger, timedelta):
            method = "email" if str(alarm.get("ACTION", "")).upper() == "EMAIL" else "popup"
            found.append({"method": method, "minutes": int(-trigger / timedelta(minutes=1))})
    return sorted(found, key=lambda one: (one["minutes"], one["method"]))
