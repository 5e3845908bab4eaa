"""A CalDAV account with one meeting, for tests; its server and its tools are fixtures of the folder."""

from __future__ import annotations

from pydantic import SecretStr

from mcp_servers.calendars.backends.caldav.dav import Login
from tests.fakes.caldav import TEAM

PASSWORD = "planted-canary-8d1f"
MEETING = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:meeting@example.org\r\nDTSTAMP:20260101T000000Z\r\n"
    "SUMMARY:Meeting\r\nDTSTART:20261124T080000Z\r\nDTEND:20261124T090000Z\r\nX-OWN:1\r\n{more}END:VEVENT\r\nEND:VCALENDAR\r\n"
)
GUESTS = "ORGANIZER:mailto:anna@example.org\r\nATTENDEE;CN=Sue:mailto:sue@example.org\r\nATTENDEE:mailto:anna@example.org\r\n"
INVITED = "ORGANIZER:mailto:sue@example.org\r\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:anna@example.org\r\n"
PATH = f"{TEAM}meeting.ics"


def login(url: str = "https://dav.example.org/", password: str | None = PASSWORD) -> Login:
    return Login("work", url, "anna", lambda: SecretStr(password) if password else None)
