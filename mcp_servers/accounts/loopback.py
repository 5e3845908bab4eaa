"""The address on this machine that a browser comes back to after a login: a port of its own, for this once, for a bounded time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer

from pydantic import SecretStr

from mcp_servers.accounts.oauth import REDIRECT_PATH, Denied, redirected

HOST = "127.0.0.1"
"""By number, as RFC 8252 wants it: `localhost` may be another machine's business."""
REQUEST_TIMEOUT_S = 5.0
POLL_S = 0.05
DONE = "Variet has what it needs. You can close this page."
REFUSED = "Nothing was allowed. You can close this page."
NOT_HERE = "There is nothing here."


class Listener:
    """What came to the address."""

    def __init__(self, port: int, answers: queue.Queue[SecretStr | Denied]) -> None:
        self.redirect = f"http://{HOST}:{port}{REDIRECT_PATH}"
        self._answers = answers

    def wait(self, timeout_s: float) -> SecretStr | Denied | None:
        """The code, or a no; None when nobody came in that time. What has another state is not of this login and ends nothing."""
        try:
            return self._answers.get(timeout=timeout_s)
        except queue.Empty:
            return None


@contextmanager
def listening(state: SecretStr) -> Iterator[Listener]:
    """Listen as long as the context lasts, on a port that the system chooses."""
    answers: queue.Queue[SecretStr | Denied] = queue.Queue(maxsize=1)
    with _Server((HOST, 0), _handler_of(state, answers)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": POLL_S}, daemon=True)
        thread.start()
        try:
            yield Listener(server.socket.getsockname()[1], answers)
        finally:
            server.shutdown()
            thread.join(REQUEST_TIMEOUT_S)


class _Server(ThreadingTCPServer):
    # Not the HTTP server: that one looks its own name up, which may take seconds, and lets others share its port on Windows.
    daemon_threads = True
    allow_reuse_address = False
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever hangs up in the middle is nobody's concern, and its request must not be printed."""


def _handler_of(state: SecretStr, answers: queue.Queue[SecretStr | Denied]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_TIMEOUT_S

        def do_GET(self) -> None:
            came = redirected(self.path, state) if self._is_for_here() else None
            if came is None:
                self._say(404, NOT_HERE)
                return
            try:
                answers.put_nowait(came)
            except queue.Full:
                self._say(404, NOT_HERE)
                return
            self._say(200, REFUSED if isinstance(came, Denied) else DONE)

        def _is_for_here(self) -> bool:
            # A page elsewhere that points a name of its own at this machine sends that name.
            return self.headers.get("host") == f"{HOST}:{self.connection.getsockname()[1]}"

        def _say(self, status: int, text: str) -> None:
            body = text.encode()
            self.send_response_only(status)
            for name, value in (
                ("content-type", "text/plain; charset=utf-8"),
                ("content-length", str(len(body))),
                ("cache-control", "no-store"),
                ("referrer-policy", "no-referrer"),
                ("x-content-type-options", "nosniff"),
                ("connection", "close"),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the request's line holds the code."""

    return Handler
