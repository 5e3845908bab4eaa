"""The way in for programs that are no front-ends of ours: the same service at a port that stays, with a token of its own.

That token opens the gateway and nothing else: whoever holds it cannot read sessions, and above all cannot answer approvals.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import dataclass

from pydantic import SecretStr
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.errors import AgentError
from agent.service.guard import Guard
from agent.service.presence import Leaving, Presence
from agent.service.readiness import NotReady, Readiness
from inference.contract.failures import ErrorDetail, ErrorEnvelope

MAX_BODY_BYTES = 64 << 20
"""A long conversation with some pictures in it; the engine has a bound of its own."""
PREFIX = "/v1/"
_TYPES = {401: "authentication_error", 403: "permission_error", 503: "unavailable_error"}


@dataclass
class Door:
    """What the service is told of it."""

    port: int | None = None
    """Where it is, beside the service's own; None for nowhere else."""
    token: SecretStr | None = None
    """Who shows it may come in at that port."""
    app: ASGIApp | None = None
    """What is behind it, once the service is ready."""


def refuse(status: int, code: str, message: str) -> Response:
    """A refusal in the form that OpenAI's clients know."""
    if code == "invalid_token":
        message = "A token is needed: `variet gateway --token` prints it."
    error = ErrorDetail(message=message, type=_TYPES.get(status, "invalid_request_error"), code=code)
    return Response(ErrorEnvelope(error=error).model_dump_json(), status, media_type="application/json")


class Doorway:
    """One service's requests: to the front-ends' routes, or to what is behind the door, each with the token for it."""

    def __init__(self, front: ASGIApp, *, door: Door, token: str, port: int, presence: Presence, readiness: Readiness) -> None:
        """See the class.

        Args:
            front: the front-ends' routes, guarded.
            door: what is told of the other way in.
            token: the front-ends' own, which opens the gateway at their port too.
            port: the front-ends'.
            presence: who is attached.
            readiness: how far the start has come.
        """
        self._front = front
        self._door = door
        self._presence = presence
        self._readiness = readiness
        self._here = self._guarded(token, port)
        self._own: Guard | None = None
        self._own_port: int | None = None

    def listen(self, held: ExitStack) -> list[socket.socket]:
        """Open the door's own port, if it has one.

        Raises:
            AgentError: the port is taken.
        """
        if self._door.port is None or self._door.token is None:
            return []
        try:
            listener = held.enter_context(socket.create_server(("127.0.0.1", self._door.port)))
        except OSError as error:
            raise AgentError(f"The gateway cannot listen at port {self._door.port}: {error.strerror}.") from error
        port: int = listener.getsockname()[1]
        self._own_port, self._own = port, self._guarded(self._door.token.get_secret_value(), port)
        return [listener]

    @property
    def url(self) -> str | None:
        """What other programs take as their base, where the door has a port of its own."""
        return f"http://127.0.0.1:{self._own_port}/v1" if self._own_port else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        server = scope.get("server")
        if self._own is not None and server is not None and server[1] == self._own_port:
            await self._own(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await self._here(scope, receive, send)
        else:
            await self._front(scope, receive, send)

    def _guarded(self, token: str, port: int) -> Guard:
        return Guard(self._enter, token=token, port=port, max_body_bytes=MAX_BODY_BYTES, refuse=refuse)

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Whoever is inside counts as attached: the service does not leave in the middle of an answer."""
        try:
            with self._presence.attached():
                await self._readiness.wait_ready()
                if self._door.app is None:
                    raise NotReady("The agent service has no gateway.")
                await self._door.app(scope, receive, send)
        except Leaving:
            await refuse(503, "engine_stopping", "The agent service is leaving. Ask again.")(scope, receive, send)
        except NotReady as error:
            await refuse(503, "not_ready", str(error))(scope, receive, send)
