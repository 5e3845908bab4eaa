"""The whole agent as one model of the gateway: a chat completion is a turn in a session, with the agent's own prompt and tools.

Nobody can be asked over this protocol, so a call that needs a person's yes waits in the queue, and the answer says so; it is answered
where a person is. When the client leaves, the turn is cancelled.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast

import anyio
import anyio.lowlevel
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from agent.background import background_tasks
from agent.errors import AgentError, PictureRefused, SessionBusy, SessionNotFound
from agent.events import Event
from agent.facade import Facade
from agent.faces.drawn import Answers
from agent.faces.given_pictures import picture_in_address
from agent.faces.outcome import Outcome
from agent.gateway.answers import ALIVE, DONE, Failure, Reply, about_turn, chunk, completion, usage_chunk
from agent.gateway.asked import Asked, NotUnderstood
from agent.gateway.deciding import NODE, REASON, REASON_CHARS, RULE, TIER, ascii_line
from agent.gateway.relay import failure_of
from agent.route_parts import RouteWish
from agent.routes.deciding.nodes import CHAT_PATH
from agent.service.wire import KEEP_ALIVE_S
from inference.contract.headers import SESSION, SHOULD_RETRY
from inference.contract.sse import error_frame

WHO = "gateway"
CANCEL_BOUND_S = 20.0
"""A cancelled turn has only to store its end."""
ROUTE_BOUND_S = 10.0
"""A route is known as soon as the nodes were looked at, which has tighter bounds of its own."""
TITLE_CHARS = 80
log = logging.getLogger(__name__)
_STATUS = {"engine_unreachable": 503, "model_failed": 502}


class TurnAnswer(Response):
    """One turn of the agent, as a completion."""

    def __init__(
        self, facade: Facade, asked: Asked, *, session: str | None, wish: RouteWish, ensure_engine: Callable[[], Awaitable[None]]
    ) -> None:
        """Nothing happens before it is sent.

        Args:
            facade: the agent.
            asked: the request.
            session: to go on with; None for a new one.
            wish: what routing is to know of the turn.
            ensure_engine: makes sure that an engine of our own runs.

        Raises:
            NotUnderstood: there is no text, something that is neither text nor picture, a picture that is not in the request, or
                tools, which the agent has of its own.
        """
        super().__init__()
        if strange := asked.newest_strange():
            raise NotUnderstood(f'"variet" takes texts and pictures; a part of type "{strange[0]}" is neither.')
        self._text = asked.newest_text().strip()
        if not self._text:
            raise NotUnderstood("There is no message of the user with a text in it.")
        if asked.body.get("tools") or asked.body.get("functions"):
            raise NotUnderstood('The model "variet" has tools of its own and takes none. Ask "auto" or a tier to use yours.')
        try:
            self._pictures = tuple(picture_in_address(each, f"picture {at}") for at, each in enumerate(asked.newest_pictures(), 1))
        except PictureRefused as error:
            raise NotUnderstood(str(error)) from error
        self._is_streamed = asked.is_streamed
        options = asked.body.get("stream_options")
        self._counts = isinstance(options, dict) and bool(cast("dict[str, Any]", options).get("include_usage"))
        self._facade, self._session, self._wish, self._ensure_engine = facade, session, wish, ensure_engine

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run it, until it has ended or the client leaves."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_when_gone, receive, tasks.cancel_scope)
            await self._run(send)
            tasks.cancel_scope.cancel()

    async def _run(self, send: Send) -> None:
        try:
            await self._ensure_engine()
            session = await self._facade.open_session(resume=self._session, title="" if self._session else self._text[:TITLE_CHARS])
            async with _heard(self._facade, session) as events:
                turn = await self._facade.send(session, self._text, who=WHO, interactive=False, wish=self._wish, attached=self._pictures)
                await self._tell(send, Outcome(session, turn), events)
        except AgentError as error:
            failure = _refusal(error)
            await _send_whole(send, failure.status, failure.body(), {})

    async def _tell(self, send: Send, outcome: Outcome, events: AsyncIterator[Event]) -> None:
        answers = Answers()
        try:
            if self._is_streamed:
                await self._stream(send, outcome, events, answers)
            else:
                await self._whole(send, outcome, events, answers)
        finally:
            if not outcome.has_ended:
                with anyio.move_on_after(CANCEL_BOUND_S, shield=True):
                    await self._facade.cancel(outcome.session, who=WHO)

    async def _whole(self, send: Send, outcome: Outcome, events: AsyncIterator[Event], answers: Answers) -> None:
        async for _ in _texts(events, outcome, answers):
            pass
        failure = _failure(outcome)
        told = {SESSION: outcome.session, **_decision(outcome)}
        if failure is not None:
            # Stock clients ask again by themselves: in a new session, where what ran before would run a second time.
            await _send_whole(send, failure.status, failure.body(), told | {SHOULD_RETRY: "false"})
            return
        more = about_turn(outcome.session, outcome.reasons, outcome.tier, list(outcome.waiting.values()), outcome.beside())
        await _send_whole(send, 200, completion(_reply(outcome), answers.whole(outcome.answer), outcome.usage, more), told)

    async def _stream(self, send: Send, outcome: Outcome, events: AsyncIterator[Event], answers: Answers) -> None:
        before = await _routed(events, outcome, answers)
        told = {"content-type": "text/event-stream", "cache-control": "no-store", SESSION: outcome.session, **_decision(outcome)}
        headers = [(name.lower().encode(), value.encode()) for name, value in told.items() if value]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        lock = anyio.Lock()

        async def say(frame: bytes, *, more: bool = True) -> None:
            async with lock:
                await send({"type": "http.response.body", "body": frame, "more_body": more})

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_keep_alive, say)
            await say(chunk(_reply(outcome), {"role": "assistant", "content": before}))
            async for text in _texts(events, outcome, answers):
                await say(chunk(_reply(outcome), {"content": text}))
            tasks.cancel_scope.cancel()
        await say(self._end(outcome), more=False)

    def _end(self, outcome: Outcome) -> bytes:
        failure = _failure(outcome)
        if failure is not None:
            return error_frame(failure.detail(), CHAT_PATH)
        more = about_turn(outcome.session, outcome.reasons, outcome.tier, list(outcome.waiting.values()), outcome.beside())
        counted = usage_chunk(_reply(outcome), outcome.usage) if self._counts else b""
        return chunk(_reply(outcome), {}, finish="stop", more=more) + counted + DONE


@asynccontextmanager
async def _heard(facade: Facade, session: str) -> AsyncGenerator[AsyncIterator[Event]]:
    """A session's events, listened to from before the block on: a turn that is begun inside it loses no text."""
    send, receive = anyio.create_memory_object_stream[Event](0)

    async def listen() -> None:
        events: AsyncIterator[Event] = facade.events(session)
        async with send, aclosing(cast("AsyncGenerator[Event]", events)) as heard:
            try:
                async for event in heard:
                    await send.send(event)
            except AgentError as error:
                log.warning("the events of %s ended: %s", session, error)

    async with background_tasks() as tasks:
        tasks.start_soon(listen)
        await anyio.lowlevel.checkpoint()
        with receive:
            yield receive


async def _routed(events: AsyncIterator[Event], outcome: Outcome, answers: Answers) -> str:
    """Wait until the turn has a route, for the answer's headers, or has ended; what it said before. Too late: they go without."""
    said = ""
    with anyio.move_on_after(ROUTE_BOUND_S):
        while not (outcome.tier or outcome.has_ended):
            event = await anext(events, None)
            if event is None:
                break
            said += _told(event, outcome, answers)
    return said


async def _texts(events: AsyncIterator[Event], outcome: Outcome, answers: Answers) -> AsyncGenerator[str]:
    """What the turn says, piece by piece, until it has ended."""
    while not outcome.has_ended:
        event = await anext(events, None)
        if event is None:
            if rest := answers.rest():
                yield rest
            return
        if text := _told(event, outcome, answers):
            yield text


def _told(event: Event, outcome: Outcome, answers: Answers) -> str:
    """What the turn says with an event: chat pages draw it, and would fetch the pictures in it."""
    answers.take(event)
    text = answers.told(outcome.take(event))
    return text + answers.rest() if outcome.has_ended else text


def _reply(outcome: Outcome) -> Reply:
    return Reply(outcome.turn, int(time.time()), outcome.model or "variet")


def _failure(outcome: Outcome) -> Failure | None:
    if outcome.failed is not None:
        return Failure(_STATUS.get(outcome.failed.code, 500), outcome.failed.code, outcome.failed.error)
    if outcome.cancelled is not None:
        return Failure(503, "request_ended", "The turn was cancelled by another front-end.")
    return None if outcome.has_ended else Failure(503, "interrupted", "The agent stopped before the turn had ended.")


def _refusal(error: AgentError) -> Failure:
    match error:
        case SessionNotFound():
            return Failure(404, "session_not_found", str(error))
        case SessionBusy():
            return Failure(409, "session_busy", str(error))
        case PictureRefused():
            return Failure(400, "picture_refused", str(error))
        case _:
            return failure_of(error)


def _decision(outcome: Outcome) -> dict[str, str]:
    """What the client is told of the turn's route."""
    reason = ascii_line("; ".join(outcome.reasons))[:REASON_CHARS]
    return {NODE: ascii_line(outcome.node), TIER: ascii_line(outcome.tier), RULE: ascii_line(outcome.rule), REASON: reason}


async def _send_whole(send: Send, status: int, body: bytes, told: dict[str, str]) -> None:
    headers = {"content-type": "application/json", "content-length": str(len(body)), **told}
    await send({"type": "http.response.start", "status": status, "headers": [(n.lower().encode(), v.encode()) for n, v in headers.items()]})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _keep_alive(say: Callable[[bytes], Awaitable[None]]) -> None:
    while True:
        await anyio.sleep(KEEP_ALIVE_S)
        await say(ALIVE)


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
