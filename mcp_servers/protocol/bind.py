"""Where a server may listen for HTTP, and who may call it by which name.

Pure: it looks at what was said and never at the network. The rules are one-sided on purpose, and those of the engine.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"
MAX_PORT = 65535
_PLACE = re.compile(r"(?:(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+):)?(\d{1,5})")


class BindRefused(Exception):
    """`str()` of it says what to do instead."""


@dataclass(frozen=True)
class Bind:
    """What the command line says about HTTP."""

    host: str
    """An address, without brackets, or localhost."""
    port: int
    """0: a free one."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    allows_plain_http: bool = False
    """Off loopback, where token and texts can be read on their way."""
    names: tuple[str, ...] = ()
    """What clients may call this machine, beside its addresses."""
    origins: tuple[str, ...] = ()
    """Of pages that may use the server."""

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)


def place_of(said: str) -> tuple[str, int]:
    """Host and port of `[HOST:]PORT`; loopback where no host is named.

    Raises:
        BindRefused: it is neither.
    """
    match = _PLACE.fullmatch(said.strip())
    if match is None or int(match[2]) > MAX_PORT:
        raise BindRefused(f"{said} is no place to listen. Give a port, or an address and a port: 8100, 192.168.1.2:8100, [::1]:8100.")
    return (match[1] or LOOPBACK).strip("[]"), int(match[2])


def check_bind(bind: Bind) -> None:
    """Refuse a place that would expose the server.

    1. A certificate and its key come together.
    2. An origin is a scheme and a place, as a browser says it.
    3. Loopback: always.
    4. A name other than localhost: refused, nobody can see where it leads.
    5. A wildcard or a public address: refused.
    6. What others can reach: with TLS, unless plain HTTP was permitted by name.

    Raises:
        BindRefused: with what to do instead.
    """
    # 1.
    if (bind.tls_cert is None) != (bind.tls_key is None):
        missing = "--tls-key" if bind.tls_key is None else "--tls-cert"
        raise BindRefused(f"{missing} is missing: TLS needs the certificate and its key. Give both.")
    # 2.
    for origin in bind.origins:
        if not _is_origin(origin):
            raise BindRefused(f"{origin} is no origin. Give it as a browser says it: http://127.0.0.1:8080.")
    # 3. 4.
    if bind.is_loopback:
        return
    address = address_of(bind.host)
    if address is None:
        raise BindRefused(f"{bind.host} is no address. Give an IP address of this machine, or localhost.")
    # 5.
    if address.is_unspecified:
        raise BindRefused(f"{bind.host} would listen on every network. Give the private address to listen on.")
    if address.is_global or address.is_multicast:
        private = "A tool server serves this machine and its private network only"
        raise BindRefused(f"{bind.host} is a public address. {private}: give a private address.")
    # 6.
    if bind.tls_cert is None and not bind.allows_plain_http:
        raise BindRefused(
            f"On {bind.host} the token and all texts could be read over the network. Give --tls-cert and --tls-key, "
            "or permit it with --allow-plain-http."
        )


def is_called_rightly(host: str, bind: Bind) -> bool:
    """Whether a request's Host header names this server; a page that was rebound to it says a name of its own.

    1. On loopback: loopback's own names.
    2. Elsewhere also any address that is not public, which nobody can rebind.
    3. The names that the command line allows.
    """
    name = name_of(host)
    if is_loopback(name) or name in bind.names:
        return True
    address = address_of(name)
    return address is not None and not bind.is_loopback and not address.is_global


def is_from_nobodys_page(origin: str | None, host: str, bind: Bind) -> bool:
    """Whether a request comes from no page, from a page that is allowed, or from one of this very server."""
    return origin is None or origin in bind.origins or (_place(origin) != "" and _place(origin) == host.lower())


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    address = address_of(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a text is; None for a name. An IPv4 address in IPv6 clothes is taken for what it is."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def name_of(host: str) -> str:
    """The name in a Host header, in lower case; empty where it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _place(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and text == f"{parts.scheme}://{parts.netloc}" and "@" not in text
