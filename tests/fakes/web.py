"""The public web for tests: one misbehaving server on a loopback port, and a network that takes every public address to it.

The network notes which literal addresses it was asked for, so that a test can see what would have been connected to.
"""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpcore2

Answer = Callable[[BaseHTTPRequestHandler], None]
PUBLIC = "93.184.216.34"
"""An address that belongs to everybody's internet."""


@dataclass
class Web:
    """What each path does, and what was asked."""

    port: int = 0
    pages: dict[str, Answer] = field(default_factory=dict[str, Answer])
    asked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Host and path."""
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    is_over: threading.Event = field(default_factory=threading.Event)
    """Set when the test is: what goes on without end ends then."""


@contextmanager
def web(**pages: Answer) -> Generator[Web]:
    """A running server; each page's path is its name."""
    served = Web(pages={f"/{name}": page for name, page in pages.items()})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            served.asked.append((self.headers["Host"] or "", self.path))
            served.headers.append({name.lower(): value for name, value in self.headers.items()})
            try:
                served.pages.get(self.path.partition("?")[0], status(404))(self)
            except OSError:
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        served.is_over.set()
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


class ToLoopback(httpcore2.AsyncNetworkBackend):
    """Every address leads to one loopback port."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.dialled: list[str] = []
        self.dead: set[str] = set()
        self._network: Any = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        self.dialled.append(host)
        if host in self.dead:
            raise httpcore2.ConnectError("dead")
        return await self._network.connect_tcp("127.0.0.1", self.port, timeout)


class Resolver:
    """Names to addresses; each look-up takes the next answer, the last one stays."""

    def __init__(self, *answers: list[str], **named: list[str]) -> None:
        self._answers = list(answers) or [[PUBLIC]]
        self._named = {name.replace("_", "."): addresses for name, addresses in named.items()}
        self.looked_up: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.looked_up.append(host)
        if host in self._named:
            return self._named[host]
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def page(content: bytes | str, kind: str = "text/html; charset=utf-8", *, packing: str = "", is_packed: bool = False) -> Answer:
    """A page that is answered as it should be."""
    body = content.encode() if isinstance(content, str) else content

    def answer(handler: BaseHTTPRequestHandler) -> None:
        sent = gzip.compress(body) if packing == "gzip" and not is_packed else body
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(sent)))
        handler.send_header("Set-Cookie", "who=you")
        if packing:
            handler.send_header("Content-Encoding", packing)
        handler.end_headers()
        handler.wfile.write(sent)

    return answer


def status(code: int, **headers: str) -> Answer:
    """An answer without a body."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def without_end(served_until: Callable[[], threading.Event], piece: bytes, pause_s: float = 0.0) -> Answer:
    """A body that goes on; with a pause, one byte after the other."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.end_headers()
        handler.close_connection = True
        over = served_until()
        while not over.wait(pause_s):
            handler.wfile.write(piece)

    return answer


def huge_headers(handler: BaseHTTPRequestHandler) -> None:
    """Half a megabyte of them."""
    handler.send_response(200)
    for number in range(500):
        handler.send_header(f"X-{number}", "x" * 1000)
    handler.end_headers()


def garbage(handler: BaseHTTPRequestHandler) -> None:
    """No HTTP."""
    handler.wfile.write(b"\x00\x01 hello\r\n\r\n")
    handler.close_connection = True
