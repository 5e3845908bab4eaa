"""An instance's address taken apart: how to log in there, and the address without that, which alone is told to anybody.

Pure.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

_HOST = re.compile(r"[a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\]")


def named(url: str) -> str:
    """The address without a user and password: the model, the log and a node outside of the house may read it."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def login_of(url: str) -> tuple[str, str] | None:
    """The user and password in the address, for HTTP's basic authentication."""
    parts = urlsplit(url)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return (user, password) if user or password else None


def moved_to(url: str, location: str) -> str:
    """The site that an instance sends to, as `https://search.example.org`; empty where it is the same one, or none that can be told.

    Only the site is told: the rest is whatever the far end wrote.
    """
    try:
        here, there = urlsplit(url), urlsplit(urljoin(url, location.strip()))
        port = f":{there.port}" if there.port else ""
    except ValueError:
        return ""
    host = f"[{there.hostname}]" if ":" in (there.hostname or "") else there.hostname or ""
    site = f"{there.scheme}://{host}{port}"
    is_told = (
        there.scheme in {"http", "https"} and _HOST.fullmatch(host) and site != f"{here.scheme}://{here.netloc.rpartition('@')[2].lower()}"
    )
    return site if is_told else ""
