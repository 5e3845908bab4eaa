"""What Google Calendar answers when it does not do as asked, as one sentence that says what to do next.

Pure. The reason words are those of Google's error answers; what an answer says in prose is never shown.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, cast

from mcp_servers.calendars.backends.failing import CHANGED, Busy, Exists, Failed, Missing
from mcp_servers.errors import Refusal, Stale

_TOO_OFTEN = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"})
_USED_UP = frozenset({"dailyLimitExceeded", "quotaExceeded", "calendarUsageLimitsExceeded", "limitExceeded"})
_NOT_GRANTED = frozenset({"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"})
_NOT_ON = frozenset({"accessNotConfigured", "SERVICE_DISABLED"})
_NOT_YOURS = frozenset({"forbiddenForNonOrganizer"})
_REASON = re.compile(r"[A-Za-z_]{1,60}")


@dataclass(frozen=True)
class Answer:
    """What came back instead of what was asked for."""

    status: int
    reasons: frozenset[str] = frozenset()
    after_s: float = 0
    """How long it asks to be left alone."""


def read(status: int, headers: dict[str, str], content: bytes) -> Answer:
    """The machine's part of an error answer."""
    after = headers.get("retry-after", "")
    return Answer(status, _reasons(content), float(after) if after.isdecimal() and len(after) < 6 else 0)


def fault_of(account: str, answer: Answer) -> Refusal:
    """The failure that an answer is. A write that is told any of these but `Failed` was not made."""
    who = f'Google Calendar of "{account}"'
    if answer.status == 403:
        return _forbidden(account, who, answer.reasons)
    if answer.status == 401:
        return Refusal(f"{who} does not take the login any more. Log in again: variet login google --account {account} --scope calendar")
    if answer.status == 404:
        return Missing(f"{who} has no such calendar or event. Look again.")
    if answer.status == 409:
        return Exists(f"{who} already has an event of that id.")
    if answer.status == 410:
        return Missing(f"{who} says that it is gone. Look again.")
    if answer.status == 412:
        return Stale(CHANGED)
    if answer.status == 429:
        return Busy(f"{who} is asked too often. Try again {_later(answer)}.")
    if answer.status >= 500:
        return Failed(f"{who} failed (HTTP {answer.status}). Try again later.")
    shown = ", ".join(sorted(answer.reasons))
    return Refusal(f"{who} refused the request (HTTP {answer.status}{f', {shown}' if shown else ''}). Nothing was done.")


def _forbidden(account: str, who: str, reasons: frozenset[str]) -> Refusal:
    if reasons & _TOO_OFTEN:
        return Busy(f"{who} is asked too often. Try again later.")
    if reasons & _USED_UP:
        return Refusal(f"{who} has been asked as much as it allows. Try again tomorrow.")
    if reasons & _NOT_GRANTED:
        return Refusal(f"{who} was not allowed to do that. Log in again: variet login google --account {account} --scope calendar")
    if reasons & _NOT_ON:
        return Refusal(f"{who} is not switched on for your client. Enable the Google Calendar API in the Google Cloud console.")
    if reasons & _NOT_YOURS:
        return Refusal("Only who invites may change this event. Nothing was done.")
    return Refusal(f"{who} does not allow that. Nothing was done.")


def _later(answer: Answer) -> str:
    return f"in {answer.after_s:.0f} s" if answer.after_s else "later"


def _reasons(content: bytes) -> frozenset[str]:
    """Google writes them in two places, of which either may be absent."""
    try:
        error: Any = json.loads(content)["error"]
        listed = [*error.get("errors", ()), *error.get("details", ())]
        return frozenset(word for one in listed if (word := _word(one)))
    except (ValueError, KeyError, TypeError, AttributeError):
        return frozenset()


def _word(listed: Any) -> str:
    reason = cast("dict[str, Any]", listed).get("reason", "")
    return reason if isinstance(reason, str) and _REASON.fullmatch(reason) else ""
