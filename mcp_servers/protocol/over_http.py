"""Serves a tool server over streamable HTTP, behind a token, until it is told to end.

Imported only where HTTP was asked for: what it needs would lengthen every other start.
"""

from __future__ import annotations

import os
import secrets
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from pydantic import SecretStr
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from config.credentials import CredentialError, read_secret, secret_file, write_secret
from config.network.certificate import shown_as_it_is
from config.network.no_listening import why_not_listening
from config.network.resting import RestingServer
from config.paths import Home
from mcp_servers.protocol.bind import Bind, BindRefused, check_bind
from mcp_servers.protocol.door import PATH, Door
from mcp_servers.protocol.idling import Bounded
from mcp_servers.protocol.mcp_library import Server, TransportSecuritySettings

MAX_BODY_BYTES = 1 << 20
"""A call with the longest texts that a tool takes fits many times."""
MAX_SESSIONS = 64
"""Of clients of the older revisions; newer ones have none."""
SESSION_IDLE_S = 1800.0
"""A client that was away for longer begins a new session by itself."""
MAX_CONNECTIONS = 128
"""Each session may have a stream and some calls."""
MAX_HEAD_BYTES = 32 * 1024
BACKLOG = 64
LAST_ANSWERS_BOUND_S = 5
"""At the end, for calls that are on their way."""
MIN_TOKEN_CHARS = 20
"""Of a token that the person chose: a shorter one can be tried out."""
_OTHERS_MAY = 0o077


def serve_http(server: Server[Any], name: str, bind: Bind) -> None:
    """Serve until SIGINT, SIGTERM or the terminal's end.

    Raises:
        BindRefused: the place, the token or the certificate cannot be used; the text says why.
    """
    check_bind(bind)
    context = tls_context(bind)
    with listening(bind) as listener:
        token, kept = _token(name, Home.find())
        host, port = listener.getsockname()[:2]
        scheme = "http" if context is None else "https"
        place = f"[{host}]" if ":" in host else host
        sys.stderr.write(f"{name} listens on {scheme}://{place}:{port}{PATH}; its token is in {kept}\n")
        sys.stderr.flush()
        anyio.run(http_server(server, bind, token, context).serve, [listener])


def http_server(server: Server[Any], bind: Bind, token: SecretStr, context: ssl.SSLContext | None = None) -> HttpServer:
    """The server behind its door, not yet listening."""
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        max_request_body_size=MAX_BODY_BYTES,
        session_idle_timeout=SESSION_IDLE_S,
        max_sessions=MAX_SESSIONS,
        # The door looks at both, and knows more names.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    door = Door(app, token=token, bind=bind)
    return HttpServer(door, _open_to(door, bind.origins), context)


def _open_to(door: Door, origins: tuple[str, ...]) -> ASGIApp:
    """The door with the headers that a browser wants before it lets a page of these origins through."""
    if not origins:
        return door
    exposed = ("Mcp-Session-Id", "WWW-Authenticate")
    return CORSMiddleware(
        door, allow_origins=origins, allow_methods=("GET", "POST", "DELETE"), allow_headers=("*",), expose_headers=exposed
    )  # fmt: skip


class HttpServer(RestingServer):
    """Signals end it in an orderly way and leave exit code 0: streams at once, calls when they are done."""

    def __init__(self, door: Door, app: ASGIApp, context: ssl.SSLContext | None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                # Nobody in front of us is trusted to say who a client is.
                proxy_headers=False,
                ws="none",
                http=Bounded,
                loop="none",
                limit_concurrency=MAX_CONNECTIONS,
                timeout_graceful_shutdown=LAST_ANSWERS_BOUND_S,
                h11_max_incomplete_event_size=MAX_HEAD_BYTES,
                ssl_context_factory=None if context is None else lambda _config, _default: context,
            )
        )
        self._door = door

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._door.end_streams()
        await super().shutdown(sockets)


@contextmanager
def listening(bind: Bind) -> Iterator[socket.socket]:
    """A socket that listens there."""
    family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
    # The protocol is named because asyncio switches Nagle off only where it is: without, small answers wait for an acknowledgement.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        if os.name == "posix":
            # Elsewhere this option would let two servers share one port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((bind.host, bind.port))
        except OSError as error:
            taken, not_ours = "Is another one running there? End it, or give another port.", "Give one that it has."
            raise BindRefused(why_not_listening(error, bind.host, bind.port, where_taken=taken, where_not_ours=not_ours)) from error
        listener.listen(BACKLOG)
        yield listener


def _token(name: str, home: Home) -> tuple[SecretStr, str]:
    """The server's token and where it is kept; made at the first start."""
    secret = f"mcp_{name}_token"
    variable = f"VARIET_{secret.upper()}"
    try:
        token = read_secret(secret, home=home)
        if token is None:
            home.prepare()
            write_secret(secret, SecretStr(secrets.token_urlsafe(32)), home=home)
            # Two servers that start at once keep the same one.
            token = read_secret(secret, home=home)
    except (CredentialError, OSError) as error:
        raise BindRefused(f"The token of {name} cannot be kept: {error}") from error
    kept = variable if os.environ.get(variable) else str(secret_file(secret, home=home))
    value = token.get_secret_value() if token else ""
    if token is None or len(value) < MIN_TOKEN_CHARS or not value.isascii() or not value.isprintable() or " " in value:
        needed = f"{MIN_TOKEN_CHARS} letters, digits or signs, without blanks"
        raise BindRefused(f"The token in {kept} cannot be used: it needs {needed}. Set another one.")
    return token, kept


def tls_context(bind: Bind) -> ssl.SSLContext | None:
    """What to serve https with; None where no certificate was named. One that is renewed in its place is shown from then on.

    Raises:
        BindRefused: certificate or key cannot be used.
    """
    if bind.tls_cert is None or bind.tls_key is None:
        return None
    cert, key = bind.tls_cert, bind.tls_key
    return shown_as_it_is(cert, key, lambda: _read(cert, key))


def _read(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        if os.name == "posix" and key.stat().st_mode & _OTHERS_MAY:
            raise BindRefused(f"{key} can be read or changed by others. Do: chmod 600 {key}")
        context.load_cert_chain(cert, key, password=lambda: _refuse_encrypted(key))
    except ssl.SSLError as error:
        why = "the key does not belong to the certificate" if error.reason == "KEY_VALUES_MISMATCH" else error.reason or str(error)
        raise BindRefused(f"{cert} and {key} cannot be used: {why}. Both must be PEM files.") from error
    except OSError as error:
        raise BindRefused(f"{error.filename or cert} cannot be read: {error.strerror}. Name a file that can.") from error
    return context


def _refuse_encrypted(key: Path) -> str:
    raise BindRefused(f"{key} is encrypted, and nobody is there to type its password. Store it without one.")
