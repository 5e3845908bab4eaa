"""The facade over HTTP: one route per method, events as server-sent events.

A route validates, calls one method and answers; what a turn may do is decided behind it. Every failure is `{"error": {"code", "message"}}`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TypeVar

import anyio
import anyio.to_thread
from pydantic import BaseModel, ValidationError
from pydantic_core import to_jsonable_python
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from agent.errors import AgentError, NotWritable
from agent.events import Event
from agent.facade import Facade
from agent.routes.report import DECISIONS, ExplainRequest
from agent.service.address import own_version
from agent.service.arriving import Arrivals
from agent.service.faults import answer_for
from agent.service.guard import fault
from agent.service.presence import Leaving, Presence
from agent.service.readiness import NotReady, Readiness
from agent.service.stream import EventStream, event_frame, fault_frame, notice_frame
from agent.service.wire import (
    NEEDED,
    ApprovalReply,
    CancelRequest,
    ForkRequest,
    Notice,
    ServiceHealth,
    SessionOpened,
    SessionRequest,
    ShutdownRequest,
    TakeBackRequest,
    TurnAccepted,
    TurnRequest,
)
from agent.sessions.exporting import FORMS
from config.disk.unwritable import why_unwritable

MOST_DIGITS = 15
"""Of a number in an address: a longer one is none that the log could have."""
Body = TypeVar("Body", bound=BaseModel)
log = logging.getLogger(__name__)


class Desk:
    """What the routes work with: the runtime once it is there, who is attached, how far the start has come."""

    def __init__(self, presence: Presence, readiness: Readiness, ensure_engine: Callable[[], Awaitable[None]]) -> None:
        self.presence = presence
        self.readiness = readiness
        self.ensure_engine = ensure_engine
        self.runtime: Facade | None = None
        self._arrivals = Arrivals()

    async def facade(self) -> Facade:
        """The runtime, waiting until it is there.

        Raises:
            NotReady: it will not be.
        """
        await self.readiness.wait_ready()
        if self.runtime is None:
            raise NotReady("The agent service is leaving.")
        return self.runtime

    async def _facade_with_engine(self) -> Facade:
        facade = await self.facade()
        await self.ensure_engine()
        return facade

    async def health(self, _: Request) -> Response:
        status = {"status": "starting", "ready": "ok"}.get(self.readiness.latest.kind, self.readiness.latest.kind)
        return JSONResponse(ServiceHealth.model_validate({"status": status, "version": own_version(), "pid": os.getpid()}).model_dump())

    async def list_sessions(self, _: Request) -> Response:
        # In a thread, as below: it waits for the disk, and for a turn that is being written.
        rows = await anyio.to_thread.run_sync((await self.facade()).sessions)
        return JSONResponse(to_jsonable_python(rows))

    async def open_session(self, request: Request) -> Response:
        asked = await _body(request, SessionRequest)
        session = await (await self.facade()).open_session(resume=asked.resume, title=asked.title)
        return JSONResponse(SessionOpened(session=session).model_dump())

    async def search_sessions(self, request: Request) -> Response:
        found = await (await self.facade()).shelf.search(request.query_params.get("text", ""))
        return JSONResponse(to_jsonable_python(found))

    async def fork_session(self, request: Request) -> Response:
        asked = await _body(request, ForkRequest)
        session = await (await self.facade()).shelf.fork(request.path_params["session"], until=asked.until)
        return JSONResponse(SessionOpened(session=session).model_dump())

    async def export_session(self, request: Request) -> Response:
        form = request.query_params.get("form", "markdown")
        if form not in FORMS:
            return fault(422, "invalid_request", f"`form` is one of {', '.join(FORMS)}.")
        text = await (await self.facade()).shelf.export(request.path_params["session"], form)
        return PlainTextResponse(text)

    async def delete_session(self, request: Request) -> Response:
        await (await self.facade()).delete(request.path_params["session"])
        return Response(status_code=204)

    async def begin_turn(self, request: Request) -> Response:
        session = request.path_params["session"]
        # Before anything is waited for: whoever cancels from now on means this turn.
        with self._arrivals.one(session) as arrival:
            asked = await _body(request, TurnRequest)
            facade = await arrival.wait(self._facade_with_engine)
            turn = await facade.send(
                session, asked.text, who=asked.who, tier=asked.tier,
                grants=asked.grants, interactive=asked.interactive, attached=asked.attached, wish=asked.wish,
            )  # fmt: skip
            if arrival.cancelled_by is not None:
                await facade.cancel(session, who=arrival.cancelled_by)
        return JSONResponse(TurnAccepted(turn=turn).model_dump(), 202)

    async def cancel(self, request: Request) -> Response:
        asked = await _body(request, CancelRequest)
        session = request.path_params["session"]
        self._arrivals.cancel(session, asked.who)
        await (await self.facade()).cancel(session, who=asked.who)
        return Response(status_code=204)

    async def compact(self, request: Request) -> Response:
        session = request.path_params["session"]
        with self._arrivals.one(session) as arrival:
            facade = await arrival.wait(self._facade_with_engine)
        compacted = await facade.compact(session)
        return JSONResponse(compacted.model_dump())

    async def list_approvals(self, _: Request) -> Response:
        waiting = await anyio.to_thread.run_sync((await self.facade()).approvals)
        return JSONResponse(to_jsonable_python(waiting))

    async def answer_approval(self, request: Request) -> Response:
        asked = await _body(request, ApprovalReply)
        facade = await self.facade()
        try:
            await self.ensure_engine()
        except AgentError as error:
            # A no needs no engine: what follows it in the turn will say so itself.
            if asked.granted:
                raise
            log.info("refused without an engine: %s", error)
        approval = request.path_params["approval"]
        await facade.approve(approval, digest=asked.digest, granted=asked.granted, who=asked.who, typed=asked.typed)
        return Response(status_code=204)

    async def list_holds(self, _: Request) -> Response:
        return JSONResponse(to_jsonable_python((await self.facade()).holds.open()))

    async def take_back(self, request: Request) -> Response:
        asked = await _body(request, TakeBackRequest)
        await (await self.facade()).holds.take_back(request.path_params["hold"], who=asked.who)
        return Response(status_code=204)

    async def show_tools(self, _: Request) -> Response:
        report = await (await self.facade()).tools()
        return JSONResponse(report.model_dump(mode="json"))

    async def show_routes(self, request: Request) -> Response:
        limit = request.query_params.get("limit", str(DECISIONS))
        if not _is_number(limit):
            return fault(422, "invalid_request", "`limit` is a whole number.")
        report = await (await self.facade()).routes.report(int(limit))
        return JSONResponse(report.model_dump(mode="json"))

    async def explain_route(self, request: Request) -> Response:
        asked = await _body(request, ExplainRequest)
        explanation = await (await self.facade()).routes.explain(asked)
        return JSONResponse(explanation.model_dump(mode="json"))

    async def stream_events(self, request: Request) -> Response:
        after = request.query_params.get("after") or request.headers.get("last-event-id") or "0"
        if not _is_number(after):
            return fault(422, "invalid_request", "`after` is a whole number.")
        events = (await self.facade()).events(request.path_params["session"], after=int(after))
        return EventStream(_event_frames(events), stop=self.presence.leaving)

    async def attach(self, _: Request) -> Response:
        return EventStream(self._notice_frames(), stop=anyio.Event())

    async def _notice_frames(self) -> AsyncGenerator[bytes]:
        # Counted in here and not in `attach`: this runs only when the front-end is still there to hear it, and always ends.
        try:
            with self.presence.attached():
                async for notice in self.readiness.notices():
                    yield notice_frame(notice)
                    if notice.kind in ("failed", "leaving"):
                        return
        except Leaving:
            yield notice_frame(Notice(kind="leaving"))

    async def shut_down(self, request: Request) -> Response:
        asked = await _body(request, ShutdownRequest)
        if asked.only_if_unneeded and self.presence.is_needed:
            return fault(409, NEEDED, "Another front-end is attached, or a turn is running.")
        if asked.only_if_idle and self.presence.is_busy:
            return fault(409, NEEDED, "A turn is running.")
        self.presence.leave()
        return Response(status_code=202)


def build_routes(desk: Desk) -> Starlette:
    """The service's application, without the guard in front of it."""
    return Starlette(
        routes=[
            Route("/health", desk.health),
            Route("/sessions", desk.list_sessions),
            Route("/sessions", desk.open_session, methods=["POST"]),
            Route("/sessions/search", desk.search_sessions),
            Route("/sessions/{session}", desk.delete_session, methods=["DELETE"]),
            Route("/sessions/{session}/fork", desk.fork_session, methods=["POST"]),
            Route("/sessions/{session}/export", desk.export_session),
            Route("/sessions/{session}/turns", desk.begin_turn, methods=["POST"]),
            Route("/sessions/{session}/events", desk.stream_events),
            Route("/sessions/{session}/cancel", desk.cancel, methods=["POST"]),
            Route("/sessions/{session}/compact", desk.compact, methods=["POST"]),
            Route("/approvals", desk.list_approvals),
            Route("/approvals/{approval}", desk.answer_approval, methods=["POST"]),
            Route("/holds", desk.list_holds),
            Route("/holds/{hold}/take-back", desk.take_back, methods=["POST"]),
            Route("/tools", desk.show_tools),
            Route("/routes", desk.show_routes),
            Route("/routes/explain", desk.explain_route, methods=["POST"]),
            Route("/attached", desk.attach),
            Route("/shutdown", desk.shut_down, methods=["POST"]),
        ],
        exception_handlers={
            AgentError: _agent_fault,
            NotReady: lambda _, error: fault(503, "not_ready", str(error)),
            ValidationError: lambda _, error: fault(422, "invalid_request", str(error)),
            404: lambda request, _: fault(404, "no_such_route", f"There is no {request.method} {request.url.path}."),
            Exception: _failed,
        },
    )


def _is_number(text: str) -> bool:
    """Whether it is one that a database takes."""
    return text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS


def _failed(_: Request, error: Exception) -> Response:
    if disk := why_unwritable(error):
        return _agent_fault(_, NotWritable(*disk))
    return fault(500, "internal_error", "The agent service failed. Its log says why.")


def _agent_fault(_: Request, error: Exception) -> Response:
    assert isinstance(error, AgentError)
    answer = answer_for(error)
    return fault(answer.status, answer.code, str(error))


async def _body(request: Request, kind: type[Body]) -> Body:
    return kind.model_validate_json(await request.body() or b"{}")


async def _event_frames(events: AsyncIterator[Event]) -> AsyncGenerator[bytes]:
    try:
        async for event in events:
            yield event_frame(event)
    except AgentError as error:
        yield fault_frame(answer_for(error).code, str(error))
