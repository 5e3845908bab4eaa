"""A person's stores in a test's own folder, and calls made at one moment."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from mcp_servers.calendars.backends.caldav.account import CalDavCalendars
from mcp_servers.calendars.backends.contract import Backend
from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.server import Calendars
from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.store import MailStore
from mcp_servers.outbox.carriers import LocalCarrier
from mcp_servers.outbox.delivery import Delivery
from mcp_servers.outbox.server import Outbox
from mcp_servers.worlds import plant, world_of
from tests.fakes.caldav import FakeCalDav
from tests.fakes.google_api import FakeGoogle, google_on_loopback
from tests.mcp_servers.caldav_desk import MEETING as DAV_MEETING
from tests.mcp_servers.caldav_desk import PATH, login
from tests.mcp_servers.calling import NOW
from tests.mcp_servers.google_desk import MEETING, GoogleDesk
from tests.mcp_servers.granting import KEY


@pytest.fixture
def store(tmp_path: Path) -> LocalCalendars:
    return LocalCalendars(tmp_path / "calendars")


@pytest.fixture
def calendars(store: LocalCalendars) -> Calendars:
    return Calendars(store)


WORLD = {
    "events": [
        {"title": "Standup", "start": "2026-11-22T09:00:00+01:00", "end": "2026-11-22T09:30:00+01:00"},
        {"title": "Company offsite", "start": "2026-11-22", "end": "2026-11-23"},
        {"title": "Dentist", "start": "2026-11-22T15:00:00+01:00", "end": "2026-11-22T16:00:00+01:00", "location": "Main St 4"},
        {"title": "Lunch with Sue", "start": "2026-11-23T12:00:00+01:00", "end": "2026-11-23T13:00:00+01:00"},
        {"title": "Lunch with Bo", "start": "2026-11-24T12:00:00+01:00", "end": "2026-11-24T13:00:00+01:00"},
    ],
    "mails": [
        {"from_name": "Bruno Rossi", "from_address": "bruno@example.org", "subject": "Dinner on Friday",
         "date": "2026-11-16T19:00:00+01:00", "text": "Shall we have dinner at 7?"},
        {"from_name": "Anna Brandt", "from_address": "brandt@example.org", "subject": "Invoice",
         "date": "2026-11-18T08:00:00+01:00", "text": "Invoice 93 is attached."},
        {"from_name": "Anna Keller", "from_address": "anna@example.org", "subject": "Budget for March",
         "date": "2026-11-21T09:12:00+01:00", "text": "The numbers are ready.\n---\nAnna", "unread": True},
    ],
}  # fmt: skip


@pytest.fixture
def week(tmp_path: Path) -> Calendars:
    """Calendars with a few events."""
    plant(tmp_path, world_of(WORLD, ZoneInfo("Europe/Berlin")), NOW)
    return Calendars(LocalCalendars(tmp_path / "calendars"))


@pytest.fixture
def mails(tmp_path: Path) -> MailStore:
    """A mail store with three mails, m1 to m3."""
    plant(tmp_path, world_of(WORLD, ZoneInfo("Europe/Berlin")), NOW)
    return MailStore(tmp_path / "mail")


@pytest.fixture
def mail_tools(mails: MailStore) -> MailTools:
    return MailTools(mails)


@pytest.fixture
def delivery(mails: MailStore, tmp_path: Path) -> Generator[Delivery]:
    """What carries mails of those three into the local folder of sent ones."""
    delivery = Delivery(tmp_path / "mail", LocalCarrier(mails.sent))
    yield delivery
    delivery.close()


@pytest.fixture
def outbox(mails: MailStore, delivery: Delivery) -> Outbox:
    """The outbox of the same person, which knows the agent service's key."""
    return Outbox(mails, delivery, key=KEY)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def server() -> FakeCalDav:
    """A CalDAV server with one meeting."""
    fake = FakeCalDav()
    fake.put(PATH, DAV_MEETING.format(more=""))
    return fake


@pytest.fixture
def alone(server: FakeCalDav) -> Calendars:
    """The tools over that server and nothing else."""
    return Calendars(CalDavCalendars(login(), transport=server))


@pytest.fixture
def google() -> Generator[FakeGoogle]:
    """A Google account with one meeting in its one calendar."""
    with google_on_loopback() as running:
        running.account.items["meetingmeeting"] = dict(MEETING)
        yield running


@pytest.fixture
def desk(google: FakeGoogle) -> GoogleDesk:
    return GoogleDesk(google)


@pytest.fixture
def tools(desk: GoogleDesk) -> Calendars:
    return desk.tools()


@pytest.fixture(params=["local", "caldav", "google"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """A calendar of each kind."""
    if request.param == "local":
        return LocalCalendars(request.getfixturevalue("tmp_path"))
    if request.param == "caldav":
        server: FakeCalDav = request.getfixturevalue("server")
        return CalDavCalendars(login(), transport=server)
    google: FakeGoogle = request.getfixturevalue("google")
    return GoogleDesk(google).backend()
