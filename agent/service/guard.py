"""Who may talk to the service: programs of this user that have read the token, and never a web page.

Loopback keeps other machines out, but every page in the person's browser can reach loopback too: by a cross-site request (it carries an
Origin) or by a name that it points at 127.0.0.1 (it carries that name as Host). Both are refused before the token is even looked at.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.service.wire import Fault, FaultBody

MAX_BODY_BYTES = 28 << 20
"""A message with as many pictures as may stand beside one; anything larger is a mistake."""


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
        self._bearer = f"Bearer {token}".encode()
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        refusal = self._refusal(HTTPConnection(scope))
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, request: HTTPConnection) -> Response | None:
        if "origin" in request.headers:
            return self._refuse(403, "origin_refused", "Web pages cannot use the agent service.")
        if request.headers.get("host") not in self._hosts:
            return self._refuse(403, "host_refused", "The agent service answers on its loopback address only.")
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), self._bearer):
            return self._refuse(401, "invalid_token", "The token is in service.json in the home's run folder.")
        length = request.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._max_body_bytes:
            return self._refuse(413, "too_large", f"A request may have {self._max_body_bytes} bytes.")
        if "transfer-encoding" in request.headers:
            return self._refuse(411, "length_required", "Say how long the body is.")
        return None
