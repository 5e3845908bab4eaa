"""What an account may be asked to allow, and what is known of what it allowed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

ScopeSet = Literal["calendar", "calendar-read", "mail", "mail-read", "send", "compose"]
"""What is asked for at once, and kept as one token: each server has the token of its own work and no other."""
Keeping = Literal["keyring", "encrypted-file", "plain-file"]
"""Where a refresh token lies."""
AccountName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=30)]
"""The person's own short name for an account; no address."""
DEFAULT_ACCOUNT = "google"

_GOOGLE = "https://www.googleapis.com/auth/"
SCOPES: Mapping[ScopeSet, tuple[str, ...]] = MappingProxyType(
    {
        "calendar": (f"{_GOOGLE}calendar.events", f"{_GOOGLE}calendar.calendarlist.readonly", f"{_GOOGLE}calendar.freebusy"),
        "calendar-read": (f"{_GOOGLE}calendar.events.readonly", f"{_GOOGLE}calendar.calendarlist.readonly", f"{_GOOGLE}calendar.freebusy"),
        "mail": (f"{_GOOGLE}gmail.modify",),
        "mail-read": (f"{_GOOGLE}gmail.readonly",),
        "send": (f"{_GOOGLE}gmail.send",),
        "compose": (f"{_GOOGLE}gmail.compose",),
    }
)
"""The least of Google's scopes that each takes. None allows drafts and not sending: that right is kept apart by process."""
MEANINGS: Mapping[ScopeSet, str] = MappingProxyType(
    {
        "calendar": "read and change calendars",
        "calendar-read": "read calendars",
        "mail": "read, file and draft mail",
        "mail-read": "read mail",
        "send": "send mail",
        "compose": "send mail, also what lies among the drafts there",
    }
)
SERVED_BY: Mapping[ScopeSet, tuple[ScopeSet, ...]] = MappingProxyType(
    {
        "calendar": ("calendar",),
        "calendar-read": ("calendar-read", "calendar"),
        "mail": ("mail",),
        "mail-read": ("mail-read", "mail"),
        "send": ("send", "compose"),
        "compose": ("compose",),
    }
)
"""Which grants are enough for what is wanted, the smallest first."""


class Grant(BaseModel):
    """That an account allowed something, and where its token lies. Holds no secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: AccountName
    scopes: ScopeSet
    kept: Keeping

    @property
    def key(self) -> str:
        """Under which its token is kept."""
        return f"google-{self.account}-{self.scopes}"


class Grants(BaseModel):
    """All of them, in order of their logins."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    grants: tuple[Grant, ...] = ()

    def serving(self, account: str, scopes: ScopeSet) -> Grant | None:
        """The smallest grant of an account that is enough."""
        have = {grant.scopes: grant for grant in self.grants if grant.account == account}
        return next((have[name] for name in SERVED_BY[scopes] if name in have), None)

    def accounts(self, scopes: ScopeSet) -> tuple[str, ...]:
        """The accounts that allow something, the first that logged in first."""
        names = dict.fromkeys(grant.account for grant in self.grants)
        return tuple(name for name in names if self.serving(name, scopes))

    def of(self, account: str) -> tuple[Grant, ...]:
        return tuple(grant for grant in self.grants if grant.account == account)

    def with_grant(self, grant: Grant) -> Grants:
        """With one more; it takes the place of what was kept for the same."""
        return Grants(grants=(*self.without(grant).grants, grant))

    def without(self, *gone: Grant) -> Grants:
        keys = {grant.key for grant in gone}
        return Grants(grants=tuple(grant for grant in self.grants if grant.key not in keys))
