"""What a service of Google's answers when it does not do as asked, as one sentence that says what to do next.

Pure. The reason words are those of Google's error answers; what an answer says in prose is never shown.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, cast

from mcp_servers.accounts.model import ScopeSet
from mcp_servers.errors import Busy, Exists, Failed, Missing, Refusal, Stale, Unanswered

__all__ = ["Answer", "Busy", "Exists", "Failed", "Missing", "Service", "Stale", "Unanswered", "fault_of", "read"]

_TOO_OFTEN = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"})
_USED_UP = frozenset({"dailyLimitExceeded", "quotaExceeded", "calendarUsageLimitsExceeded", "limitExceeded"})
_NOT_GRANTED = frozenset({"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"})
_NOT_ON = frozenset({"accessNotConfigured", "SERVICE_DISABLED"})
_NOT_YOURS = frozenset({"forbiddenForNonOrganizer"})
_OTHERWISE = "Try other values, or do it at Google itself."
_REASON = re.compile(r"[A-Za-z_]{1,60}")


@dataclass(frozen=True)
class Service:
    """One of Google's."""

    title: str
    """What a person calls it."""
    name: str
    version: str
    """Both as in the description that comes with the library."""
    batch_path: str
    max_in_batch: int
    reading: ScopeSet
    """What its questions need to be allowed."""
    writing: ScopeSet
    login: ScopeSet | None = None
    """What a person is told to log in for again; None for what the request needed."""
    api: str = "its API"
    """What is switched on in Google's console."""
    missing: str = "has no such thing any more. Look again."
    gone: str = "has no such thing any more. Look again."
    exists: str = "already has one of that id."
    """All three as they follow the title."""
    changed: str = ""
    """The whole sentence; empty for one that names the title."""


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


def fault_of(service: Service, account: str, scopes: ScopeSet, answer: Answer) -> Refusal:
    """The failure that an answer is. A write that is told any of these but `Failed` was not made.

    Args:
        service: who answered.
        account: whose.
        scopes: what the request needed to be allowed.
        answer: what came.
    """
    who, login = service.title, f"Log in again: `variet login google --account {account} --scope {service.login or scopes}`."
    match answer.status:
        case 401:
            return Refusal(f"{who} does not take the login any more. {login}")
        case 403:
            return _forbidden(service, login, answer.reasons)
        case 404:
            return Missing(f"{who} {service.missing}")
        case 409:
            return Exists(f"{who} {service.exists}")
        case 410:
            return Missing(f"{who} {service.gone}")
        case 412:
            return Stale(service.changed or f"{who} says that it has changed since. Look again.")
        case 429:
            return Busy(f"{who} is asked too often. Try again {_later(answer)}.")
        case status if status >= 500:
            return Failed(f"{who} failed (HTTP {status}). Try again later.")
        case status:
            shown = ", ".join(sorted(answer.reasons))
            return Refusal(f"{who} refused the request (HTTP {status}{f', {shown}' if shown else ''}). {_OTHERWISE} Nothing was done.")


def _forbidden(service: Service, login: str, reasons: frozenset[str]) -> Refusal:
    who = service.title
    if reasons & _TOO_OFTEN:
        return Busy(f"{who} is asked too often. Try again later.")
    if reasons & _USED_UP:
        return Refusal(f"{who} has been asked as much as it allows. Try again tomorrow.")
    if reasons & _NOT_GRANTED:
        return Refusal(f"{who} was not allowed to do that. {login}")
    if reasons & _NOT_ON:
        return Refusal(f"{who} is not switched on for your client. Enable {service.api} in the Google Cloud console.")
    if reasons & _NOT_YOURS:
        return Refusal("Only who invites may change this event. Ask them to change it. Nothing was done.")
    return Refusal(f"{who} does not allow that. Ask whose it is to let you, or do it at Google itself. Nothing was done.")


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
