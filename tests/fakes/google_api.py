"""A service of Google's on loopback, its calendars unless a subclass says otherwise: a real HTTP server.

Every request is held against Google's own description, the one that comes with the installed library. What it does not know (a path,
a parameter, a field, a kind of value) is answered 400 and kept in `violations`, and so is a token that does not allow the call. What
stands in the way of an answer, before its effect or after it, is the test's to say.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes.google_calendars import FakeAccount, Refused
from tests.fakes.google_description import Called, Description, Unknown

Json = dict[str, Any]
READING = frozenset({"calendar.events.readonly", "calendar.calendarlist.readonly", "calendar.freebusy"})
WRITING = frozenset({"calendar.events", "calendar.calendarlist.readonly", "calendar.freebusy"})
BATCH_PATH = "/batch/calendar/v3"
MAX_IN_BATCH = 50
HANG_S = 30.0


@dataclass(frozen=True)
class Answer:
    status: int
    body: Json | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])


class Silence(Exception):
    """Nothing is answered: the connection is closed, or held until the client gives up."""

    def __init__(self, *, held: bool = False) -> None:
        super().__init__()
        self.held = held


Trouble = Callable[[Called], Answer | None]


def refusal(status: int, reason: str = "") -> Answer:
    """An error in Google's form."""
    listed = [{"domain": "global", "reason": reason, "message": "planted-prose"}] if reason else []
    return Answer(status, {"error": {"code": status, "message": "planted-prose", "errors": listed}})


@dataclass
class FakeGoogle:
    """One account's service, with what was asked of it."""

    account: FakeAccount = field(default_factory=FakeAccount)
    asked: list[Called] = field(default_factory=list[Called])
    """Every call, those of a batch one by one."""
    requests: list[str] = field(default_factory=list[str])
    """Paths of the HTTP requests."""
    violations: list[str] = field(default_factory=list[str])
    before: Trouble = lambda _: None
    """Looked at before the effect."""
    after: Trouble = lambda _: None
    """Looked at after it."""
    tokens: dict[str, frozenset[str]] = field(default_factory=lambda: {"token-read": READING, "token-write": WRITING})
    url: str = ""
    description: Description = field(default_factory=lambda: Description.of("calendar", "v3"))
    batch_path: str = BATCH_PATH
    base: str = "/calendar/v3/"
    stopping: threading.Event = field(default_factory=threading.Event)

    def effect(self, called: Called) -> tuple[int, Json | None]:
        """What a call does, and its answer.

        Raises:
            Refused: it is not done.
        """
        return self.account.do(called)

    def ids(self) -> list[str]:
        return [called.method.removeprefix("calendar.") for called in self.asked]

    def answer(self, method: str, target: str, headers: dict[str, str], content: bytes) -> Answer:
        """What one call is answered with, having its effect.

        Raises:
            Silence: nothing.
        """
        scopes = self.tokens.get(headers.get("authorization", "").removeprefix("Bearer "))
        if scopes is None:
            return refusal(401, "authError")
        parts = urlsplit(target)
        try:
            called = self.description.call(method, parts.path, parse_qs(parts.query, keep_blank_values=True), content, headers)
        except Unknown as unknown:
            self.violations.append(f"{method} {target}: {unknown}")
            return refusal(400, "badRequest")
        self.asked.append(called)
        if not scopes & called.scopes:
            return refusal(403, "insufficientPermissions")
        if trouble := self.before(called):
            return trouble
        try:
            done = Answer(*self.effect(called))
        except Refused as refused:
            done = refusal(refused.status, refused.reason)
        except Exception as fault:  # noqa: BLE001 - a fault of the fake must not pass for one of Google's
            self.violations.append(f"{called.method} failed: {fault!r}")
            return refusal(500)
        return self.after(called) or done


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeGoogle

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def handle_any(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.fake.requests.append(self.path)
        try:
            if urlsplit(self.path).path == self.fake.batch_path and self.command == "POST":
                self._answer_batch(content, headers)
            else:
                self._send(self.fake.answer(self.command, self.path, headers, content))
        except Silence as silence:
            if silence.held:
                self.fake.stopping.wait(HANG_S)
            self.close_connection = True

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any

    def _answer_batch(self, content: bytes, headers: dict[str, str]) -> None:
        message = BytesParser().parsebytes(b"content-type: " + headers["content-type"].encode() + b"\r\n\r\n" + content)
        parts: Any = message.get_payload()
        if len(parts) > MAX_IN_BATCH:
            self.fake.violations.append("too many calls in one batch")
        answered: list[str] = []
        for part in parts:
            inner = part.get_payload()
            first, _, rest = str(inner if isinstance(inner, str) else inner[0].as_string()).lstrip().partition("\n")
            method, target, _ = first.split(" ", 2)
            asked = BytesParser().parsebytes(rest.encode())
            own = {name.lower(): str(value) for name, value in asked.items()}
            body: Any = asked.get_payload()
            answer = self.fake.answer(
                method, target, {"authorization": headers.get("authorization", ""), **own}, str(body).strip().encode()
            )
            name = str(part["Content-ID"]).strip("<>")
            text = "" if answer.body is None else json.dumps(answer.body)
            answered.append(
                f"--fake\r\nContent-Type: application/http\r\nContent-ID: <response-{name}>\r\n\r\n"
                f"HTTP/1.1 {answer.status} Said\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}\r\n"
            )
        self._send_bytes(200, "".join([*answered, "--fake--\r\n"]).encode(), {"Content-Type": "multipart/mixed; boundary=fake"})

    def _send(self, answer: Answer) -> None:
        content = b"" if answer.body is None else json.dumps(answer.body).encode()
        self._send_bytes(answer.status, content, {"Content-Type": "application/json; charset=UTF-8", **answer.headers})

    def _send_bytes(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")  # nothing stays open that a test would have to close
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def google_on_loopback(fake: FakeGoogle | None = None) -> Generator[FakeGoogle]:
    """Google's calendars, or another service of its; see `on_loopback`."""
    google = fake or FakeGoogle()
    with on_loopback(google):
        yield google


@contextmanager
def on_loopback(google: FakeGoogle) -> Generator[None]:
    """The service, until the body is done. What was asked of it that Google would not know is a failure of the body."""
    handler = type("Handler", (_Handler,), {"fake": google})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        google.url = f"http://127.0.0.1:{server.server_port}{google.base}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            google.stopping.set()
            server.shutdown()
            thread.join(10)
    assert google.violations == []
