"""Who may talk to the service: programs of this user that have read the token, and never a web page.

Loopback keeps other machines out, but every page in the person's browser can reach loopback too: by a cross-site request (it carries an
Origin) or by a name that it points at 127.0.0.1 (it carries that name as Host). Both are refused before the token is even looked at.
"""

from __future__ import annotations

import hmac

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.service.wire import Fault, FaultBody

MAX_BODY_BYTES = 1 << 20
"""A message that a person pastes; anything larger is a mistake."""


def fault(status: int, code: str, message: str) -> Response:
    """The answer that says what went wrong."""
    return JSONResponse(FaultBody(error=Fault(code=code, message=message)).model_dump(), status)


class Guard:
    """Wraps the routes; lets through only what comes from a front-end."""

    def __init__(self, app: ASGIApp, *, token: str, port: int) -> None:
        self._app = app
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
            return fault(403, "origin_refused", "Web pages cannot use the agent service.")
        if request.headers.get("host") not in self._hosts:
            return fault(403, "host_refused", "The agent service answers on its loopback address only.")
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), self._bearer):
            return fault(401, "invalid_token", "The token is in service.json in the home's run folder.")
        if not request.headers.get("content-length", "0").isdigit() or int(request.headers.get("content-length", "0")) > MAX_BODY_BYTES:
            return fault(413, "too_large", f"A request may have {MAX_BODY_BYTES} bytes.")
        if "transfer-encoding" in request.headers:
            return fault(411, "length_required", "Say how long the body is.")
        return None
