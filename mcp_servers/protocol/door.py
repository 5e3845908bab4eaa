"""Who may talk to a server over HTTP: programs that know its token, and no web page that was not allowed by name.

Loopback keeps other machines out, but every page in the person's browser can reach loopback too: by a request to it, which carries
an Origin, or by a name that it points there, which it carries as Host. Both are refused before the token is looked at.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from http import HTTPStatus

import anyio
from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_servers.protocol.bind import Bind, is_called_rightly, is_from_nobodys_page

PATH = "/mcp"
INVALID_REQUEST = -32600
"""JSON-RPC's number for a request that is none; a client of the protocol shows the sentence beside it."""


class Door:
    """Wraps the server's routes; lets through only what comes from a client of the person's own."""

    def __init__(self, app: ASGIApp, *, token: SecretStr, bind: Bind) -> None:
        self._app = app
        self._token = token.get_secret_value().encode()
        self._bind = bind
        self._streams: set[anyio.CancelScope] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            refusal = self._refusal(scope)
            await (refusal or self._let_in)(scope, receive, send)

    def end_streams(self) -> None:
        """End what would stay open for good: the streams on which clients listen."""
        for stream in tuple(self._streams):
            stream.cancel()

    def _refusal(self, scope: Scope) -> Response | None:
        """Why a request goes no further.

        1. Its Host must be one of this server's names, and said once.
        2. A page may only be one that was allowed.
        3. There is one path.
        4. The token must be right.
        """
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        # 1.
        if len(hosts) != 1 or not is_called_rightly(hosts[0], self._bind):
            return _refused(HTTPStatus.MISDIRECTED_REQUEST, "This server is not called that. --name allows another name of this machine.")
        # 2.
        if not is_from_nobodys_page(headers.get("origin"), hosts[0], self._bind):
            return _refused(HTTPStatus.FORBIDDEN, "Pages of this origin may not use this server. --allow-origin allows one.")
        # 3.
        if scope["path"] != PATH:
            return _refused(HTTPStatus.NOT_FOUND, f"There is nothing here. Ask at {PATH}, where the tools are.")
        # 4.
        scheme, _, said = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(said.strip().encode("utf-8", "surrogateescape"), self._token):
            sentence = "The server's token is needed: Authorization: Bearer TOKEN. At its start it says where the token is kept."
            return _refused(HTTPStatus.UNAUTHORIZED, sentence, {"WWW-Authenticate": "Bearer"})
        return None

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        progress = _Progress(send)
        with self._ended_with_us() if scope["method"] == "GET" else nullcontext():
            await self._app(scope, receive, progress.send)
        if progress.is_open:
            # A stream that is broken off at the end of the server still has an end.
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    @contextmanager
    def _ended_with_us(self) -> Iterator[None]:
        with anyio.CancelScope() as stream:
            self._streams.add(stream)
            try:
                yield
            finally:
                self._streams.discard(stream)


@dataclass
class _Progress:
    """How far an answer has got."""

    to: Send
    is_open: bool = False
    """Begun, and not ended."""

    async def send(self, message: Message) -> None:
        await self.to(message)
        self.is_open = message["type"] == "http.response.start" or bool(message.get("more_body"))


def _refused(status: HTTPStatus, sentence: str, headers: dict[str, str] | None = None) -> Response:
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": INVALID_REQUEST, "message": sentence}}
    return JSONResponse(body, status, headers)
