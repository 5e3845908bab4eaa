"""The ways in for programs that are no front-ends of ours: the same service at ports that stay, each with a token of its own.

The gateway's token opens the gateway and nothing else: whoever holds it cannot read sessions, and above all cannot answer approvals.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from pydantic import SecretStr
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.errors import AgentError
from agent.service.guard import Guard, Refuse
from agent.service.presence import Leaving, Presence
from agent.service.readiness import NotReady, Readiness
from inference.contract.failures import ErrorDetail, ErrorEnvelope

MAX_BODY_BYTES = 64 << 20
"""A long conversation with some pictures in it; the engine has a bound of its own."""
PREFIX = "/v1/"
_TYPES = {401: "authentication_error", 403: "permission_error", 503: "unavailable_error"}


def refuse(status: int, code: str, message: str) -> Response:
    """A refusal in the form that OpenAI's clients know."""
    if code == "invalid_token":
        message = "A token is needed: `variet gateway --token` prints it."
    error = ErrorDetail(message=message, type=_TYPES.get(status, "invalid_request_error"), code=code)
    return Response(ErrorEnvelope(error=error).model_dump_json(), status, media_type="application/json")


@dataclass(eq=False)
class Door:
    """What the service is told of one way in; as it stands, the gateway's."""

    port: int | None = None
    """Where it is, beside the service's own; None for nowhere else."""
    token: SecretStr | None = None
    """Who shows it may come in at that port."""
    app: ASGIApp | None = None
    """What is behind it, once the service is ready."""
    name: str = "gateway"
    """In sentences."""
    path: str = "/v1"
    """What belongs to its address after the port."""
    refuse: Refuse = refuse
    """How those behind it say no."""
    max_body_bytes: int = MAX_BODY_BYTES


class Doorway:
    """One service's requests: to the front-ends' routes, or to what is behind a door, each with the token for it."""

    def __init__(
        self, front: ASGIApp, *, door: Door, others: Sequence[Door], token: str, port: int, presence: Presence, readiness: Readiness
    ) -> None:
        """See the class.

        Args:
            front: the front-ends' routes, guarded.
            door: the gateway's, which is at the front-ends' port too.
            others: doors that have only ports of their own.
            token: the front-ends' own, which opens the gateway at their port too.
            port: the front-ends'.
            presence: who is attached.
            readiness: how far the start has come.
        """
        self._front = front
        self._doors = (door, *others)
        self._presence = presence
        self._readiness = readiness
        self._here = self._guarded(door, token, port)
        self._own: dict[int, Guard] = {}
        self._ports: dict[Door, int] = {}

    def listen(self, held: ExitStack) -> list[socket.socket]:
        """Open the doors' own ports, where they have some.

        Raises:
            AgentError: a port is taken.
        """
        return [self._open(held, door, door.port, door.token) for door in self._doors if door.port is not None and door.token is not None]

    def url(self, door: Door) -> str | None:
        """What other programs take as their address, where the door has a port of its own."""
        port = self._ports.get(door)
        return None if port is None else f"http://127.0.0.1:{port}{door.path}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        server = scope.get("server")
        own = self._own.get(server[1]) if server is not None else None
        if own is not None:
            await own(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await self._here(scope, receive, send)
        else:
            await self._front(scope, receive, send)

    def _open(self, held: ExitStack, door: Door, wanted: int, token: SecretStr) -> socket.socket:
        try:
            listener = held.enter_context(socket.create_server(("127.0.0.1", wanted)))
        except OSError as error:
            raise AgentError(f"The {door.name} cannot listen at port {wanted}: {error.strerror}.") from error
        port: int = listener.getsockname()[1]
        self._ports[door], self._own[port] = port, self._guarded(door, token.get_secret_value(), port)
        return listener

    def _guarded(self, door: Door, token: str, port: int) -> Guard:
        inside = _Inside(door, self._presence, self._readiness)
        return Guard(inside, token=token, port=port, max_body_bytes=door.max_body_bytes, refuse=door.refuse)


@dataclass(frozen=True)
class _Inside:
    """What is behind a door, for those whom the guard let in."""

    door: Door
    presence: Presence
    readiness: Readiness

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Whoever is inside counts as attached: the service does not leave in the middle of an answer."""
        try:
            with self.presence.attached():
                await self.readiness.wait_ready()
                if self.door.app is None:
                    raise NotReady(f"The agent service has no {self.door.name}.")
                await self.door.app(scope, receive, send)
        except Leaving:
            await self.door.refuse(503, "engine_stopping", "The agent service is leaving. Ask again.")(scope, receive, send)
        except NotReady as error:
            await self.door.refuse(503, "not_ready", str(error))(scope, receive, send)
