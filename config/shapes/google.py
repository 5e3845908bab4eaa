"""The shape of `[google]` in `agent.toml`: your own Google client, and where Google answers. Pure."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError

from config.vocabulary import Section, Url

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def _is_private_on_the_way(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise PydanticCustomError("plain_http", "tokens would be readable on the way", {"allowed": "an https address, or this machine"})
    return url


SafeUrl = Annotated[Url, AfterValidator(_is_private_on_the_way)]
ClientId = Annotated[str, StringConstraints(pattern=r"^[\w.:/-]+$", max_length=200)]


class GoogleSection(Section):
    client_id: ClientId | None = None
    """The id of your own client of the kind "Desktop app"; its secret is the secret `google_client_secret`.
    Absent: no Google account is used."""
    authorization_url: SafeUrl = "https://accounts.google.com/o/oauth2/v2/auth"
    """Where you are sent to say yes."""
    token_url: SafeUrl = "https://oauth2.googleapis.com/token"
    """Where tokens are given out."""
    revocation_url: SafeUrl = "https://oauth2.googleapis.com/revoke"
    """Where they are taken back."""
    calendar_url: SafeUrl = "https://www.googleapis.com/calendar/v3/"
    """Where Google Calendar answers."""
    gmail_url: SafeUrl = "https://gmail.googleapis.com/"
    """Where Gmail answers."""
