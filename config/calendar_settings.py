"""The shape of `[calendars]` in `agent.toml`: the local store, and accounts on CalDAV servers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from config.vocabulary import File, Section, Url

CalendarAccountName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=30)]
"""As it appears in a secret's name: lower-case letters, digits and `_`."""
OwnAddress = Annotated[str, StringConstraints(pattern=r"^[^\s@<>,;\"]+@[^\s@<>,;\"]+$")]
LOCAL_CALENDARS = "local"
"""The store of this machine; no account on a server may have this name."""


class CalendarAccountEntry(Section):
    url: Url
    """Its CalDAV server, or one calendar on it. The password is the secret `caldav_NAME_password`."""
    user: str
    """The name to log in with."""
    address: OwnAddress | None = None
    """Your address in its invitations. Absent: the one that the server tells."""
    allow_plain_http: bool = False
    """Whether the password may travel without TLS, which is readable by everybody on the way."""


class CalendarSection(Section):
    store: File | None = None
    """The folder that holds the local calendars. Absent: one in the home."""
    address: OwnAddress | None = None
    """Your address in invitations that lie in the local calendars."""
    default: str | None = None
    """The calendar of new events, such as `work/Team`. Absent: the local one, `personal`."""
    accounts: Mapping[CalendarAccountName, CalendarAccountEntry] = Field(default_factory=dict)
    """Accounts on CalDAV servers, by a short name. Without any, calendars stay on this machine."""

    @model_validator(mode="after")
    def _local_is_taken(self) -> Self:
        if LOCAL_CALENDARS in self.accounts:
            raise PydanticCustomError("local_is_taken", "an account named local", {"allowed": "any other name"})
        return self
