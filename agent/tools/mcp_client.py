"""One tool server's life: started, called, restarted with back-off when it dies, and stopped, all by one task that owns it.

The MCP client must be entered and left in the same task, and a server that dies takes its client along for good; so an owner task holds
it, others hand it their calls through a queue, and a new client replaces a dead one. A call that only reads is sent again after a
restart; any other is reported, because it may have had its effect.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from math import inf
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from pydantic import SecretStr

from agent.errors import OutcomeUnknown, ToolUnavailable
from agent.late_import import late_import
from agent.safety.grants import KEY_VARIABLE, granted
from agent.tools.caller import NOBODY, Caller
from agent.tools.endings import first_line, first_of, is_closed_error, is_session_gone
from agent.tools.inbox import WaitingCall, next_call, refuse_waiting
from agent.tools.mcp_wire import Connection, Ears, TooLarge, connect, hear_changes, keep_results, list_tools
from agent.tools.older import AUTO, LEGACY, OlderBook, other_mode, was_silent
from agent.tools.patience import Patience
from agent.tools.questions import DECLINED, Answer, Question
from agent.tools.served import ServedTool, ToolResult
from agent.tools.spec import ServerSpec
from agent.tools.starting import start_problem, still_starting
from agent.tools.transports import MAX_ANSWER_BYTES

log = logging.getLogger(__name__)

BACKOFF_S = (0.0, 0.5, 2.0, 5.0, 15.0, 60.0)
"""Before each start: the first at once, then slower, so that a server that dies at once does not eat the machine."""
HEALTHY_S = 30.0
"""A server that lived this long starts again without waiting."""
READ_ATTEMPTS = 3
"""A read is sent again when its server dies: twice, since a call that kills its server will do so again."""
QUEUE_SIZE = 256
LIST_EVERY_S = 1.0
"""A server may say that its tools have changed as often as it likes; it is asked for them no more often than this."""
TOO_LARGE_TEXT = f"answered with more than the {MAX_ANSWER_BYTES >> 20} MiB that are taken of a result; ask for less."
ASKING_S = 3600.0
"""In which whoever asks the person has an answer: it bounds the wait for a call that does so."""


class _NotTaken(ToolUnavailable):
    """It did not come to the call: the next life of the server may take it."""


def _not_taken(call: WaitingCall) -> _NotTaken:
    return _NotTaken(f"{call.tool} is not available right now. Nothing was done.")


_RUNNING: ContextVar[WaitingCall | None] = ContextVar("running", default=None)
"""The call whose task this is: the newer protocol asks in it. The older asks beside it."""


class ServerConnection:
    """One server. `run` is the owner task; everything else may be called from any task."""

    def __init__(
        self, spec: ServerSpec, *, log_dir: Path | None = None, on_tools: Callable[[], None] = lambda: None, older: OlderBook | None = None
    ) -> None:
        self.spec = spec
        self.problem = ""
        """Why it is not there; empty when it is."""
        self.tools: tuple[ServedTool, ...] = ()
        """What it served when it was last asked."""
        self._on_tools = on_tools
        self._log_dir = log_dir
        self._settled = anyio.Event()
        self._changed = anyio.Event()
        self._calls: MemoryObjectSendStream[WaitingCall] | None = None
        self._running: set[WaitingCall] = set()
        self._key: SecretStr | None = None
        self._older, self._mode = older or OlderBook(), ""
        """How it is begun with; empty until that was looked up."""

    async def wait_started(self) -> Sequence[ServedTool]:
        """Its tools once its first start has ended, well or not. Bounded by the start's own time-out."""
        await self._settled.wait()
        return self.tools

    async def call(
        self, tool: str, arguments: Mapping[str, Any], *, meta: Mapping[str, Any], is_read: bool, caller: Caller = NOBODY
    ) -> ToolResult:
        """Call one of its tools. Cancelling it cancels the call on the server.

        What is no read has been decided by now, by policy or by a person: where the server wants grants, it gets one for exactly this call.

        Raises:
            ToolUnavailable: the server is not there: nothing was done.
            OutcomeUnknown: the server died or said nothing, and the call may have had its effect.
        """
        for attempt in range(1, READ_ATTEMPTS + 1):
            try:
                return await self._call_once(WaitingCall(tool, arguments, meta, is_read, caller))
            except OutcomeUnknown as error:
                if not is_read:
                    raise
                log.info("server %s gave no answer to a read, attempt %d: %s", self.spec.name, attempt, error)
            except _NotTaken:
                if attempt > 1 and not is_read:
                    raise
        raise ToolUnavailable(f"{tool} did not answer. Nothing was done.")

    async def _call_once(self, call: WaitingCall) -> ToolResult:
        unavailable = ToolUnavailable(f"{call.tool} is not available right now. Nothing was done.")
        if self.problem or self._calls is None:
            raise unavailable
        try:
            self._calls.send_nowait(call)
        except (anyio.WouldBlock, anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise unavailable from None
        try:
            with anyio.fail_after(self.spec.bound_s(call.tool) + ASKING_S + self.spec.start_timeout_s + BACKOFF_S[-1]):
                await call.done.wait()
        except TimeoutError:
            raise OutcomeUnknown(f"{call.tool} did not answer in time. It is not known whether it took effect.") from None
        finally:
            call.scope.cancel()
        if call.result is None:
            raise call.error or unavailable
        return call.result

    async def run(self) -> None:
        """Own the server until cancelled: start it, serve calls, start it again when it dies."""
        self._calls, inbox = anyio.create_memory_object_stream[WaitingCall](QUEUE_SIZE)
        failures = 0
        try:
            while True:
                await anyio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
                started = anyio.current_time()
                await self._live_once(inbox)
                lived_s = anyio.current_time() - started
                # What did not start has not lived, however long it took to fail.
                failures = 0 if lived_s >= HEALTHY_S and not self.problem else failures + 1
                if self.problem:
                    refuse_waiting(inbox)
        finally:
            self.problem = self.problem or "it was stopped"
            refuse_waiting(inbox)
            inbox.close()
            self._calls.close()
            self._settled.set()

    async def _live_once(self, inbox: MemoryObjectReceiveStream[WaitingCall]) -> None:
        """One life, from start to death; whatever ends it is noted, never raised. A death after a start is no problem: it starts again."""
        starting = anyio.CancelScope()
        error: BaseException | None = None
        try:
            async with anyio.create_task_group() as beside:
                if self.spec.longest_start_s > self.spec.start_timeout_s:
                    beside.start_soon(self._wait_no_longer, starting, inbox)
                self._mode = self._mode or await anyio.to_thread.run_sync(self._older.mode_of, self.spec)
                error = await self._lived(inbox, starting)
                if error is not None and (other := other_mode(self.spec, self._mode, error)):
                    self._mode = other
                    error = await self._lived(inbox, starting)
                starting.cancel()
            if error is not None:
                self._mode = AUTO
                self.problem = start_problem(self.spec, error, self._log_file()) or first_line(error)
                log.warning("server %s: %s", self.spec.name, self.problem)
        finally:
            self._settled.set()

    async def _lived(self, inbox: MemoryObjectReceiveStream[WaitingCall], starting: anyio.CancelScope) -> BaseException | None:
        """Start it and serve calls until it dies. Returns what kept it from starting."""
        has_started = False
        try:
            async with self._connected(starting) as (connection, died), anyio.create_task_group() as tasks:
                has_started = True
                tasks.start_soon(self._follow_tools, connection, died)
                while not died.is_set():
                    call = await next_call(inbox, died)
                    if call is not None and died.is_set():
                        call.error = _not_taken(call)
                        call.done.set()
                    elif call is not None:
                        tasks.start_soon(self._serve, connection, call, died)
                tasks.cancel_scope.cancel()
        except Exception as error:  # noqa: BLE001 - the owner's top loop: one bad server must not end the others.
            if not has_started:
                return first_of(error)
            log.warning("server %s: %s", self.spec.name, first_line(error))
        return None

    async def _wait_no_longer(self, starting: anyio.CancelScope, inbox: MemoryObjectReceiveStream[WaitingCall]) -> None:
        """Let nobody wait for a slow start any longer, and the program go on with it."""
        with starting:
            await anyio.sleep(self.spec.start_timeout_s)
            if not starting.cancel_called:
                self.problem = still_starting(self._log_file())
                refuse_waiting(inbox)
                self._settled.set()

    @asynccontextmanager
    async def _connected(self, starting: anyio.CancelScope) -> AsyncGenerator[tuple[Connection, anyio.Event]]:
        # In a thread: the import takes over half a second, in which a front-end may want to draw.
        await late_import("mcp")
        token = await anyio.to_thread.run_sync(self.spec.token)
        self._key = SecretStr(secrets.token_hex(32)) if self.spec.wants_grants else None
        own = await anyio.to_thread.run_sync(self.spec.environment)
        env = {**own, **({KEY_VARIABLE: self._key.get_secret_value()} if self._key else {})}
        ears = Ears(self._ask, self._note_change)
        async with connect(self.spec, env, token, ears, log_file=self._log_file(), mode=self._mode) as (transport, died):
            with anyio.fail_after(self.spec.longest_start_s) as start:
                begun = anyio.current_time()
                async with transport as client:
                    self._mode = LEGACY if was_silent(client, anyio.current_time() - begun) else self._mode
                    self._take_tools(await list_tools(client))
                    await anyio.to_thread.run_sync(self._older.note, self.spec, self._mode)
                    connection = Connection(client, keep_results(client), ears)
                    starting.cancel()
                    self.problem = ""
                    self._settled.set()
                    start.deadline = inf
                    yield connection, died

    def _log_file(self) -> Path | None:
        return self._log_dir / f"server-{self.spec.name}.log" if self._log_dir else None

    def _take_tools(self, tools: tuple[ServedTool, ...]) -> None:
        if tools != self.tools:
            self.tools = tools
            self._on_tools()

    def _note_change(self) -> None:
        self._changed.set()

    async def _follow_tools(self, connection: Connection, died: anyio.Event) -> None:
        """Ask for the tools again whenever the server says that they have changed."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hear_changes, connection.client, connection.ears)
            while True:
                await self._changed.wait()
                self._changed = anyio.Event()
                try:
                    with anyio.fail_after(self.spec.start_timeout_s):
                        self._take_tools(await list_tools(connection.client))
                except Exception as error:  # noqa: BLE001 - whatever the library raises: the tools stay as they were.
                    log.info("server %s did not list its changed tools: %s", self.spec.name, first_line(error))
                    if is_closed_error(error) or is_session_gone(error):
                        died.set()
                await anyio.sleep(LIST_EVERY_S)

    async def _ask(self, question: Question) -> Answer:
        """A question of the server goes to whoever made the call that it belongs to; where that cannot be told, it is declined."""
        call = _RUNNING.get() or (next(iter(self._running)) if len(self._running) == 1 else None)
        if call is None or call.patience is None:
            log.info("server %s asked something that belongs to no one call: declined", self.spec.name)
            return DECLINED
        with call.patience.paused():
            return await call.caller.ask(question)

    async def _serve(self, connection: Connection, call: WaitingCall, died: anyio.Event) -> None:
        bound_s = self.spec.bound_s(call.tool)
        _RUNNING.set(call)
        self._running.add(call)
        try:
            with call.scope:
                if call.scope.cancel_called:
                    return
                call.patience = Patience(self.spec.silence_s(call.tool), bound_s)
                call.result = await connection.run_tool(
                    call.tool, call.arguments, meta=self._meta_of(call), patience=call.patience,
                    bound_s=bound_s + ASKING_S, on_progress=call.tell,
                )  # fmt: skip
        except (TimeoutError, TooLarge) as error:
            # Not asked again even if it only reads: it would be as slow, or as large, the next time.
            why = TOO_LARGE_TEXT if isinstance(error, TooLarge) else "did not answer in time."
            unknown = OutcomeUnknown(f"{call.tool} {why} It is not known whether it took effect.")
            call.error = ToolUnavailable(f"{call.tool} {why} Nothing was done.") if call.is_read else unknown
        except Exception as error:  # noqa: BLE001 - whatever the library raises for one call is that call's error.
            is_forgotten = connection.has_forgotten(error)
            if is_forgotten or is_closed_error(error):
                died.set()
            unknown = OutcomeUnknown(f"{call.tool} gave no answer ({first_line(error)}). It is not known whether it took effect.")
            call.error = _not_taken(call) if is_forgotten else unknown
        finally:
            self._running.discard(call)
            if call.result is None and call.error is None:
                call.error = OutcomeUnknown(f"{call.tool} was stopped. It is not known whether it took effect.")
            call.done.set()

    def _meta_of(self, call: WaitingCall) -> Mapping[str, Any]:
        if self._key is None or call.is_read:
            return call.meta
        return granted(call.tool, call.arguments, call.meta, key=self._key, nonce=secrets.token_hex(16), now=time.time())
