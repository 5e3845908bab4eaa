"""The facade over HTTP: the same methods as the runtime, for whoever is attached to the service.

It keeps no state but the connection. When the service goes, every method raises `ServiceGone`: attach again and go on from the last event
that was seen.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from urllib.parse import urlencode

import anyio
import httpx2
from httpx2 import ServerSentEvent
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from agent.errors import AgentError
from agent.event_parts import Beside
from agent.events import TURN_ENDS, AnyEvent, ApprovalNeeded, Event, ToolClass
from agent.held_events import HeldCall
from agent.route_parts import NO_WISH, RouteWish
from agent.routes.report import DECISIONS, ExplainRequest, Explanation, RoutesReport
from agent.service.address import Address
from agent.service.faults import ServiceError, ServiceGone, error_for
from agent.service.wire import (
    KEEP_ALIVE_S,
    READY_WAIT_S,
    ApprovalReply,
    CancelRequest,
    Fault,
    FaultBody,
    ForkRequest,
    FoundRow,
    Notice,
    ServiceHealth,
    SessionOpened,
    SessionRequest,
    SessionRow,
    ShutdownRequest,
    TakeBackRequest,
    TurnAccepted,
    TurnRequest,
)
from agent.sessions.compacting import Compacted
from agent.sessions.exporting import Form
from agent.tools.report import ToolsReport
from agent.whole_text import whole

CONNECT_BOUND_S = 5.0
"""Loopback connects at once or not at all; the rest is for a machine that is swapping."""
ANSWER_BOUND_S = READY_WAIT_S + 10.0
"""A request may find the service still getting ready, which has its own bound."""
CANCEL_BOUND_S = 5.0
"""Telling the service that a turn is not wanted any more; it does the rest alone."""
SUMMARY_BOUND_S = 3600.0
"""The service bounds a summary by a turn's time, which the settings name; this is for a service that is stuck."""
SILENCE_BOUND_S = 4 * KEEP_ALIVE_S
"""A stream without even a sign of life for this long belongs to a service that is stuck."""
log = logging.getLogger(__name__)
_STREAM = httpx2.Timeout(ANSWER_BOUND_S, connect=CONNECT_BOUND_S, read=max(SILENCE_BOUND_S, ANSWER_BOUND_S))
NOT_ITS_OWN = "The agent service answered with something that is not its own."
_WHEN_USED = ConfigDict(defer_build=True)
_APPROVALS = TypeAdapter(list[ApprovalNeeded], config=_WHEN_USED)
_HOLDS = TypeAdapter(list[HeldCall], config=_WHEN_USED)
_SESSIONS = TypeAdapter(list[SessionRow], config=_WHEN_USED)
_FOUND = TypeAdapter(list[FoundRow], config=_WHEN_USED)


def new_http_client(address: Address) -> httpx2.AsyncClient:
    """A client of one service. Plain HTTP on loopback: no proxy applies, and building the TLS roots would cost 150 ms."""
    return httpx2.AsyncClient(
        base_url=address.url, headers={"authorization": f"Bearer {address.token}"}, trust_env=False, verify=False,
        timeout=httpx2.Timeout(ANSWER_BOUND_S, connect=CONNECT_BOUND_S),
    )  # fmt: skip


class ServiceClient:
    """A service that we are attached to."""

    def __init__(self, http: httpx2.AsyncClient, address: Address) -> None:
        self._http = http
        self.address = address
        self.gone = anyio.Event()
        """Set when the service has gone or is going."""

    async def close(self) -> None:
        """Let go of the connection."""
        await self._http.aclose()

    async def health(self) -> ServiceHealth:
        """How it is."""
        return ServiceHealth.model_validate_json(await self._call("GET", "/health"))

    async def open_session(self, *, resume: str | None = None, title: str = "") -> str:
        """See `Facade.open_session`."""
        answer = await self._call("POST", "/sessions", SessionRequest(resume=resume, title=title), subject=resume or "")
        return SessionOpened.model_validate_json(answer).session

    async def send(  # noqa: PLR0913 - what a person may choose of a turn
        self, session: str, text: str, *, who: str, tier: str | None = None,
        grants: frozenset[ToolClass] = frozenset(), interactive: bool = True, attached: Sequence[Beside] = (),
        wish: RouteWish = NO_WISH,
    ) -> str:  # fmt: skip
        """See `Facade.send`. Whoever is cancelled meanwhile has it end, begun or not.

        Raises:
            SendCancelled: somebody ended it before it began.
        """
        request = TurnRequest(text=text, who=who, tier=tier, grants=grants, interactive=interactive, attached=tuple(attached), wish=wish)
        try:
            answer = await self._call("POST", f"/sessions/{session}/turns", request, subject=session)
        except anyio.get_cancelled_exc_class():
            # The service would take it all the same: a turn that nobody follows, with all that was granted it.
            with anyio.move_on_after(CANCEL_BOUND_S, shield=True), suppress(AgentError):
                await self.cancel(session, who=who)
            raise
        return TurnAccepted.model_validate_json(answer).turn

    async def events(self, session: str, *, after: int = 0) -> AsyncGenerator[Event]:
        """See `Facade.events`. A live event has `seq` 0: resume after the last one that had a place."""
        async with self.listening(session, after=after) as events:
            async for event in events:
                yield event

    @asynccontextmanager
    async def listening(self, session: str, *, after: int = 0) -> AsyncGenerator[AsyncGenerator[Event]]:
        """The same, but listening has begun when the block is entered: a turn that is begun inside it loses no live text."""
        async with self._open_stream(f"/sessions/{session}/events", {"after": str(after)}, subject=session) as frames:
            events = _parsed(frames)
            async with aclosing(events):
                yield events

    async def approve(self, approval: str, *, digest: str, granted: bool, who: str, typed: Mapping[str, str] | None = None) -> None:
        """See `Facade.approve`."""
        body = ApprovalReply(digest=digest, granted=granted, who=who, typed=dict(typed or {}))
        await self._call("POST", f"/approvals/{approval}", body, subject=approval)

    async def cancel(self, session: str, *, who: str) -> None:
        """See `Facade.cancel`."""
        await self._call("POST", f"/sessions/{session}/cancel", CancelRequest(who=who), subject=session)

    async def compact(self, session: str) -> Compacted:
        """See `Facade.compact`."""
        answer = await self._call("POST", f"/sessions/{session}/compact", subject=session, timeout_s=SUMMARY_BOUND_S)
        return Compacted.model_validate_json(answer)

    async def approvals(self) -> list[ApprovalNeeded]:
        """What waits for a person."""
        return _APPROVALS.validate_json(await self._call("GET", "/approvals"))

    async def holds(self) -> list[HeldCall]:
        """What goes out in a moment, the next to go out first."""
        return _HOLDS.validate_json(await self._call("GET", "/holds"))

    async def take_back(self, hold: str, *, who: str) -> None:
        """See `Holds.take_back` of the facade."""
        await self._call("POST", f"/holds/{hold}/take-back", TakeBackRequest(who=who), subject=hold)

    async def sessions(self) -> list[SessionRow]:
        """The conversations."""
        return _SESSIONS.validate_json(await self._call("GET", "/sessions"))

    async def search_sessions(self, text: str) -> list[FoundRow]:
        """Turns in which all words of a text were said, the best first."""
        return _FOUND.validate_json(await self._call("GET", f"/sessions/search?{urlencode({'text': whole(text)})}"))

    async def fork(self, session: str, *, until: str | None = None) -> str:
        """Copy a conversation up to a turn; the copy's id."""
        answer = await self._call("POST", f"/sessions/{session}/fork", ForkRequest(until=until), subject=session)
        return SessionOpened.model_validate_json(answer).session

    async def export(self, session: str, form: Form) -> str:
        """A conversation as a text."""
        return (await self._call("GET", f"/sessions/{session}/export?form={form}", subject=session)).decode()

    async def stored(self, session: str) -> list[Event]:
        """The events of a conversation, as they are stored."""
        # Not `splitlines`: a text may hold characters that it takes for line ends and JSON does not.
        lines = (await self.export(session, "jsonl")).split("\n")
        return [event for line in lines if line and (event := _event_of(line)) is not None]

    async def delete(self, session: str) -> None:
        """Throw a conversation away."""
        await self._call("DELETE", f"/sessions/{session}", subject=session)

    async def tools(self) -> ToolsReport:
        """What can be called, and which tool servers are not there."""
        return ToolsReport.model_validate_json(await self._call("GET", "/tools"))

    async def routes(self, limit: int = DECISIONS) -> RoutesReport:
        """Nodes, and the last decisions with what came of them."""
        return RoutesReport.model_validate_json(await self._call("GET", f"/routes?limit={limit}"))

    async def explain(self, asked: ExplainRequest) -> Explanation:
        """Which place would answer a text now."""
        return Explanation.model_validate_json(await self._call("POST", "/routes/explain", asked, subject=asked.session or ""))

    async def shut_down(self, *, only_if_unneeded: bool = False, only_if_idle: bool = False) -> None:
        """Tell it to leave."""
        await self._call("POST", "/shutdown", ShutdownRequest(only_if_unneeded=only_if_unneeded, only_if_idle=only_if_idle))

    async def notices(self) -> AsyncGenerator[Notice]:
        """What the service says about itself; while this is open, it counts us as attached."""
        async with self._open_stream("/attached", {}, subject="") as frames:
            async for frame in frames:
                yield Notice.model_validate_json(frame.data)

    async def _call(
        self, method: str, path: str, body: BaseModel | None = None, *, subject: str = "", timeout_s: float = ANSWER_BOUND_S
    ) -> bytes:
        content = body.model_dump_json() if body is not None else None
        try:
            answer = await self._http.request(
                method, whole(path), content=content, timeout=httpx2.Timeout(timeout_s, connect=CONNECT_BOUND_S)
            )
        except httpx2.TransportError as error:
            raise ServiceGone from error
        if answer.is_success:
            return answer.content
        raise _failure(answer.content, subject)

    @asynccontextmanager
    async def _open_stream(self, path: str, query: dict[str, str], *, subject: str) -> AsyncGenerator[AsyncGenerator[ServerSentEvent]]:
        try:
            async with self._http.stream("GET", whole(path), params=query, timeout=_STREAM) as answer:
                if not answer.is_success:
                    raise _failure(await answer.aread(), subject)
                async with aclosing(_frames(answer, subject)) as frames:
                    yield frames
        except httpx2.SSEError as error:
            # It is there: attaching again would bring the same.
            raise ServiceError(NOT_ITS_OWN) from error
        except httpx2.TransportError as error:
            raise ServiceGone from error


async def _frames(answer: httpx2.Response, subject: str) -> AsyncGenerator[ServerSentEvent]:
    # Unbounded: a result of a million characters is legal, and stands in its event twice, escaped. The service is our own.
    async for frame in httpx2.EventSource(answer, max_event_size=None):
        if frame.event == "fault":
            raise error_for(Fault.model_validate_json(frame.data), subject)
        yield frame
    raise ServiceGone


async def _parsed(frames: AsyncGenerator[ServerSentEvent]) -> AsyncGenerator[Event]:
    async for frame in frames:
        event = _event_of(frame.data)
        if event is not None:
            yield event
        elif any(f'"type":"{end}"' in frame.data for end in TURN_ENDS):
            # Whoever follows the turn would wait for its end in vain.
            raise ServiceError(NOT_ITS_OWN)


def _event_of(line: str) -> Event | None:
    """None, noted in the log, for one that cannot be read: what comes after it can be shown all the same."""
    try:
        return AnyEvent.validate_json(line)
    except ValidationError as error:
        log.warning("an event cannot be read: %s", error)
        return None


def _failure(content: bytes, subject: str) -> AgentError:
    try:
        return error_for(FaultBody.model_validate_json(content).error, subject)
    except ValidationError:
        return ServiceError(NOT_ITS_OWN)
