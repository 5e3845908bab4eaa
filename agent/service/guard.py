"""Who may talk to the service: programs of this user that have read the token, and never a web page.

Loopback keeps other machines out, but every page in the person's browser can reach loopback too: by a cross-site request (it carries an
Origin) or by a name that it points at 127.0.0.1 (it carries that name as Host). Both are refused before the token is even looked at.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping

import anyio
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.service.wire import Fault, FaultBody

MAX_BODY_BYTES = 28 << 20
"""A message with as many pictures as may stand beside one; anything larger is a mistake."""
BODY_BOUND_S = 60.0
"""A body in chunks comes within this: whoever sends one has all of it, and is on this machine."""


def fault(status: int, code: str, message: str) -> Response:
    """The answer that says what went wrong."""
    return JSONResponse(FaultBody(error=Fault(code=code, message=message)).model_dump(), status)


Refuse = Callable[[int, str, str], Response]


class Guard:
    """Wraps the routes; lets through only what comes from a front-end."""

    def __init__(self, app: ASGIApp, *, token: str, port: int, max_body_bytes: int = MAX_BODY_BYTES, refuse: Refuse = fault) -> None:
        """Guard some routes.

        Args:
            app: the routes.
            token: who shows it may use them.
            port: that they are reached at.
            max_body_bytes: of one request.
            refuse: makes the answer to whoever may not, from a status, a code and a sentence.
        """
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._refuse = refuse
        self._token = token.encode()
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        request = HTTPConnection(scope)
        refusal = self._refusal(request)
        if refusal is None and "transfer-encoding" in request.headers:
            try:
                receive = await _read_ahead(receive, self._max_body_bytes)
            except _TooLarge:
                refusal = self._too_large()
            except TimeoutError:
                refusal = self._refuse(408, "too_slow", f"A body in chunks is waited for {BODY_BOUND_S:.0f} seconds.")
            except _Gone:
                return
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, request: HTTPConnection) -> Response | None:
        if "origin" in request.headers:
            return self._refuse(403, "origin_refused", "Web pages cannot use the agent service.")
        if request.headers.get("host") not in self._hosts:
            return self._refuse(403, "host_refused", "The agent service answers on its loopback address only.")
        if not hmac.compare_digest(_token_of(request.headers).encode(), self._token):
            return self._refuse(401, "invalid_token", "The token is in service.json in the home's run folder.")
        length = request.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._max_body_bytes:
            return self._too_large()
        return None

    def _too_large(self) -> Response:
        return self._refuse(413, "too_large", f"A request may have {self._max_body_bytes} bytes.")


class _TooLarge(Exception):
    """The body goes on beyond the bound."""


class _Gone(Exception):
    """The client left before it had said all."""


def _token_of(headers: Mapping[str, str]) -> str:
    """The token that is shown: as a bearer's or, as clients of Anthropic's protocol do it, under a name of its own."""
    said = headers.get("authorization")
    if said is None:
        return headers.get("x-api-key", "")
    scheme, _, token = said.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def _read_ahead(receive: Receive, max_bytes: int) -> Receive:
    """Read a body whose length was not said, so that it can still be refused: the routes begin to answer as they like.

    Returns:
        What gives the whole body, and then whatever else comes from the client.

    Raises:
        _TooLarge: it has more than `max_bytes`; the rest is not read.
        _Gone: it will never be there whole.
        TimeoutError: it takes too long.
    """
    body = bytearray()
    has_more = True
    with anyio.fail_after(BODY_BOUND_S):
        while has_more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            body += message.get("body", b"")
            if len(body) > max_bytes:
                raise _TooLarge
            has_more = message.get("more_body", False)
    whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def read() -> Message:
        return whole.pop() if whole else await receive()

    return read
