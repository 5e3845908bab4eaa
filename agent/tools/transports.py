"""The two ways to a tool server: a process over standard input and output, and an address over streamable HTTP.

Both are the MCP library's transports, with what it leaves to its caller: the end of a process is seen while nothing is being called, and
an address gets its token, follows no redirect and says what is wrong when it is refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

import anyio
import httpx2
from pydantic import SecretStr

from agent.tools.spec import ServerSpec
from config.disk.long_logs import set_aside
from config.network.trust import trust_of

if TYPE_CHECKING:
    from mcp import StdioServerParameters
    from mcp.client._transport import TransportStreams

CONNECT_TIMEOUT_S = 15.0
"""To connect and to send: a server in the house, or one behind a slow line."""
BAD_REQUEST = 400
UNAUTHORIZED = 401
NOT_FOUND = 404
UNKNOWN_SESSION = ("no valid session id", "server not initialized")
"""What servers after the examples of the TypeScript SDK say with a 400, and without 404, of a session that they do not know."""
MAX_ANSWER_BYTES = 64 << 20
"""Of one message of a server: four pictures of 5 MiB in base64, and a million characters twice (as text and as fields), each escaped in up
to 12 bytes, are 50 MiB. The library's own bound of 1 MiB is below what is taken of a result."""
READ_MARGIN_S = 60.0
"""Beyond the longest call, so that the call's own bound is the one that counts."""


class Refused(Exception):
    """The server at an address does not take us; the text says why and what to do."""


@asynccontextmanager
async def over_process(
    spec: ServerSpec, env: Mapping[str, str], log_file: Path | None, died: anyio.Event
) -> AsyncGenerator[TransportStreams]:
    """A process of ours; `died` is set when its output ends."""
    from mcp import StdioServerParameters

    # Of a line that is no UTF-8, which any child of the server may print there, the letters alone are lost: "strict" would read no further.
    parameters = StdioServerParameters(
        command=spec.command[0], args=list(spec.command[1:]), env=dict(env), encoding_error_handler="replace"
    )
    async with _watched(parameters, log_file, died) as streams:
        yield streams


@asynccontextmanager
async def over_http(spec: ServerSpec, token: SecretStr | None, forgotten: anyio.Event) -> AsyncGenerator[TransportStreams]:
    """A server at an address. What breaks the connection is raised where the streams are used; `forgotten` is set when it knows the
    session no more.

    Raises:
        Refused: it wants another token.
        CertificatesRefused: `spec.ca` cannot be used.
    """
    from mcp.client.streamable_http import streamable_http_client

    async def look(response: httpx2.Response) -> None:
        if response.status_code == UNAUTHORIZED:
            shown = "does not take the token" if token else "wants a token"
            raise Refused(f"it {shown}: put it into the secret {token_name(spec.name)}")
        if await _knows_no_session(response):
            forgotten.set()
            # The library passes on the error of a JSON answer, and each SDK's servers have another one: without it, it goes by the status.
            response.status_code = NOT_FOUND
            response.headers["content-type"] = "text/plain"

    timeout = httpx2.Timeout(CONNECT_TIMEOUT_S, read=spec.longest_call_s + READ_MARGIN_S)
    headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
    async with (
        # No environment: a proxy that somebody set there would see the token.
        httpx2.AsyncClient(
            headers=headers, timeout=timeout, trust_env=False, verify=trust_of(spec.ca), max_redirects=0, event_hooks={"response": [look]}
        ) as http,
        streamable_http_client(spec.url, http_client=http, max_sse_event_size=MAX_ANSWER_BYTES) as streams,
    ):
        yield streams


async def _knows_no_session(response: httpx2.Response) -> bool:
    """Whether an address has forgotten the session that it was asked in: it was restarted, or the session has expired there.

    Then what was asked was not taken, and may be sent again. An error that names the request is an answer to it, unless it is of sessions.
    """
    from mcp_types import METHOD_NOT_FOUND

    request = response.request
    if request.method != "POST" or "mcp-session-id" not in request.headers or response.status_code not in (BAD_REQUEST, NOT_FOUND):
        return False
    answer = await _answer_of(response)
    error: dict[str, Any] = answer.get("error") or {}
    words, is_own = str(error.get("message")).lower(), bool(error) and answer.get("id") == json.loads(request.content).get("id", "")
    if response.status_code == NOT_FOUND:
        return error.get("code") != METHOD_NOT_FOUND and ("session" in words or not is_own)
    return not is_own and any(unknown in words for unknown in UNKNOWN_SESSION)


async def _answer_of(response: httpx2.Response) -> Mapping[str, Any]:
    """The JSON-RPC error that an answer is, with its id; empty where it is none."""
    if not response.headers.get("content-type", "").lower().startswith("application/json"):
        return {}
    try:
        said: Any = json.loads(await response.aread())
    except (httpx2.StreamError, ValueError):
        return {}
    answer = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
    return answer if isinstance(answer.get("error"), dict) else {}


def token_name(server: str) -> str:
    """The secret that a server at an address is shown."""
    return f"server_{''.join(letter if letter.isalnum() else '_' for letter in server.lower())}_token"


@asynccontextmanager
async def _watched(parameters: StdioServerParameters, log_file: Path | None, died: anyio.Event) -> AsyncGenerator[TransportStreams]:
    """The library's stdio transport, with the end of the server's output made visible while nothing is being called."""
    from mcp.client.stdio import stdio_client
    from mcp.shared.message import SessionMessage

    async with AsyncExitStack() as stack:
        errlog = stack.enter_context(_open_log(log_file))
        read, write = await stack.enter_async_context(stdio_client(parameters, errlog=errlog))
        send, receive = anyio.create_memory_object_stream[SessionMessage | Exception](0)

        async def relay() -> None:
            try:
                async with send:
                    async for message in read:
                        await send.send(message)
            except (anyio.ClosedResourceError, anyio.BrokenResourceError):
                pass  # The session has closed its end first.
            finally:
                died.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(relay)
            try:
                yield receive, write
            finally:
                receive.close()
                tasks.cancel_scope.cancel()


def _open_log(log_file: Path | None) -> TextIO:
    """Opened for appending, private: a server may log what it read. One that writes much does not fill the disk with it over the years."""
    if log_file is not None:
        set_aside(log_file)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.fdopen(os.open(log_file or os.devnull, flags, 0o600), "w", encoding="utf-8")
