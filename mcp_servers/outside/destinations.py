"""Where an address on the web leads: its scheme, host, port and target, read once and strictly.

Pure. Every part of a URL that programs read differently is refused here rather than guessed: names and passwords, numbers as hosts in any
form but the plain one, zones, escapes in the host, odd ports. What is left means the same to whoever connects.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import idna

from mcp_servers.errors import Refusal
from mcp_servers.outside.addresses import is_public

MAX_URL_CHARS = 2048
"""No page that a person reads has a longer one; what is longer carries something else."""
PORTS = {"http": 80, "https": 443}
NOT_AN_ADDRESS = "That is no address of a web page. Give one such as https://example.org/page."
NOT_PUBLIC = "That address is not on the public internet. Only public pages can be read. Try another one."
NO_SUCH_PORT = "Only pages on the usual ports of the web (80 and 443) can be read. Give an address without a port."
NO_CREDENTIALS = "An address with a name or a password in it is not opened. Give it without them."
NOT_THE_WEB = "Only http and https addresses can be read. Give one of these."
_INSIDE = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "home.arpa", "onion", "alt", "test", "invalid")
"""Names that never are on the public internet."""
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_ODD = re.compile(r"[\x00-\x20\x7f\\]|\s")
_KEPT = "/%:@!$&'()*+,;=~-._?"


@dataclass(frozen=True)
class Destination:
    """One address to fetch. `host` is ASCII, in lower case, without a last dot; an IPv6 address has no brackets."""

    scheme: str
    host: str
    port: int
    target: str
    """Path and query, in ASCII."""

    @property
    def is_literal(self) -> bool:
        return ":" in self.host or bool(_NUMBER.fullmatch(self.host.rpartition(".")[2]))

    @property
    def authority(self) -> str:
        """For the `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def destination_of(url: str) -> Destination:
    """Where a URL leads; `https` where it names no scheme.

    Raises:
        Refusal: it is none that is opened; the sentence says why.
    """
    url = url.strip()
    if not url or len(url) > MAX_URL_CHARS or _ODD.search(url):
        raise Refusal(NOT_AN_ADDRESS)
    parts = _split(url if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", url) else f"https://{url.removeprefix('//')}")
    if parts.scheme not in PORTS:
        raise Refusal(NOT_THE_WEB)
    if "@" in parts.netloc:
        raise Refusal(NO_CREDENTIALS)
    try:
        port = PORTS[parts.scheme] if parts.port is None else parts.port
    except ValueError as error:
        raise Refusal(NOT_AN_ADDRESS) from error
    host = _host(parts.netloc)
    if port not in PORTS.values():
        raise Refusal(NO_SUCH_PORT)
    target = quote(parts.path or "/", safe=_KEPT.replace("?", "")) + (f"?{quote(parts.query, safe=_KEPT)}" if parts.query else "")
    return Destination(parts.scheme, host, port, target)


def moved_to(here: Destination, location: str) -> Destination:
    """Where a redirect leads, read as strictly as the first address.

    Raises:
        Refusal: nowhere that is opened, or from https back to http.
    """
    there = destination_of(urljoin(here.url, location.strip()))
    if here.scheme == "https" and there.scheme == "http":
        raise Refusal("The page leads from an encrypted address to one that is not. It is not opened. Try another one.")
    return there


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise Refusal(NOT_AN_ADDRESS) from error


def _host(netloc: str) -> str:
    if bracketed := re.fullmatch(r"\[([^\[\]]*)\](?::[0-9]*)?", netloc):
        return _literal_v6(bracketed[1])
    name = netloc.partition(":")[0]
    if not name or "%" in name:
        raise Refusal(NOT_AN_ADDRESS)
    try:
        host = idna.encode(name.removesuffix("."), uts46=True).decode("ascii").lower()
    except UnicodeError as error:
        raise Refusal(NOT_AN_ADDRESS) from error
    labels = host.split(".")
    if not all(map(_LABEL.fullmatch, labels)):
        raise Refusal(NOT_AN_ADDRESS)
    if _NUMBER.fullmatch(labels[-1]):
        return _literal_v4(host)
    if len(labels) == 1 or any(host == name or host.endswith(f".{name}") for name in _INSIDE):
        raise Refusal(NOT_PUBLIC)
    return host


def _literal_v4(host: str) -> str:
    """A host of numbers: the plain four of them, or none that is opened (`127.1`, `2130706433`, `0x7f.1`, `0177.0.0.1`)."""
    try:
        plain = str(IPv4Address(host))
    except AddressValueError as error:
        raise Refusal(NOT_AN_ADDRESS) from error
    if not is_public(plain):
        raise Refusal(NOT_PUBLIC)
    return plain


def _literal_v6(text: str) -> str:
    try:
        address = IPv6Address(text)
    except AddressValueError as error:
        raise Refusal(NOT_AN_ADDRESS) from error
    if not is_public(str(address)):
        raise Refusal(NOT_PUBLIC)
    return str(address)
