"""Bytes both ways between a client and the model that it asks for: one request in, one lease, one answer out.

It reads no prompts. Whoever goes first takes the other along: a client that leaves ends the generation and frees its place, also in the
queue; a model that dies ends the answer with an error that a client can see.
"""

from __future__ import annotations

import json
import logging
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from typing import Any

import anyio
from anyio.abc import TaskGroup

from inference.activity.finished import Observer, observe_nothing
from inference.activity.watch import Watch
from inference.catalog import ModelSpec, Served
from inference.contract import LOADING_EVENT, ErrorDetail, event_frame
from inference.discretion import discreet
from inference.door.access import Asker, KeyInfo, key_of
from inference.door.answer import Answer
from inference.door.incoming import STRAIGHT, ClientGone, Incoming, Receive, Scope, Send, passes_mode, read
from inference.errors import EngineError, UpstreamDied
from inference.files.files_there import check_files
from inference.hang import Pulse, guarded
from inference.model_metrics import PATH as METRICS
from inference.model_metrics import ModelMetrics
from inference.rewrite import pinned, rewrite, takes_slot
from inference.supervisor import Supervisor
from inference.tickets import Ticket
from inference.upstream.address import Address
from inference.upstream.outgoing import Request
from inference.upstream.tap import Tap
from inference.upstream.wire import Broken, Connection, Connections
from inference.warmth.berth import NO_BERTH, Berth
from inference.warmth.records import session_key
from inference.warmth.trail import trail_of

LOADING_GRACE_S = 0.25
"""A load shorter than this is not worth an event, and a failure this early can still be a true status."""
LOADING_REPEAT_S = 1.0
"""Between two loading events when nothing changes: the seconds go on, and a connection that is gone is noticed."""
LAST_WORDS_BOUND_S = 1.0
"""After a connection broke: until the news of its process's end, if it ended, has come with its last lines."""
FAREWELL_BOUND_S = 5.0
"""For an error to go out to a client that may have stopped reading."""
ERROR_BODY_BOUND = 64 * 1024
"""The most of a model's error answer that is read to be put into an error frame."""
_WITHHELD = frozenset(
    {b"host", b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"te", b"trailer", b"expect", b"content-length"}
    # Keys and cookies are for us; the page that a request came from is no business of a model's server.
    | {b"authorization", b"x-api-key", b"cookie", b"origin", b"referer"}
    # llama-server would go on generating for a client that is gone, to let it come back.
    | {b"x-conversation-id"}
)
HUNG_S = 120.0
"""Silence after which a model's process is looked at, where the settings say nothing else."""
_OK = 200
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Asked:
    """One request, settled: what is sent to which model, as part of which conversation."""

    incoming: Incoming
    raw: bytes
    spec: ModelSpec
    session: str | None
    key: KeyInfo


class Proxy:
    """The ASGI application behind every route that a model answers."""

    def __init__(
        self,
        supervisor: Supervisor,
        connections: Connections,
        max_body_bytes: int,
        observe: Observer = observe_nothing,
        hung_s: float = HUNG_S,
    ) -> None:
        self._supervisor = supervisor
        self._connections = connections
        self._max_body_bytes = max_body_bytes
        self._observe = observe
        self._hung_s = hung_s
        self._metrics = ModelMetrics(supervisor, connections)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == METRICS:
            await self._metrics(scope, send)
            return
        watch = Watch(scope)
        try:
            await self._serve(scope, receive, Answer(send, scope["path"], scope.get("extensions", {}).get(STRAIGHT)), watch)
        finally:
            finished = watch.finished()
            self._observe(finished)
            _LOG.info("%s", finished)

    async def _serve(self, scope: Scope, receive: Receive, answer: Answer, watch: Watch) -> None:
        try:
            incoming = await read(scope, receive, self._max_body_bytes)
            key = key_of(scope)
            served = self._served(incoming, key)
            watch.resolved(incoming, served)
            await check_files(served.spec, self._supervisor.loaded)
            raw = rewrite(incoming.raw, incoming.body, served.virtual, incoming.path)
        except ClientGone:
            return
        except EngineError as error:
            watch.failed(error, is_begun=False)
            await answer.fail(error)
            return
        asked = _Asked(incoming, raw, served.spec, _session(scope, incoming), key)
        if await self._attempt(asked, receive, answer, watch, may_repeat=True):
            await self._attempt(asked, receive, answer, watch, may_repeat=False)

    async def _attempt(self, asked: _Asked, receive: Receive, answer: Answer, watch: Watch, *, may_repeat: bool) -> bool:
        """Queue, be granted, answer; whether it is to be done once more, because the process died before any of its answer was out."""
        with self._queue_for(asked) as ticket:
            watch.queued(ticket)
            answer.name(ticket.id, asked.spec.name)
            is_repeated = False
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_cancel_when_gone, receive, answer, tasks.cancel_scope)
                try:
                    await self._answer(asked, ticket, answer, watch, tasks)
                except EngineError as error:
                    is_repeated = may_repeat and answer.is_still_open and isinstance(error, UpstreamDied) and error is ticket.verdict
                    _LOG.info("%s %s: %s", ticket.id, error.code, error.message)
                    if not is_repeated:
                        watch.failed(error, is_begun=answer.is_begun)
                        with anyio.move_on_after(FAREWELL_BOUND_S):
                            await answer.fail(error)
                if not answer.is_ended:
                    tasks.cancel_scope.cancel()
            return is_repeated

    def _queue_for(self, asked: _Asked) -> AbstractContextManager[Ticket]:
        incoming = asked.incoming
        return self._supervisor.ticket(
            asked.spec.name,
            wait_s=incoming.wait_s,
            is_fail_fast=incoming.is_fail_fast,
            by=Asker(asked.key.client, asked.key.priority, passes_mode(incoming.headers)),
        )

    def _served(self, incoming: Incoming, key: KeyInfo) -> Served:
        """The model meant, which the key must allow: by name, else the only one that is there, else the default."""
        catalog = self._supervisor.catalog
        # One that a reload has removed is there until its last stream has ended, and takes nobody in.
        loaded = [name for name in self._supervisor.loaded if name in catalog.served]
        name = incoming.model or (loaded[0] if len(loaded) == 1 else catalog.default)
        key.check_name(name)
        return catalog.resolve(name)

    async def _answer(self, asked: _Asked, ticket: Ticket, answer: Answer, watch: Watch, tasks: TaskGroup) -> None:
        if asked.incoming.wants_events:
            await self._announce_loading(ticket, answer, asked.key)
        await ticket.wait_granted()
        watch.granted()
        pulse = Pulse()
        guarding = guarded(tasks, ticket, pulse, self._hung_s, self._supervisor.condemn)
        with guarding, self._berth(asked, ticket) as berth, ticket.scope() as scope:
            try:
                await self._relay(asked, ticket, answer, watch, pulse, berth)
            except Broken as error:
                await ticket.wait_verdict(LAST_WORDS_BOUND_S)
                raise ticket.verdict or UpstreamDied(f"{ticket.model} broke off its answer: {error}") from error
        if scope.cancelled_caught:
            raise ticket.verdict or UpstreamDied(f"{ticket.model} ended.")

    def _berth(self, asked: _Asked, ticket: Ticket) -> AbstractContextManager[Berth]:
        if not takes_slot(asked.incoming.path):
            return nullcontext(NO_BERTH)
        trail = None if asked.session is None else trail_of(asked.incoming.body)
        return self._supervisor.warmth.berth(asked.spec, ticket.id, asked.session, trail)

    async def _announce_loading(self, ticket: Ticket, answer: Answer, key: KeyInfo) -> None:
        """Tell a client that asked for it how the load goes on, until its request is granted or refused."""
        with anyio.move_on_after(LOADING_GRACE_S):
            await ticket.wait_settled()
            return
        await answer.begin_events()

        async def announce(scope: anyio.CancelScope) -> None:
            await ticket.wait_settled()
            scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(announce, tasks.cancel_scope)
            with self._supervisor.hub.listen() as listener:
                await answer.write(self._loading(ticket, key))
                async for event in listener.frames(LOADING_REPEAT_S):
                    if event is None or event.model == ticket.model:
                        await answer.write(self._loading(ticket, key))

    def _loading(self, ticket: Ticket, key: KeyInfo) -> bytes:
        return event_frame(LOADING_EVENT, discreet(self._supervisor.progress(ticket.model, ticket.id), key))

    async def _relay(self, asked: _Asked, ticket: Ticket, answer: Answer, watch: Watch, pulse: Pulse, berth: Berth) -> None:
        upstream = await self._connections.ask(ticket.port, _request(asked.incoming, pinned(asked.raw, berth.slot), ticket.address))
        # What is not read to its end is closed: the model then stops generating.
        with closing(upstream):
            if answer.is_begun and upstream.status != _OK:
                watch.broken_off(upstream.status)
                await answer.fail_in_stream(await _upstream_detail(upstream))
                return
            # The status is passed on with the first byte, so that a death in between is still a 502.
            chunk = await upstream.read()
            if not answer.is_begun:
                await answer.begin(upstream.status, upstream.headers)
            tap = Tap(is_stream=answer.is_stream)
            watch.answering(upstream.status, tap)
            is_reading = True

            def take(piece: bytes) -> bool:
                if is_reading or not answer.is_straight:
                    return False
                pulse.beat(piece)
                if passed := tap.take(piece):
                    answer.write_straight(passed)
                return True

            while chunk:
                pulse.beat(chunk)
                if passed := tap.take(chunk):
                    if is_reading and tap.begins(passed):
                        is_reading = False
                        answer.has_spoken = True
                        watch.speaking()
                    pulse.is_delivering = True
                    await answer.write(passed)
                    pulse.is_delivering = False
                chunk = await upstream.read(take)
            pulse.is_delivering = True
            await answer.end(tap.rest())
            watch.answered()
        if upstream.status == _OK:
            await berth.learn(tap.measured())


def _request(incoming: Incoming, raw: bytes, address: Address) -> Request:
    headers = [(name, value) for name, value in incoming.headers if not (name in _WITHHELD or name.startswith(b"x-variet-"))]
    return Request(incoming.method, incoming.target, headers + address.shown_key(), raw)


def open_connections() -> Connections:
    """The connections to all children, kept per child."""
    return Connections()


def _session(scope: Scope, incoming: Incoming) -> str | None:
    """The conversation that a request belongs to, by its hashed name; each client has its own."""
    return None if incoming.session is None else session_key(incoming.session, key_of(scope).id)


async def _cancel_when_gone(receive: Receive, answer: Answer, scope: anyio.CancelScope) -> None:
    """Wait until the client has gone or has its answer; after that, too, a server says that there is nothing more to receive."""
    while (await receive())["type"] != "http.disconnect":
        pass
    if not answer.is_ended:
        scope.cancel()


async def _upstream_detail(upstream: Connection) -> ErrorDetail:
    """A model's own error, to be said inside a stream that has begun."""
    body = b""
    while len(body) <= ERROR_BODY_BOUND and (chunk := await upstream.read()):
        body += chunk
    text = body.decode(errors="replace")
    try:
        error: dict[str, Any] = json.loads(text)["error"]
        kind = str(error.get("type", "server_error"))
        return ErrorDetail(message=str(error["message"]), type=kind, code=str(error.get("code", upstream.status)))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ErrorDetail(message=text or f"status {upstream.status}", type="server_error", code=str(upstream.status))
