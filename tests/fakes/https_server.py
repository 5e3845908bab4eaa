"""A server behind a certificate that answers every path with one text, and notes the keys that it was shown."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from config.schema import ServerSection
from inference.door.tls import tls_context


@dataclass
class Shown:
    """What it has seen."""

    url: str = ""
    keys: list[str | None] = field(default_factory=list[str | None])


@contextmanager
def https_server(cert: Path, key: Path, answer: str) -> Iterator[Shown]:
    """Serve on a free loopback port as long as the context lasts."""
    shown = Shown()
    context = tls_context(ServerSection(tls_cert=cert, tls_key=key))
    assert context is not None

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shown.keys.append(self.headers["authorization"])
            body = answer.encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the test's output is not the place."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A client that does not trust us hangs up in the handshake."""

    with Server(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        shown.url = f"https://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield shown
        finally:
            server.shutdown()
            thread.join()
