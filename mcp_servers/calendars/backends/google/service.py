"""Google Calendar as one of Google's services: where it answers, what it needs to be allowed, and how it says what went wrong.

How it is asked, with which token, within which bounds and what is asked again is the accounts' own, as for every service of Google's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mcp_servers.accounts.google_api import GoogleApi, Json, Request
from mcp_servers.accounts.google_faults import Service
from mcp_servers.accounts.google_http import Tokens
from mcp_servers.calendars.shape import STALE
from mcp_servers.protocol import progress

GOOGLE = "https://www.googleapis.com/calendar/v3/"
MAX_IN_BATCH = 50
"""More than Google takes at once for calendars."""


def service_of(account: str) -> Service:
    """Its title names the account: one question often goes to several of a person's."""
    return Service(
        f'Google Calendar of "{account}"',
        "calendar",
        "v3",
        "batch/calendar/v3",
        MAX_IN_BATCH,
        "calendar-read",
        "calendar",
        login="calendar",
        api="the Google Calendar API",
        missing="has no such calendar or event. Look again.",
        gone="says that it is gone. Look again.",
        exists="already has an event of that id.",
        changed=STALE,
    )


class CalendarApi(GoogleApi):
    """One account's Google Calendar; connected when it is first asked. Not for use by two threads at once.

    Args:
        account: the person's name for it.
        tokens: who gives its tokens.
        url: where the service answers.
        wait: sleeps that many seconds.
        timeouts_s: to connect, and between two bytes; None for the usual.
    """

    def __init__(
        self,
        account: str,
        tokens: Tokens,
        url: str = GOOGLE,
        *,
        wait: Callable[[float], None] = progress.pause,
        timeouts_s: tuple[float, float] | None = None,
    ) -> None:
        super().__init__(service_of(account), account, tokens, url, wait=wait, timeouts_s=timeouts_s)

    @property
    def events(self) -> Any:
        return self.methods.events()

    @property
    def calendar_list(self) -> Any:
        return self.methods.calendarList()

    @property
    def freebusy(self) -> Any:
        return self.methods.freebusy()

    def write(self, request: Request, etag: str = "") -> Json:
        """A change, made once.

        Args:
            request: the change.
            etag: of the version that it is based on; empty for something new.

        Raises:
            Unanswered: whether it was made is not known.
            Stale: it is another version by now.
            Refusal: it was not made.
        """
        if etag:
            request.headers["If-Match"] = etag
        return super().write(request)
