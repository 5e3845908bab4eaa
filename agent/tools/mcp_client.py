"""One tool server's life: started, called, restarted with back-off when it dies, and stopped, all by one task that owns it.

The MCP client must be entered and left in the same task, and a server that dies takes its client along for good; so an owner task holds
it, others hand it their calls through a queue, and a new client replaces a dead one. A call that only reads is sent again after a
restart; any other is reported, because it may have had its effect.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from math import inf
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from pydantic import SecretStr

from agent.errors import OutcomeUnknown, ToolError, ToolUnavailable
from agent.safety.grants import KEY_VARIABLE, granted
from agent.tools.mcp_wire import ServedTool, ToolResult, connect, is_closed_error, list_tools, run_tool

log = logging.getLogger(__name__)

CALL_TIMEOUT_S = 60.0
"""A tool that takes longer has hung: a mail server's own time-outs are shorter."""
BACKOFF_S = (0.0, 0.5, 2.0, 5.0, 15.0, 60.0)
"""Before each start: the first at once, then slower, so that a server that dies at once does not eat the machine."""
HEALTHY_S = 30.0
"""A server that lived this long starts again without waiting."""
READ_ATTEMPTS = 3
"""A read is sent again when its server dies: twice, since a call that kills its server will do so again."""
QUEUE_SIZE = 256


@dataclass(frozen=True)
class ServerSpec:
    """How to start one server."""

    name: str
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    """Beside HOME, LOGNAME, PATH, SHELL, TERM and USER, which is all that it inherits."""
    builtin: str | None = None
    """Set when it is one of ours: only then does the pinned manifest speak of its tools."""
    start_timeout_s: float = 20.0
    wants_grants: bool = False
    """It does nothing without our seal on the call; each of its processes gets a key of its own."""


@dataclass
class _Call:
    tool: str
    arguments: Mapping[str, Any]
    meta: Mapping[str, Any]
    is_read: bool
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    done: anyio.Event = field(default_factory=anyio.Event)
    result: ToolResult | None = None
    error: ToolError | None = None


class ServerConnection:
    """One server. `run` is the owner task; everything else may be called from any task."""

    def __init__(self, spec: ServerSpec, *, log_dir: Path | None = None) -> None:
        self.spec = spec
        self.problem = ""
        """Why it is not there; empty when it is."""
        self._log_dir = log_dir
        self._tools: tuple[ServedTool, ...] = ()
        self._settled = anyio.Event()
        self._calls: MemoryObjectSendStream[_Call] | None = None
        self._key: SecretStr | None = None

    async def wait_started(self) -> Sequence[ServedTool]:
        """Its tools once its first start has ended, well or not. Bounded by the start's own time-out."""
        await self._settled.wait()
        return self._tools

    async def call(self, tool: str, arguments: Mapping[str, Any], *, meta: Mapping[str, Any], is_read: bool) -> ToolResult:
        """Call one of its tools. Cancelling it cancels the call on the server.

        What is no read has been decided by now, by policy or by a person: where the server wants grants, it gets one for exactly this call.

        Raises:
            ToolUnavailable: the server is not there: nothing was done.
            OutcomeUnknown: the server died or said nothing, and the call may have had its effect.
        """
        for attempt in range(1, READ_ATTEMPTS + 1):
            try:
                return await self._call_once(_Call(tool, arguments, meta, is_read))
            except OutcomeUnknown as error:
                if not is_read:
                    raise
                log.info("server %s gave no answer to a read, attempt %d: %s", self.spec.name, attempt, error)
        raise ToolUnavailable(f"{tool} did not answer. Nothing was done.")

    async def _call_once(self, call: _Call) -> ToolResult:
        unavailable = ToolUnavailable(f"{call.tool} is not available right now. Nothing was done.")
        if self.problem or self._calls is None:
            raise unavailable
        try:
            self._calls.send_nowait(call)
        except (anyio.WouldBlock, anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise unavailable from None
        try:
            with anyio.fail_after(CALL_TIMEOUT_S + self.spec.start_timeout_s + BACKOFF_S[-1]):
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
        self._calls, inbox = anyio.create_memory_object_stream[_Call](QUEUE_SIZE)
        failures = 0
        try:
            while True:
                await anyio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
                started = anyio.current_time()
                await self._live_once(inbox)
                lived_s = anyio.current_time() - started
                failures = 0 if lived_s >= HEALTHY_S else failures + 1
                if self.problem:
                    _refuse_waiting(inbox)
        finally:
            self.problem = self.problem or "it was stopped"
            _refuse_waiting(inbox)
            inbox.close()
            self._calls.close()
            self._settled.set()

    async def _live_once(self, inbox: MemoryObjectReceiveStream[_Call]) -> None:
        """One life, from start to death; whatever ends it is noted, never raised."""
        try:
            async with self._connected() as (client, died), anyio.create_task_group() as calls:
                while not died.is_set():
                    call = await _next_call(inbox, died)
                    if call is not None:
                        calls.start_soon(self._serve, client, call, died)
                calls.cancel_scope.cancel()
        except TimeoutError:
            self.problem = f"it did not start within {self.spec.start_timeout_s:g} s"
            log.warning("server %s: %s", self.spec.name, self.problem)
        except Exception as error:  # noqa: BLE001 - the owner's top loop: one bad server must not end the others.
            self.problem = _first_line(error)
            log.warning("server %s: %s", self.spec.name, self.problem)
        finally:
            self._settled.set()

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[tuple[Any, anyio.Event]]:
        # In a thread: the import takes over half a second, in which a front-end may want to draw.
        await anyio.to_thread.run_sync(import_module, "mcp")
        self._key = SecretStr(secrets.token_hex(32)) if self.spec.wants_grants else None
        env = {**self.spec.env, **({KEY_VARIABLE: self._key.get_secret_value()} if self._key else {})}
        async with connect(self.spec.command, env, log_file=self._log_file(), timeout_s=CALL_TIMEOUT_S) as (transport, died):
            with anyio.fail_after(self.spec.start_timeout_s) as start:
                async with transport as client:
                    tools = await list_tools(client)
                    # What the first start served stays: a restart with other tools does not change what the model was shown.
                    self._tools = self._tools or tools
                    self.problem = ""
                    self._settled.set()
                    start.deadline = inf
                    yield client, died

    def _log_file(self) -> Path | None:
        return self._log_dir / f"server-{self.spec.name}.log" if self._log_dir else None

    async def _serve(self, client: Any, call: _Call, died: anyio.Event) -> None:
        try:
            with call.scope:
                if call.scope.cancel_called:
                    return
                call.result = await run_tool(client, call.tool, call.arguments, meta=self._meta_of(call), timeout_s=CALL_TIMEOUT_S)
        except Exception as error:  # noqa: BLE001 - whatever the library raises for one call is that call's error.
            if is_closed_error(error):
                died.set()
            call.error = OutcomeUnknown(f"{call.tool} gave no answer ({_first_line(error)}). It is not known whether it took effect.")
        finally:
            if call.result is None and call.error is None:
                call.error = OutcomeUnknown(f"{call.tool} was stopped. It is not known whether it took effect.")
            call.done.set()

    def _meta_of(self, call: _Call) -> Mapping[str, Any]:
        if self._key is None or call.is_read:
            return call.meta
        return granted(call.tool, call.arguments, call.meta, key=self._key, nonce=secrets.token_hex(16), now=time.time())


def _refuse_waiting(inbox: MemoryObjectReceiveStream[_Call]) -> None:
    """Calls that came in while the server was down, and that it will not come up for."""
    with suppress(anyio.WouldBlock, anyio.EndOfStream):
        while True:
            inbox.receive_nowait().done.set()


async def _next_call(inbox: MemoryObjectReceiveStream[_Call], died: anyio.Event) -> _Call | None:
    """The next call; None when the server died first."""
    found: _Call | None = None

    async def wait_for_death() -> None:
        await died.wait()
        race.cancel_scope.cancel()

    async with anyio.create_task_group() as race:
        race.start_soon(wait_for_death)
        found = await inbox.receive()
        race.cancel_scope.cancel()
    return found


def _first_line(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return _first_line(cast("BaseExceptionGroup[BaseException]", error).exceptions[0])
    return (str(error) or type(error).__name__).splitlines()[0]
