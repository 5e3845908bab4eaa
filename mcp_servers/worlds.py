"""A small world of events and mails as plain data, and how it is planted into the local stores.

The demo invents such worlds; tests and evaluations bring their own. The form is that of JSON: `events` with `title`,
`start`, `end` and perhaps `location` (bare dates: all-day), `mails` with `from_name`, `from_address`, `subject`, `date`,
`text` and `unread`, `drafts` with `to`, `subject` and `body`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from pathlib import Path
from typing import Any

from mcp_servers.calendars.backends.components import fields, ics
from mcp_servers.calendars.backends.local import DEFAULT_CALENDAR
from mcp_servers.calendars.model import Event
from mcp_servers.files import private_folder, write_whole
from mcp_servers.mailbox.maildir import Maildir
from mcp_servers.mailbox.message.letters import Letter, Person
from mcp_servers.mailbox.message.mime import compose
from mcp_servers.spans import Span

CALENDARS_FOLDER, MAIL_FOLDER = "calendars", "mail"
"""Where the stores lie in a home's data folder."""
OWN_ADDRESS = "you@home.example"


@dataclass(frozen=True)
class WorldEvent:
    title: str
    span: Span
    location: str = ""


@dataclass(frozen=True)
class WorldMail:
    sender: Person
    subject: str
    sent_at: datetime
    text: str
    is_unread: bool = False


@dataclass(frozen=True)
class World:
    """What there is: events by start, mails by date with the oldest first, which is the order of their ids."""

    events: tuple[WorldEvent, ...] = ()
    mails: tuple[WorldMail, ...] = ()
    drafts: tuple[Letter, ...] = ()

    def events_on(self, day: date) -> tuple[WorldEvent, ...]:
        return tuple(event for event in self.events if event.span.first_day <= day <= event.span.last_day)

    def mails_from(self, name: str) -> tuple[WorldMail, ...]:
        """The newest first."""
        return tuple(mail for mail in reversed(self.mails) if name.lower() in mail.sender.name.lower())


def world_of(data: Mapping[str, Any], zone: tzinfo) -> World:
    """From the JSON form."""
    events = [
        WorldEvent(item["title"], _span(item["start"], item["end"], zone), item.get("location", "")) for item in data.get("events", [])
    ]
    mails = [
        WorldMail(
            Person(item.get("from_name", ""), item["from_address"]),
            item["subject"],
            datetime.fromisoformat(item["date"]),
            item["text"],
            bool(item.get("unread", False)),
        )
        for item in data.get("mails", [])
    ]
    drafts = [Letter(_addresses(item["to"]), item["subject"], item["body"]) for item in data.get("drafts", [])]
    return World(tuple(events), tuple(mails), tuple(drafts))


def plant(folder: Path, world: World, now: datetime) -> None:
    """Write the world into empty stores below a home's data folder. The same world gives the same files."""
    calendar = ics.empty_calendar()
    for number, event in enumerate(world.events):
        busy = not event.span.is_all_day
        uid = f"{_name('event', number, event.title)}@variet.invalid"
        calendar.add_component(fields.new_component(Event(uid, event.title, event.span, event.location, is_busy=busy), now))
    write_whole(private_folder(folder / CALENDARS_FOLDER) / f"{DEFAULT_CALENDAR}.ics", ics.serialized(calendar))
    inbox, drafts = Maildir(folder / MAIL_FOLDER / "Inbox"), Maildir(folder / MAIL_FOLDER / "Drafts")
    Maildir(folder / MAIL_FOLDER / "Sent")
    for number, mail in enumerate(world.mails):
        name = f"{number:04d}-{_name('mail', number, mail.subject)}"
        letter = Letter((OWN_ADDRESS,), mail.subject, mail.text)
        content = compose(letter, sender=mail.sender.full, message_id=f"<{name}@variet.invalid>", at=mail.sent_at)
        inbox.add(content, key=name, flags="" if mail.is_unread else "S")
    for number, draft in enumerate(world.drafts):
        name = f"{number:04d}-{_name('draft', number, draft.subject)}"
        drafts.add(compose(draft, sender=OWN_ADDRESS, message_id=f"<{name}@variet.invalid>", at=now), key=name, flags="DS")


def _name(kind: str, number: int, text: str) -> str:
    return hashlib.sha256(f"{kind} {number} {text}".encode()).hexdigest()[:16]


def _span(start: str, end: str, zone: tzinfo) -> Span:
    def moment(text: str) -> datetime:
        parsed = datetime.fromisoformat(text)
        return parsed.astimezone(zone) if parsed.tzinfo else parsed.replace(tzinfo=zone)

    return Span(moment(start), moment(end), is_all_day="T" not in start)


def _addresses(to: str | list[str]) -> tuple[str, ...]:
    return tuple(address.strip() for address in to.split(",")) if isinstance(to, str) else tuple(to)
