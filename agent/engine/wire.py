"""The connections over which models answer: kept between requests, with nothing between a turn and its server that it does not need.

A turn asks its model again after every call, and a general client's layers were a third of what such a step took of the processor. What is
needed is small: one kind of request to an address that the person has set; no redirects, no proxies, no cookies.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from types import TracebackType
from typing import Literal, NamedTuple, Self

import anyio
import h11
import httpx2

from agent.engine.line import Broken, Line, Silent
from config.network.far_end import ask_for

CONNECT_TIMEOUT_S = 5.0
"""An engine on the local network accepts within milliseconds; a machine that is off does not answer at all."""
END_TIMEOUT_S = 0.25
"""After the last word a server ends its answer at once, or means to keep the line open."""
KEEP_S = 3.0
"""Servers give an idle connection up after 5 seconds: ours goes before, so that no request is sent into a closing one."""
RESEND_WITHIN_S = 1.0
"""A connection that had been closed says so as soon as a request is sent into it; one that fails later may have carried the request."""
SECOND_ADDRESS_S = 0.25
"""Until a name's next address is tried beside the first."""
_REFUSAL_BOUND = 1024 * 1024
"""Bytes of an answer that is read whole; only refusals are."""
_HTTPS_PORT, _HTTP_PORT, _LAST_PORT = 443, 80, 65535
_NO_ADDRESS = "The engine's address is none that a server can have. Set engine.url, or the node's url, in agent.toml."
_NO_HEADER = (
    "The engine's key, or another header, holds a line end or a character outside ASCII, which no request carries. Set the key anew."
)


class NotReached(Exception):
    """Nobody took the connection; the text is what the system said."""


class CannotBeAsked(NotReached):
    """There is no such address, or no such request; the text is a sentence for the person and holds no secret."""


class _Place(NamedTuple):
    host: str
    port: int
    is_tls: bool
    name: str
    """As requests name it."""


@lru_cache(maxsize=64)
def _parsed(url: str) -> tuple[_Place, bytes]:
    """A server, and what it is asked for.

    Raises:
        CannotBeAsked: that is no address.
    """
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise CannotBeAsked(_NO_ADDRESS) from error
    is_tls = parsed.scheme == "https"
    port = parsed.port or (_HTTPS_PORT if is_tls else _HTTP_PORT)
    if port > _LAST_PORT:
        raise CannotBeAsked(_NO_ADDRESS)
    return _Place(parsed.host, port, is_tls, parsed.netloc.decode("ascii")), parsed.raw_path


def _request(target: bytes, fields: list[tuple[str, str]]) -> h11.Request:
    """A request for `target`.

    Raises:
        CannotBeAsked: a header cannot be sent.
    """
    with suppress(h11.LocalProtocolError, UnicodeError):
        return h11.Request(method="POST", target=target, headers=fields)
    # Out here, so that it has no cause: theirs quote the header, which may be a key.
    raise CannotBeAsked(_NO_HEADER)


class Wire:
    """Connections to any number of servers, closed with its context.

    Args:
        trusted: what `config.network.trust.trust_of` said.
    """

    def __init__(self, trusted: ssl.SSLContext | Literal[True] = True) -> None:
        self._trusted = None if trusted is True else trusted
        self._idle: dict[_Place, list[Line]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for line in [line for kept in self._idle.values() for line in kept]:
            line.abort()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a request; returns when the head of its answer is there. The caller closes what it gets.

        Sent once more where a connection that was kept fails within `RESEND_WITHIN_S` and nothing came back: it was closed most likely
        before the server read the request. A server that read it and died at once gets it twice, which for a completion costs time only.

        Raises:
            CannotBeAsked: the address is none, or a header cannot be sent.
            NotReached: nobody took the connection.
            Broken: no answer began.
        """
        place, target = _parsed(url)
        request = _request(target, [("Host", place.name), *headers.items(), ("Content-Length", str(len(body)))])
        kept, sent_at = self._take(place), asyncio.get_running_loop().time()
        if kept is not None:
            try:
                return Answer(kept, await kept.ask(request, body))
            except Broken as error:
                is_late = asyncio.get_running_loop().time() - sent_at > RESEND_WITHIN_S
                if kept.has_heard or is_late or isinstance(error, Silent):
                    raise
        line = await self._open(place)
        return Answer(line, await line.ask(request, body))

    def _take(self, place: _Place) -> Line | None:
        """The connection that was used last, if it is young enough."""
        kept = self._idle.get(place, [])
        since = asyncio.get_running_loop().time() - KEEP_S
        while kept:
            line = kept.pop()
            if line.idle_since > since and line.is_open:
                return line
            line.abort()
        return None

    async def _open(self, place: _Place) -> Line:
        def keep(line: Line) -> None:
            self._idle.setdefault(place, []).append(line)

        def forget(line: Line) -> None:
            with suppress(KeyError, ValueError):
                self._idle[place].remove(line)

        loop, trusted = asyncio.get_running_loop(), self._context() if place.is_tls else None
        try:
            with anyio.fail_after(CONNECT_TIMEOUT_S):
                transport, line = await loop.create_connection(
                    lambda: Line(keep, forget), place.host, place.port, ssl=trusted, happy_eyeballs_delay=SECOND_ADDRESS_S
                )
        except OSError as error:
            raise NotReached(str(error)) from error
        except UnicodeError as error:
            # The name does not pass as one of a host.
            raise CannotBeAsked(_NO_ADDRESS) from error
        # Else a machine that goes away in the middle of an answer is waited for until the turn's time is up.
        ask_for(transport.get_extra_info("socket"))
        return line

    def _context(self) -> ssl.SSLContext:
        # Read when it is needed: most engines are on this machine.
        self._trusted = self._trusted or httpx2.create_ssl_context(trust_env=False)
        return self._trusted


class Answer:
    """An answer whose head is there."""

    def __init__(self, line: Line, head: h11.Response) -> None:
        self._line = line
        self.status = head.status_code
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        """By their names in lower case."""

    async def piece(self) -> bytes | None:
        """The next piece of the body; None at its end.

        Raises:
            Broken: it was cut off, or nothing comes any more.
        """
        return await self._line.piece()

    async def read(self) -> bytes:
        """The whole body, which is short.

        Raises:
            Broken: it was cut off, or has no end.
        """
        parts, size = list[bytes](), 0
        while (piece := await self._line.piece()) is not None:
            parts.append(piece)
            size += len(piece)
            if size > _REFUSAL_BOUND:
                raise Broken("its answer has no end")
        return b"".join(parts)

    async def finish(self) -> None:
        """Wait a moment for the end of an answer of which nothing more is wanted: only then can its connection be used again."""
        if self._line.drop_rest():
            return
        with anyio.move_on_after(END_TIMEOUT_S), suppress(Broken):
            while await self._line.piece() is not None:
                pass

    def close(self) -> None:
        """Give the connection back; it is kept where the answer is complete, and else the server sees at once that nobody listens."""
        self._line.release()
