"""The calendar tools over a Google account that is on loopback, for tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from mcp_servers.accounts.model import ScopeSet
from mcp_servers.calendars.backends.contract import Backend
from mcp_servers.calendars.backends.google.account import GoogleCalendars
from mcp_servers.calendars.backends.google.service import CalendarApi
from mcp_servers.calendars.server import Calendars
from mcp_servers.protocol.calls import Call, Plan
from tests.fakes.google_api import Answer, FakeGoogle, Silence
from tests.fakes.google_calendars import ME
from tests.fakes.google_description import Called
from tests.mcp_servers.calling import NOW, call, refusal_of

MEETING = {
    "id": "meetingmeeting", "summary": "Meeting", "status": "confirmed", "etag": '"m1"', "iCalUID": "meeting@google.com",
    "start": {"dateTime": "2026-11-24T09:00:00+01:00", "timeZone": "Europe/Berlin"}, "colorId": "7",
    "end": {"dateTime": "2026-11-24T10:00:00+01:00", "timeZone": "Europe/Berlin"}, "organizer": {"email": ME, "self": True},
}  # fmt: skip
QUICK = (5.0, 20.0)
"""Seconds to connect and between two bytes: long enough for a busy machine."""
IMPATIENT = (5.0, 3.0)


@dataclass
class FakeTokens:
    """Tokens as the accounts give them; what was asked for is kept."""

    reading: str = "token-read"
    writing: str = "token-write"
    fresh: str = ""
    """What is given once the first was refused."""
    asked: list[tuple[str, ScopeSet, bool]] = field(default_factory=list[tuple[str, ScopeSet, bool]])

    def bearer(self, account: str, scopes: ScopeSet, *, refused: SecretStr | None = None) -> SecretStr:
        self.asked.append((account, scopes, refused is not None))
        if refused is not None and self.fresh:
            return SecretStr(self.fresh)
        return SecretStr(self.reading if scopes == "calendar-read" else self.writing)


@dataclass
class GoogleDesk:
    """One account's tools, and how long it waited between two tries."""

    google: FakeGoogle
    account: str = "work"
    tokens: FakeTokens = field(default_factory=FakeTokens)
    timeouts_s: tuple[float, float] = QUICK
    waits: list[float] = field(default_factory=list[float])

    def backend(self) -> GoogleCalendars:
        return GoogleCalendars(CalendarApi(self.account, self.tokens, self.google.url, wait=self.waits.append, timeouts_s=self.timeouts_s))

    def tools(self, *others: Backend) -> Calendars:
        return Calendars(*others, self.backend())


def done(calendars: Calendars, name: str, /, **arguments: Any) -> str:
    """Planned, and carried out as the host does it: with the plan's own arguments."""
    result = calendars.handlers()[name](call(**arguments))
    if isinstance(result, Plan):
        result = calendars.handlers()[name](Call(result.arguments, NOW, result.host))
    return (result.execute() if isinstance(result, Plan) else result).text


def planned(calendars: Calendars, name: str, /, **arguments: Any) -> Plan:
    plan = calendars.handlers()[name](call(**arguments))
    assert isinstance(plan, Plan)
    return plan


def refused(calendars: Calendars, name: str, /, **arguments: Any) -> str:
    return refusal_of(calendars.handlers()[name], **arguments)


def at(method: str, answer: Answer | Silence, times: int = 1000) -> Callable[[Called], Answer | None]:
    """That method is answered so, that many times."""
    left = [times]

    def trouble(called: Called) -> Answer | None:
        if called.method != method or not left[0]:
            return None
        left[0] -= 1
        if isinstance(answer, Silence):
            raise answer
        return answer

    return trouble
