"""Listen on one address and speak HTTP/1.1 there, with or without TLS; what the engine and the mode's process have in common."""

from __future__ import annotations

import json
import os
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from config.disk.whole_file import write_whole
from config.network.no_listening import why_not_listening
from config.network.resting import RestingServer
from config.schema import ServerSection
from inference.door.bind import check_bind
from inference.door.gate import ENGINE_OPEN, Gate
from inference.door.heads import HeadProtocol
from inference.door.incoming import Receive, Scope, Send
from inference.door.keys import Keys
from inference.door.tls import tls_context
from inference.errors import BindRefused

AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

BACKLOG = 512
"""Connections that may wait to be accepted: more than the queue's default limit, so that refusals are answers and not resets."""
CLIENT_KEEP_ALIVE_S = 75
"""An idle client's connection is kept this long: reconnecting costs more than the socket."""
LAST_ANSWERS_BOUND_S = 2
"""After all models have stopped: for answers that are on their way out."""
_WHERE_TAKEN = "Is another one running there?"
_WHERE_NOT_OURS = (
    "If its network comes up later, start again then. If it has a new address, set server.host to that one, run `variet connect URL` again "
    "wherever this engine is used, and have the router always give this machine the same."
)
_LINE_BOUND = 2048
"""Bytes of a request's first line, beside its headers; longer ones meet the same refusal."""


class Server(RestingServer):
    """uvicorn without its own signal handling (models must stop before connections are closed), and asleep while nothing happens."""

    def end(self) -> None:
        """Stop serving; from the event loop."""
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def gate_of(server: ServerSection, keys: Keys, needs_no_key: frozenset[tuple[str, str]] = ENGINE_OPEN) -> Gate:
    """The gate in front of what listens where the settings say."""
    return Gate(
        server.host,
        keys,
        names=(socket.gethostname(),),
        more_names=server.names,
        max_header_bytes=server.max_header_kib * 1024,
        needs_no_key=needs_no_key,
    )


@dataclass(frozen=True)
class Front:
    """A listening socket and how it is spoken to. Made by `open_front`."""

    listener: socket.socket
    context: ssl.SSLContext | None
    max_header_kib: int

    def config(self, app: AsgiApp) -> uvicorn.Config:
        """How uvicorn serves `app` here."""
        context = self.context
        return uvicorn.Config(
            app,  # pyright: ignore[reportArgumentType]  # uvicorn spells the ASGI types out; ours are the same dictionaries
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            # Nobody in front of us is trusted to say who a client is.
            proxy_headers=False,
            ws="none",
            http=HeadProtocol,
            loop="none",
            timeout_keep_alive=CLIENT_KEEP_ALIVE_S,
            timeout_graceful_shutdown=LAST_ANSWERS_BOUND_S,
            h11_max_incomplete_event_size=self.max_header_kib * 1024 + _LINE_BOUND,
            ssl_context_factory=None if context is None else lambda _config, _default: context,
        )

    @property
    def url(self) -> str:
        """Where it is."""
        host, port = self.listener.getsockname()[:2]
        scheme = "http" if self.context is None else "https"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    @contextmanager
    def announced(self, name: str, port_file: Path | None, **more: str) -> Iterator[None]:
        """Tell where it is (and `more`, in the file), as long as it is there; the file is written whole or not at all."""
        sys.stderr.write(f"Variet's {name} listens on {self.url}\n")
        if port_file is None:
            yield
            return
        write_whole(port_file, json.dumps({"url": self.url, "pid": os.getpid(), **more}))
        try:
            yield
        finally:
            port_file.unlink(missing_ok=True)


@contextmanager
def open_front(server: ServerSection, port: int, *, has_keys: bool) -> Iterator[Front]:
    """Listen on the settings' address, once that is found to be safe.

    Raises:
        BindRefused: the address would expose us, is not ours, or somebody listens there.
        TlsRefused: the certificate cannot be used.
    """
    check_bind(server, has_keys=has_keys)
    context = tls_context(server)
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    # The protocol is named because asyncio switches Nagle off only where it is: without, small answers wait 40 ms for an acknowledgement.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        if os.name == "posix":
            # Elsewhere this option would let two servers share one port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((server.host.strip("[]"), port))
        except OSError as error:
            why = why_not_listening(error, server.host, port, where_taken=_WHERE_TAKEN, where_not_ours=_WHERE_NOT_OURS)
            raise BindRefused(why) from error
        listener.listen(BACKLOG)
        yield Front(listener, context, server.max_header_kib)
