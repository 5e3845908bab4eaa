"""Fetches one page of the public web that a stranger may have named, and nothing else.

The host is looked up once; if any of its addresses is not public, nothing is opened, and the connection goes to exactly the address that
was judged, so that a name that changes its mind in between (DNS rebinding) gains nothing. Each redirect is judged like a first address.
No cookie, no password, no proxy of the environment. Time, size on the wire, unpacked size, redirects and headers are bounded.
"""

from __future__ import annotations

import ssl
import zlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import anyio

from mcp_servers.errors import Refusal
from mcp_servers.outside.addresses import is_public
from mcp_servers.outside.destinations import NOT_PUBLIC, Destination, destination_of, moved_to
from mcp_servers.outside.unpacking import Body, TooLong, UnknownPacking

if TYPE_CHECKING:
    # Loaded with the first fetch: a server that waits for it has started sooner.
    import httpcore2

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Host and port to literal addresses."""

HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; Variet)",
    "Accept": "text/html,application/xhtml+xml,application/pdf,text/*;q=0.9,application/json;q=0.8,*/*;q=0.1",
    "Accept-Language": "en,*;q=0.5",
    "Accept-Encoding": "gzip",
    "Connection": "close",
}
MAX_ADDRESSES = 4
"""Tried of one host; each may take `connect_s`."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OK = 200
UNREACHABLE = "The page cannot be reached. Check the address, or try again later."
TOO_BIG = "The page is too big to read. Open it yourself."
TOO_SLOW = "The page takes too long to answer. Try again later."
DAMAGED = "The page's answer is damaged. Try again later."


@dataclass(frozen=True)
class Limits:
    """Of one fetch, its redirects included."""

    time_s: float = 10.0
    """A page that a person would wait for is there by then."""
    connect_s: float = 5.0
    body_bytes: int = 5 * 1024 * 1024
    """Unpacked; on the wire it may not be more either."""
    redirects: int = 5


@dataclass(frozen=True)
class Fetched:
    """What was answered."""

    url: str
    """Where the redirects ended."""
    kind: str
    """The media type, in lower case, without parameters; empty where none is told."""
    charset: str
    content: bytes


class Fetcher:
    """Fetches pages.

    Args:
        resolve: looks a host up; None for this system's own resolver.
        network: opens the connections to literal addresses; None for this system's.
        tls: None for this system's trusted authorities.
        limits: of each fetch.
        accepts: whether a page of that media type is worth its body.
    """

    def __init__(
        self,
        resolve: Resolve | None = None,
        *,
        network: httpcore2.AsyncNetworkBackend | None = None,
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
        accepts: Callable[[str], None] | None = None,
    ) -> None:
        self._resolve = resolve or looked_up
        self._network = network
        self._tls = tls
        self._limits = limits or Limits()
        self._accepts = accepts

    async def fetch(self, url: str) -> Fetched:
        """The page at an address.

        Raises:
            Refusal: it is not public, does not answer, is too big or of no kind that is read; the sentence says which.
        """
        import httpcore2

        here = destination_of(url)
        try:
            with anyio.fail_after(self._limits.time_s):
                for _ in range(self._limits.redirects + 1):
                    answer = await self._ask(here)
                    if isinstance(answer, Fetched):
                        return answer
                    here = answer
        except (TimeoutError, httpcore2.TimeoutException) as error:
            raise Refusal(TOO_SLOW) from error
        except (httpcore2.NetworkError, ssl.SSLError, OSError) as error:
            raise Refusal(UNREACHABLE) from error
        except (httpcore2.ProtocolError, zlib.error) as error:
            raise Refusal(DAMAGED) from error
        raise Refusal("The page leads from one address to the next without end. It is not opened. Try another one.")

    async def _ask(self, here: Destination) -> Fetched | Destination:
        """One hop: the page, or where it has gone."""
        import httpcore2

        system = cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())
        pinned = _Pinned(await self._public_addresses(here), self._network or system)
        network = cast("httpcore2.AsyncNetworkBackend", pinned)
        headers = [("Host", here.authority), *HEADERS.items()]
        url = httpcore2.URL(scheme=here.scheme, host=here.host, port=here.port, target=here.target)
        timeout = {
            "connect": self._limits.connect_s,
            "read": self._limits.time_s,
            "write": self._limits.time_s,
            "pool": self._limits.time_s,
        }
        async with (
            httpcore2.AsyncConnectionPool(ssl_context=self._trusted(here), max_connections=1, network_backend=network) as pool,
            pool.stream("GET", url, headers=headers, extensions={"timeout": timeout}) as response,
        ):
            told = {name.decode("latin-1").lower(): value.decode("utf-8", "replace") for name, value in response.headers}
            if response.status in _REDIRECTS and told.get("location"):
                return moved_to(here, told["location"])
            if response.status != _OK:
                raise Refusal(_status_text(response.status))
            kind, charset = _media_type(told.get("content-type", ""))
            if self._accepts is not None:
                self._accepts(kind)
            return Fetched(here.url, kind, charset, await self._body(response, told))

    def _trusted(self, here: Destination) -> ssl.SSLContext | None:
        if self._tls is None and here.scheme == "https":
            import httpcore2

            self._tls = httpcore2.default_ssl_context()
        return self._tls

    async def _public_addresses(self, here: Destination) -> list[str]:
        if here.is_literal:
            return [here.host]
        addresses = await self._resolve(here.host, here.port)
        if not addresses:
            raise Refusal(UNREACHABLE)
        # One that is not public is enough: who gives both wants the other one to be taken.
        if not all(map(is_public, addresses)):
            raise Refusal(NOT_PUBLIC)
        return addresses[:MAX_ADDRESSES]

    async def _body(self, response: httpcore2.Response, told: dict[str, str]) -> bytes:
        most = self._limits.body_bytes
        length = told.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > most:
            raise Refusal(TOO_BIG)
        try:
            body = Body(told.get("content-encoding", ""), most)
            async for chunk in response.aiter_stream():
                body.add(chunk)
        except TooLong as error:
            raise Refusal(TOO_BIG) from error
        except UnknownPacking as error:
            raise Refusal(DAMAGED) from error
        if not body.is_whole:
            raise Refusal(DAMAGED)
        return bytes(body.content)


class _Pinned:
    """Connects to the addresses that were judged, whatever host it is asked for; the host stays in the request and in the certificate.

    It has the one method of `httpcore2.AsyncNetworkBackend` that such a connection takes.
    """

    def __init__(self, addresses: list[str], network: httpcore2.AsyncNetworkBackend) -> None:
        self._addresses, self._network = addresses, network

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        import httpcore2

        failure: Exception = httpcore2.ConnectError("no address")
        for address in self._addresses:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure


async def looked_up(host: str, port: int) -> list[str]:
    """The addresses that this system's resolver knows, each once, in its order."""
    found = await anyio.getaddrinfo(host, port, type=1)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


def _media_type(told: str) -> tuple[str, str]:
    kind, _, rest = told.partition(";")
    charset = next((part.partition("=")[2] for part in rest.split(";") if part.strip().lower().startswith("charset=")), "")
    return kind.strip().lower(), charset.strip().strip("\"'").lower()[:40]


def _status_text(status: int) -> str:
    known = {401: "asks for a login", 403: "refuses to be read", 404: "does not exist", 410: "is gone", 429: "is asked too often"}
    what = known.get(status, "fails" if status >= 500 else "gives no text")
    return f"The page {what} (status {status}). Try another one."
