"""Serves one tool server's tools over standard input and output, or over HTTP, with the MCP library's low-level server.

The low-level server is used because it hands over the request's `_meta` and takes the result as it is. Whatever a
tool refuses or breaks on is a result that the model can read, never a protocol error. What the keys of `_meta` mean is
written in docs/tools.md; a client that sends none of them is served from this machine's clock and zone.
"""

from __future__ import annotations

import importlib
import logging
import os
import secrets
import threading
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import anyio
import anyio.lowlevel
import anyio.to_thread
import click
import mcp_types as types

from config.disk.unwritable import why_unwritable
from config.logs import set_up_logging
from config.network.collectors import is_traced
from mcp_servers.errors import Quoting, Refusal
from mcp_servers.outside.quotes import TOKEN_BYTES, quoted
from mcp_servers.protocol import progress
from mcp_servers.protocol.bind import Bind, BindRefused
from mcp_servers.protocol.calls import AsyncHandler, Call, Handler, Outcome, Plan, checked, digest_of
from mcp_servers.protocol.local_zone import local_zone
from mcp_servers.protocol.mcp_library import Server, ServerRequestContext, stdio_server
from mcp_servers.protocol.signatures import ToolSpec

log = logging.getLogger(__name__)
T = TypeVar("T")

CONTEXT_KEY = "variet/context"
PREPARE_KEY = "variet/prepare"
HOST_KEY = "variet/host"
GRANT_KEY = "variet/grant"
EXTENDED_KEY = "variet/extended"
OVER_HTTP = "mcp_servers.protocol.over_http"
TRACING = "mcp_servers.protocol.tracing"
BEAT_S = 1.0
"""Between signs of life for a client that asked for them."""
TURN_LOOK_S = 0.1
"""Between looks at whether a call that waits for its turn has been given up."""


@dataclass(frozen=True)
class ToolServer:
    """A server's name, its tools in their served order, and what carries out each."""

    name: str
    tools: tuple[ToolSpec, ...]
    handlers: Mapping[str, AsyncHandler]
    zone: tzinfo | None = None
    """The person's zone; absent: this machine's."""


def threaded(handlers: Mapping[str, Handler]) -> dict[str, AsyncHandler]:
    """Handlers that touch files, each run in a worker thread, one at a time: a store has one user per process."""
    turn = threading.Lock()

    def in_turn(work: Callable[[], T]) -> T:
        while not turn.acquire(timeout=TURN_LOOK_S):
            progress.check()
        try:
            progress.check()
            return work()
        finally:
            turn.release()

    def in_thread(handler: Handler) -> AsyncHandler:
        async def run(call: Call) -> Outcome | Plan:
            done = await anyio.to_thread.run_sync(in_turn, partial(handler, call))
            if isinstance(done, Outcome):
                return done
            execute = done.execute if done.may_be_broken_off else partial(progress.whole, done.execute)
            return replace(done, execute=partial(in_turn, execute))

        return run

    return {name: in_thread(handler) for name, handler in handlers.items()}


def build(server: ToolServer) -> Server[Any]:
    """The MCP server, not yet connected to anyone."""
    specs = {spec.name: spec for spec in server.tools}
    listed = types.ListToolsResult(tools=[tool_of(spec) for spec in server.tools])

    async def list_tools(_context: object, _params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return listed

    async def call_tool(context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams) -> types.CallToolResult:
        return await _with_beats(context, params.name, answer(params))

    async def answer(params: types.CallToolRequestParams) -> types.CallToolResult:
        meta: Mapping[str, Any] = dict(params.meta or {})
        try:
            spec = specs.get(params.name)
            if spec is None:
                raise Refusal(f'There is no tool "{params.name}". There are {", ".join(specs)}. Call one of them.')
            return _result(await _run(server, spec, params.arguments or {}, meta))
        except Quoting as refusal:
            return _error(str(refusal), origin=f"{server.name} {params.name}")
        except Refusal as refusal:
            return _error(str(refusal))
        except progress.GivenUp:
            await anyio.lowlevel.checkpoint()  # where the library ends a call that is given up
            return _error("The call was given up. Make it again if it is still wanted.")
        except Exception as error:
            log.exception("%s failed", params.name)
            if disk := why_unwritable(error):
                return _error(f"The disk of this machine {disk.why}. The person must {disk.remedy}. Nothing else will help.")
            return _error(f"The {server.name} server failed at this. Its log says why. Try something else.")

    return Server(f"variet-{server.name}", version=_version(), on_list_tools=list_tools, on_call_tool=call_tool)


def serve(server: ToolServer, bind: Bind | None = None) -> None:
    """Serve until standard input ends, or over HTTP until told to end.

    Args:
        server: what is served.
        bind: where, over HTTP; absent: over standard input and output.
    """
    # Standard output carries the protocol; one line per request would only fill the host's log.
    set_up_logging(server.name, level=logging.WARNING)
    with traced(server.name):
        if bind is None:
            anyio.run(_serve_stdio, build(server))
            return
        try:
            importlib.import_module(OVER_HTTP).serve_http(build(server), server.name, bind)
        except BindRefused as refusal:
            raise click.UsageError(str(refusal)) from refusal


@contextmanager
def traced(name: str, environ: Mapping[str, str] = os.environ) -> Generator[None]:
    """Tell a collector of the server's calls for the length of a block, where the standard's variables name one."""
    if not is_traced(environ):
        yield
        return
    try:
        telling = importlib.import_module(TRACING).Telling(name)
    except Exception:
        # Neither an extra that is missing nor a variable that cannot be read may keep a server from serving.
        log.exception("nothing is told to the collector")
        yield
        return
    try:
        yield
    finally:
        telling.close()


async def _serve_stdio(server: Server[Any]) -> None:
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


async def _with_beats(context: ServerRequestContext[Any, Any], tool: str, answer: Awaitable[T]) -> T:
    """Tell a client that asked for progress how its call goes on, and the call's threads when it is given up."""
    done: list[T] = []
    work = progress.Work()
    with progress.under_way(work):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_beat, context, tool, work)
            done.append(await answer)
            tasks.cancel_scope.cancel()
    return done[0]


async def _beat(context: ServerRequestContext[Any, Any], tool: str, work: progress.Work) -> None:
    """Nothing is sent to a client that gave no progress token: the library sees to that."""
    seconds = 0.0
    try:
        while True:
            await anyio.sleep(BEAT_S)
            seconds += BEAT_S
            what = f": {work.said}" if work.said else ""
            await context.session.report_progress(seconds, None, f"{tool} has run for {seconds:.0f} s{what}.")
    finally:
        # A thread cannot be cancelled as this task is: it looks, and what it waits for is ended.
        work.give_up()


async def _run(server: ToolServer, spec: ToolSpec, arguments: Mapping[str, Any], meta: Mapping[str, Any]) -> Outcome:
    is_preparing = bool(meta.get(PREPARE_KEY))
    if is_preparing and spec.tool_class == "read":
        raise Refusal(f"{spec.name} only reads. There is nothing to prepare. Make the call itself.")
    host = _texts(meta.get(HOST_KEY))
    digest = digest_of(spec.name, arguments, host)
    context = meta.get(CONTEXT_KEY)
    # The agent service says whether its model can reach them; any other client is served every tool.
    lists_extended = CONTEXT_KEY not in meta or _texts(context).get("extended") is True
    call = Call(checked(spec, arguments), _now(context, server.zone), host, digest, _texts(meta.get(GRANT_KEY)), lists_extended)
    done = await server.handlers[spec.name](call)
    if isinstance(done, Plan):
        # What a dry run shows quotes what it found: titles, places, subjects.
        shown = Outcome(done.summary, {**done.prepared(), "untrusted": True})
        done = shown if is_preparing else await anyio.to_thread.run_sync(done.execute)
    if done.is_fenced or not done.structured.get("untrusted"):
        return done
    return replace(done, text=_block(done.text, f"{server.name} {spec.name}", call.now, _removed(done.structured)))


def _texts(value: object) -> dict[str, Any]:
    return {str(key): item for key, item in value.items()} if isinstance(value, Mapping) else {}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _now(context: object, zone: tzinfo | None) -> datetime:
    """The message's own time in the person's zone; this machine's clock and zone for what the context leaves out."""
    said = _texts(context)
    try:
        home = ZoneInfo(str(said["zone"])) if said.get("zone") else zone or local_zone()
        moment = datetime.fromisoformat(str(said["now"])) if said.get("now") else datetime.now(UTC)
    except (ValueError, ZoneInfoNotFoundError, OSError) as error:
        hint = "Leave it out, or give now with its offset, and a zone such as Europe/Berlin."
        raise Refusal(f"The call's {CONTEXT_KEY} is not a time with a zone. {hint}") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=home)).astimezone(home)


def tool_of(spec: ToolSpec) -> types.Tool:
    """The tool as it is listed. What a client need not know costs every model that is shown it."""
    return types.Tool.model_validate(
        {
            "name": spec.name,
            "description": spec.description,
            "inputSchema": spec.input_schema(),
            "annotations": spec.annotations(),
        }
        | ({"_meta": {EXTENDED_KEY: True}} if spec.is_extended else {})
    )


def _result(outcome: Outcome) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=outcome.text)], structured_content=dict(outcome.structured))


def _error(sentence: str, *, origin: str = "") -> types.CallToolResult:
    """`origin` is given where the sentence holds what others wrote."""
    text = types.TextContent(text=_block(sentence, origin, datetime.now(UTC)) if origin else sentence)
    fields = {"error": sentence, **({"untrusted": True} if origin else {})}
    return types.CallToolResult(content=[text], structured_content=fields, is_error=True)


def _block(text: str, origin: str, at: datetime, removed: Mapping[str, int] | None = None) -> str:
    return quoted(text, origin=origin, at=at, removed=removed).block(secrets.token_hex(TOKEN_BYTES))


def _removed(structured: Mapping[str, Any]) -> dict[str, int]:
    """What was taken out of the texts before they became this result: of all of it, or of the one text that it quotes."""
    told = structured.get("removed") or _texts(structured.get("quoted")).get("removed")
    return {kind: count for kind, count in _texts(told).items() if isinstance(count, int)}


def _version() -> str:
    try:
        return version("variet")
    except PackageNotFoundError:
        return "0"
