"""A SearXNG instance for tests: its JSON and its refusals as of 2026, and its query language.

It understands `!engine`, `:language` and `<timeout` in a query as the real one does and notes them as commands, so that
a test can see that none came through.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

CHECKS: dict[str, Callable[[str], bool]] = {
    "time_range": lambda said: said in ("day", "week", "month", "year"),
    "pageno": lambda said: said.isdigit() and int(said) >= 1,
    "language": lambda said: bool(re.fullmatch(r"[a-z]{2,3}(-[a-zA-Z]{2})?|auto", said)),
    "safesearch": lambda said: said in ("0", "1", "2"),
}
"""As searx/webadapter.py has them; what fails is answered with 400."""


@dataclass
class FakeSearxng:
    """What it answers, and what it was asked."""

    url: str = ""
    results: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    unresponsive_engines: list[list[str]] = field(default_factory=list[list[str]])
    answers: list[Any] = field(default_factory=list[Any])
    infoboxes: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    corrections: list[Any] = field(default_factory=list[Any])
    suggestions: list[str] = field(default_factory=list[str])
    formats: tuple[str, ...] = ("html", "json")
    raw: bytes | None = None
    """Answered instead, as it is."""
    status: int = 200
    limiter: bool = False
    """Refuses requests whose headers no browser would send, as searx/limiter.py does."""
    location: str = ""
    retry_after: str = ""
    packing: str = ""
    """Its answers' content encoding."""
    silent: threading.Event | None = None
    """When given, an answer waits until it is set."""
    queries: list[str] = field(default_factory=list[str])
    commands: list[str] = field(default_factory=list[str])
    parameters: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])


@contextmanager
def fake_searxng(**answers: Any) -> Generator[FakeSearxng]:
    """A running instance on a free loopback port."""
    fake = FakeSearxng(**answers)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(fake))
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        if fake.silent is not None:
            fake.silent.set()
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


def _handler_of(fake: FakeSearxng) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            given = {name: values[0] for name, values in parse_qs(parts.query).items()}
            fake.headers.append({name.lower(): value for name, value in self.headers.items()})
            if fake.silent is not None:
                fake.silent.wait(timeout=30)
            if parts.path != "/search":
                self._answer(404, b"not found", "text/plain")
            elif fake.limiter and not (self.headers.get("Accept-Language") and _is_packing(self.headers.get("Accept-Encoding", ""))):
                self._answer(429, b"Too Many Requests", "text/plain")
            else:
                self._answer(*_search(fake, given))

        def _answer(self, status: int, content: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            if fake.location:
                self.send_header("Location", fake.location)
            if fake.packing:
                self.send_header("Content-Encoding", fake.packing)
            if fake.retry_after:
                self.send_header("Retry-After", fake.retry_after)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


def _is_packing(said: str) -> bool:
    return not {"gzip", "deflate"}.isdisjoint(part.strip() for part in said.split(","))


def _search(fake: FakeSearxng, given: dict[str, str]) -> tuple[int, bytes, str]:
    fake.parameters.append(given)
    if given.get("format", "html") not in fake.formats:
        return 403, b"<html>Forbidden</html>", "text/html"
    if not given.get("q"):
        return 400, json.dumps({"error": "search query is empty"}).encode(), "application/json"
    wrong = next((name for name, is_right in CHECKS.items() if name in given and not is_right(given[name])), "")
    if wrong:
        return 400, json.dumps({"error": f"Invalid value for parameter {wrong}"}).encode(), "application/json"
    words = given["q"].split()
    fake.commands += [word for word in words if word[0] in "!:<" and len(word) > 1]
    fake.queries.append(given["q"])
    if fake.raw is not None or fake.status != 200:
        return fake.status, fake.raw or b"", "application/json"
    answer = {
        "query": given["q"], "results": fake.results, "answers": fake.answers, "corrections": fake.corrections,
        "infoboxes": fake.infoboxes, "suggestions": fake.suggestions, "unresponsive_engines": fake.unresponsive_engines,
    }  # fmt: skip
    return 200, json.dumps(answer).encode(), "application/json"
