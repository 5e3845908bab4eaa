"""The MCP library behind values of ours: a connection that says when it dies, tools, questions, progress and results.

The library is imported when the first server starts, not before. Its errors leave this module as they are; `agent.tools.mcp_client`
maps them.
"""

from __future__ import annotations

import logging
from base64 import b64decode
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from pydantic import FileUrl, SecretStr

from agent.tools.endings import is_session_gone, is_unanswered
from agent.tools.patience import Patience
from agent.tools.questions import Answer, Progress, Question
from agent.tools.served import ReturnedPicture, ServedTool, ToolResult
from agent.tools.spec import ServerSpec
from agent.tools.transports import MAX_ANSWER_BYTES, over_http, over_process
from agent.view.pictures import MAX_PICTURE_BYTES, MAX_PICTURES
from agent.view.prompt import canonical_json
from agent.view.returned import told_of

if TYPE_CHECKING:
    from mcp import Client
    from mcp.client.session import ClientRequestContext, ClientSession, IncomingMessage
    from mcp_types import CallToolResult, ContentBlock, ElicitRequestParams, ElicitResult, ListRootsResult, Tool

log = logging.getLogger(__name__)

EXTENDED_KEY = "variet/extended"
"""In a served tool's `_meta`: not one of the few that every model is shown."""
LIST_PAGES = 100
"""Pages of one tool list: a server whose list never ends must not hang the start."""
TOO_LARGE = f"exceeded the {MAX_ANSWER_BYTES} byte limit"
"""What the library says of an answer that an address sent and nobody reads to its end."""
MAX_WARNING_CHARS = 300
RESULT_CHARS = 1_000_000
"""Of a result: what is longer than a book would be in the log, in the memory of its session and on its way to every front-end."""


class TooLarge(Exception):
    """The answer to a call is larger than any that is taken. The server is as well as before."""


@dataclass(frozen=True)
class Ears:
    """What a connection is told beside the answers to its calls."""

    asked: Callable[[Question], Awaitable[Answer]]
    """The server asks the person something."""
    tools_changed: Callable[[], None]
    """The server's tools are not what they were."""
    forgotten: anyio.Event = field(default_factory=anyio.Event)
    """Set by the transport when an address knows the session no more."""


@asynccontextmanager
async def connect(
    spec: ServerSpec, env: Mapping[str, str], token: SecretStr | None, ears: Ears, *, log_file: Path | None, mode: str = "auto"
) -> AsyncGenerator[tuple[Client, anyio.Event]]:
    """A client that is not yet entered, and an event that is set when its server is gone.

    Args:
        spec: the server.
        env: variables of its process, beside the few that every server inherits.
        token: what an address is shown.
        ears: of this connection.
        log_file: where standard error goes; None to drop it.
        mode: "auto" asks first which protocol the server knows; "legacy" begins with the older one.
    """
    from mcp import Client
    from mcp_types import Implementation

    died = anyio.Event()
    transport = over_http(spec, token, ears.forgotten) if spec.url else over_process(spec, env, log_file, died)
    yield (
        Client(
            transport,
            read_timeout_seconds=spec.longest_start_s,
            mode=mode,
            # Sampling is refused by the library itself: a server that asks our model would speak in the person's name.
            elicitation_callback=partial(_asked, spec.name, ears),
            list_roots_callback=partial(_roots, spec.roots),
            message_handler=partial(_heard, ears),
            client_info=Implementation(name="variet", version=version("variet")),
        ),
        died,
    )


async def _asked(server: str, ears: Ears, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    from mcp_types import ElicitResult

    del context  # Which call a question belongs to is the connection's to know.
    if params.mode == "url":
        question = Question(server, params.message, url=params.url)
    else:
        question = Question(server, params.message, dict(params.requested_schema))
    answer = await ears.asked(question)
    return ElicitResult(action=answer.action, content=dict(answer.content) if answer.content is not None else None)


async def _roots(folders: Sequence[Path], context: ClientRequestContext) -> ListRootsResult:
    from mcp_types import ListRootsResult, Root

    del context  # Every call of a server is told the same.
    return ListRootsResult(roots=[Root(uri=FileUrl(folder.absolute().as_uri()), name=folder.name) for folder in folders])


async def _heard(ears: Ears, message: IncomingMessage) -> None:
    from mcp_types import ToolListChangedNotification

    if isinstance(message, ToolListChangedNotification):
        ears.tools_changed()


async def list_tools(client: Client) -> tuple[ServedTool, ...]:
    """Everything that the server offers now."""
    tools: dict[str, ServedTool] = {}
    cursor: str | None = None
    for _ in range(LIST_PAGES):
        page = await client.list_tools(cursor=cursor, cache_mode="refresh")
        for tool in page.tools:
            if not tool.name.isprintable():  # it stands in approvals and in the audit book, and could repaint them
                log.warning("left out a tool whose name holds characters that cannot be shown: %r", tool.name)
                continue
            # Of two with one name a call reaches one: the model is shown the first.
            tools.setdefault(tool.name, _served(tool))
        cursor = page.next_cursor
        if cursor is None:
            break
    return tuple(tools.values())


async def hear_changes(client: Client, ears: Ears) -> None:
    """Ask a server of the newer protocol to say when its tools change; one of the older does so unasked. Ends when it says no more."""
    if not (client.server_capabilities.tools and client.server_capabilities.tools.list_changed):
        return
    try:
        async with client.listen(tools_list_changed=True) as changes:
            async for _ in changes:
                ears.tools_changed()
    except Exception as error:  # noqa: BLE001 - whatever the library raises: the server is as good without it.
        log.info("will not hear of changed tools: %s", error)


def _served(tool: Tool) -> ServedTool:
    hints = tool.annotations
    return ServedTool(
        tool.name,
        tool.description or "",
        tool.input_schema,
        {"read_only": hints.read_only_hint, "destructive": hints.destructive_hint, "open_world": hints.open_world_hint} if hints else {},
        is_extended=bool((tool.meta or {}).get(EXTENDED_KEY)),
    )


def keep_results(client: Client) -> Callable[[str, CallToolResult], Awaitable[str]]:
    """Take the library's check of results into our own hands: it raises, and drops the result of a call that has been made.

    Returns:
        The same check; it tells what is wrong with a result, or nothing.
    """
    session: ClientSession = client.session
    check = session.validate_tool_result

    async def pass_on(name: str, result: CallToolResult) -> None:
        """Nothing is dropped."""

    async def warning(name: str, result: CallToolResult) -> str:
        try:
            await check(name, result)
        except RuntimeError as error:
            return str(error).splitlines()[0][:MAX_WARNING_CHARS]
        return ""

    session.validate_tool_result = pass_on
    return warning


@dataclass(frozen=True)
class Connection:
    """A client that has been entered, and its check of results."""

    client: Client
    warning: Callable[[str, CallToolResult], Awaitable[str]]
    """What is wrong with a result, by the tool's own schema; empty for nothing."""
    ears: Ears

    async def run_tool(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        meta: Mapping[str, Any],
        patience: Patience,
        bound_s: float,
        on_progress: Callable[[Progress], None],
    ) -> ToolResult:
        """One call. An error that the server answers with is a result; only a missing answer is raised.

        Raises:
            TimeoutError: `patience` was over. The server was told that the call is given up.
            TooLarge: the answer came, and is not taken.
        """
        from mcp import MCPError
        from mcp_types import CONNECTION_CLOSED

        async def heard(done: float, total: float | None, message: str | None) -> None:
            patience.heard()
            # NaN and infinity are no numbers in JSON, where front-ends read them.
            if isfinite(done):
                on_progress(Progress(done, total if total is not None and isfinite(total) else None, message or ""))

        try:
            with patience.scope:
                result = await self.client.call_tool(
                    tool, dict(arguments), bound_s, heard, meta=dict(meta) or None,  # pyright: ignore[reportArgumentType]
                )  # fmt: skip
                warning = "" if result.is_error else await self.warning(tool, result)
                text, fields = bounded(_text(result, warning)), _bounded_fields(result)
                return ToolResult(text, is_error=result.is_error, structured=fields, returned=_pictures(result))
        except MCPError as error:
            if error.code == CONNECTION_CLOSED and TOO_LARGE in error.message:
                raise TooLarge from error
            if is_unanswered(error) or self.has_forgotten(error):
                raise
            return ToolResult(bounded(error.message), is_error=True)
        raise TimeoutError(f"{tool} said nothing in time")

    def has_forgotten(self, error: BaseException) -> bool:
        """Whether a call failed because an address knows the session no more: then it was not taken."""
        return self.ears.forgotten.is_set() and is_session_gone(error)


def bounded(text: str) -> str:
    """A result's text, without the end of one that has none."""
    if len(text) <= RESULT_CHARS:
        return text
    log.warning("cut a result of %d characters", len(text))
    return f"{text[:RESULT_CHARS]}\n(Warning: the result has {len(text)} characters; what follows was left out.)"


def _bounded_fields(result: CallToolResult) -> dict[str, Any] | None:
    fields = result.structured_content
    return fields if fields is None or len(canonical_json(fields)) <= RESULT_CHARS else None


def _text(result: CallToolResult, warning: str) -> str:
    parts = [_told(part) for part in result.content]
    text = "\n".join(parts) if parts else canonical_json(result.structured_content or {})
    if not warning:
        return text
    log.warning("kept a result that misses its schema: %s", warning)
    return f"{text}\n(Warning: this is not what the tool says that it returns. {warning})"


def _told(part: ContentBlock) -> str:
    """One part of a result as the model is told of it: a text as it is, of what is no text what and how much it is."""
    from mcp_types import BlobResourceContents

    match part.type:
        case "text":
            return part.text
        case "resource_link":
            return f"{part.title or part.name}: {part.uri}"
        case "resource":
            inner = part.resource
            if not isinstance(inner, BlobResourceContents):
                return inner.text
            return f"[{inner.mime_type or 'a file'} {inner.uri}, {_bytes_of(inner.blob)} bytes, not shown]"
        case _:
            return told_of(part.mime_type, _bytes_of(part.data))


def _pictures(result: CallToolResult) -> tuple[ReturnedPicture, ...]:
    """The first few of its pictures, unless one is larger than any that is shown."""
    found = [part for part in result.content if part.type == "image" and _bytes_of(part.data) <= MAX_PICTURE_BYTES][:MAX_PICTURES]
    pictures: list[ReturnedPicture] = []
    for part in found:
        with suppress(ValueError):  # Not base64, whatever its server says.
            pictures.append(ReturnedPicture(part.mime_type, b64decode(part.data, validate=True)))
    return tuple(pictures)


def _bytes_of(base64: str) -> int:
    return len(base64.rstrip("=")) * 3 // 4
