"""Who gets in: refuses web pages, foreign host names and unknown keys before anything else looks at a request.

A local port is reachable by every page that the user's browser shows. Such a page cannot hide its `Origin`, and a name that was rebound to
this address cannot hide its `Host`; both are refused whatever the key.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import anyio

from inference.door.access import ANYBODY, KeyInfo
from inference.door.bind import address_of, is_loopback, is_wildcard
from inference.door.incoming import RawHeaders, header
from inference.door.keys import Keys
from inference.errors import HeadersTooLarge, InvalidKey, OriginRefused

HEADER_BOUND = 32 * 1024
"""Bytes of headers, where the settings say nothing else."""
ENGINE_OPEN = frozenset({(method, path) for method in ("GET", "HEAD") for path in ("/health", "/v1/health")} | {("GET", "/")})
"""What of the engine needs no key: whether it is there, which version of the contract it speaks, and the dashboard's empty page, whose
script asks for everything else with a key."""
_OWN_SITE = frozenset({"same-origin", "none"})
"""Fetch sites that are no other page: our own pages, and what a person typed."""
_LINE_EXTRAS = 4
"""Bytes of a header line that are neither name nor value."""


class Gate:
    """The checks of one server.

    Args:
        host: the address that it listens on.
        keys: who may speak; without any, everybody, but only where nobody else can reach `host`.
        names: of this machine, which a client may call it by.
        more_names: that the settings add, each as it stands.
        max_header_bytes: of all headers of a request together.
        needs_no_key: method and path of what is for everybody.
    """

    def __init__(
        self,
        host: str,
        keys: Keys,
        *,
        names: Collection[str] = (),
        more_names: Collection[str] = (),
        max_header_bytes: int = HEADER_BOUND,
        needs_no_key: Collection[tuple[str, str]] = ENGINE_OPEN,
    ) -> None:
        own = {name.lower() for name in names}
        # A name that the network's router or a domain completes is the first part of itself, too: nobody can register one without a dot.
        short = {name.partition(".")[0] for name in own}
        self._names = {"localhost", *own, *short, *(f"{name}.local" for name in short), *(name.lower() for name in more_names)}
        self._is_in_container = is_wildcard(host)
        self._is_private = is_loopback(host)
        self._keys = keys
        self._max_header_bytes = max_header_bytes
        self._needs_no_key = frozenset(needs_no_key)
        self._running: dict[str, set[anyio.CancelScope]] = {}

    def replace(self, keys: Keys) -> None:
        """Take on other keys: one that is gone opens nothing any more, and what runs for it ends now.

        Where others can reach the engine, the last key's removal closes it instead of opening it.
        """
        self._keys = keys
        for gone in self._running.keys() - keys.ids - {ANYBODY.id}:
            for scope in self._running[gone]:
                scope.cancel()

    @contextmanager
    def passage(self, key: KeyInfo) -> Iterator[anyio.CancelScope]:
        """Do a request's work inside: it is cancelled when the key is taken away."""
        with anyio.CancelScope() as scope:
            running = self._running.setdefault(key.id, set())
            running.add(scope)
            try:
                yield scope
            finally:
                running.discard(scope)
                if not running:
                    del self._running[key.id]

    def admit(self, headers: RawHeaders, path: str, method: str = "GET") -> KeyInfo:
        """Let a request in, or not, and say whose it is.

        1. The headers must be of a bearable size.
        2. The host name must be this machine's.
        3. A page may only be one that this engine served.
        4. A key is needed, except for what is for everybody, and where there are no keys and nobody else can reach us.
        5. A key that may only read may do no more.

        Raises:
            HeadersTooLarge: by 1.
            OriginRefused: by 2 or 3.
            InvalidKey: by 4.
            ReadOnlyKey: by 5.
        """
        # 1.
        if sum(len(name) + len(value) + _LINE_EXTRAS for name, value in headers) > self._max_header_bytes:
            bound = self._max_header_bytes // 1024
            raise HeadersTooLarge(f"The request's headers are larger than {bound} KiB (server.max_header_kib).", is_permanent=True)
        # 2.
        host = header(headers, b"host") or ""
        if not self._is_ours(_name_of(host)):
            hint = "If its machine is called that, add the name to server.names in its engine.toml, and start it again."
            raise OriginRefused(f"The host name {host!r} is not this engine's. {hint}", is_permanent=True)
        # 3.
        origin = header(headers, b"origin")
        if origin is not None and _place_of(origin) != host.lower():
            raise OriginRefused(f"Pages of {origin!r} may not use this engine.", is_permanent=True)
        if (header(headers, b"sec-fetch-site") or "none") not in _OWN_SITE:
            raise OriginRefused("Pages of other sites may not use this engine.", is_permanent=True)
        # 4.
        if (method, path) in self._needs_no_key or (self._keys.is_open and self._is_private):
            return ANYBODY
        client = self._keys.client_of(_key_of(headers))
        if client is None:
            raise InvalidKey("A valid key is needed: Authorization: Bearer KEY", is_permanent=True)
        # 5.
        client.check_method(method)
        return client

    def _is_ours(self, name: str) -> bool:
        """Whether a client may call us that.

        1. A private address is: a page that was rebound says its own name, never an address.
        2. This machine's names are.
        3. In a container, which does not know what it is called outside, any name without a dot: nobody can register one.
        """
        address = address_of(name)
        if address is not None:
            return not address.is_global
        return name in self._names or (self._is_in_container and name != "" and "." not in name)


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
