"""Who gets in: refuses web pages, foreign host names and unknown keys before anything else looks at a request.

A local port is reachable by every page that the user's browser shows. Such a page cannot hide its `Origin`, and a name that was rebound to
this address cannot hide its `Host`; both are refused whatever the key.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from inference.errors import InvalidKey, OriginRefused
from inference.incoming import RawHeaders, header
from inference.keys import Keys

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_OWN_SITE = frozenset({"same-origin", "none"})
"""Fetch sites that are no other page: our own pages, and what a person typed."""


class Gate:
    """The checks of one engine."""

    def __init__(self, host: str, keys: Keys) -> None:
        self._names = _LOOPBACK_NAMES | {host.strip("[]").lower()}
        self._keys = keys

    def admit(self, headers: RawHeaders, path: str) -> None:
        """Let a request in, or not.

        1. The host name must be this machine's.
        2. A page may only be one that this engine served.
        3. A key is needed where there are keys, except for `/health`.

        Raises:
            OriginRefused: by 1 or 2.
            InvalidKey: by 3.
        """
        # 1.
        host = header(headers, b"host") or ""
        if _name_of(host) not in self._names:
            raise OriginRefused(f"The host name {host!r} is not this engine's.", is_permanent=True)
        # 2.
        origin = header(headers, b"origin")
        if origin is not None and _place_of(origin) != host.lower():
            raise OriginRefused(f"Pages of {origin!r} may not use this engine.", is_permanent=True)
        if (header(headers, b"sec-fetch-site") or "none") not in _OWN_SITE:
            raise OriginRefused("Pages of other sites may not use this engine.", is_permanent=True)
        # 3.
        if self._keys.is_open or path == "/health":
            return
        if self._keys.client_of(_key_of(headers)) is None:
            raise InvalidKey("A valid key is needed: Authorization: Bearer KEY", is_permanent=True)


def _place_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _name_of(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _key_of(headers: RawHeaders) -> str:
    scheme, _, key = (header(headers, b"authorization") or "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else header(headers, b"x-api-key") or ""
