"""The shape of `[calendars]` in `agent.toml`: the local store, and accounts on CalDAV servers and at Google. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from config.vocabulary import File, Listed, Section, Url

CalendarAccountName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=30)]
"""As it appears in a secret's name: lower-case letters, digits and `_`."""
CalendarName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""As `list_calendars` tells it, with its account or without. Whether there is one of that name is known once the account has answered."""
OwnAddress = Annotated[str, StringConstraints(pattern=r"^[^\s@<>,;\"]+@[^\s@<>,;\"]+$")]
LOCAL_CALENDARS = "local"
"""The store of this machine; no account on a server may have this name."""


class CalendarAccountEntry(Section):
    kind: Literal["caldav", "google"] = "caldav"
    """Where its calendars are: on a CalDAV server, or at Google, after `variet login google --account NAME --scope calendar`."""
    url: Url | None = None
    """Its CalDAV server, or one calendar on it. The password is the secret `caldav_NAME_password`."""
    user: str | None = None
    """The name to log in with at that server."""
    address: OwnAddress | None = None
    """Your address in its invitations. Absent: the one that the server tells."""
    calendars: Listed[CalendarName] | None = None
    """Those of its calendars that are yours: they are listed, and take up your time. The others are looked at only when they are named.
    Absent: those that you may write to (at Google, and have ticked there); what you subscribe to is listed and takes up no time."""
    allow_plain_http: bool = False
    """Whether the password may travel without TLS, which is readable by everybody on the way."""

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        named = (self.url is not None) + (self.user is not None)
        if self.kind == "caldav" and named < 2:
            raise PydanticCustomError("no_server", "no server to log in to", {"allowed": '`url` and `user`, or kind = "google"'})
        if self.kind == "google" and named:
            raise PydanticCustomError("needs_no_server", "a server for a Google account", {"allowed": "neither `url` nor `user`"})
        return self


class CalendarSection(Section):
    store: File | None = None
    """The folder that holds the local calendars. Absent: one in the home."""
    address: OwnAddress | None = None
    """Your address in invitations that lie in the local calendars."""
    default: str | None = None
    """The calendar of new events, such as `work/Team`. Absent: the local one, `personal`."""
    accounts: Mapping[CalendarAccountName, CalendarAccountEntry] = Field(default_factory=dict)
    """Accounts on CalDAV servers and at Google, by a short name. A Google account that you have logged in to is there without one."""

    @model_validator(mode="after")
    def _local_is_taken(self) -> Self:
        if LOCAL_CALENDARS in self.accounts:
            raise PydanticCustomError("local_is_taken", "an account named local", {"allowed": "any other name"})
        return self
