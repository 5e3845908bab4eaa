"""The two ways to a tool server: a process over standard input and output, and an address over streamable HTTP.

Both are the MCP library's transports, with what it leaves to its caller: the end of a process is seen while nothing is being called, and
an address gets its token, follows no redirect and says what is wrong when it is refused.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import anyio
import httpx2
from pydantic import SecretStr

from agent.tools.spec import ServerSpec
from config.long_logs import set_aside
from config.trust import trust_of

if TYPE_CHECKING:
    from mcp import StdioServerParameters
    from mcp.client._transport import TransportStreams

CONNECT_TIMEOUT_S = 15.0
"""To connect and to send: a server in the house, or one behind a slow line."""
UNAUTHORIZED = 401
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

    parameters = StdioServerParameters(command=spec.command[0], args=list(spec.command[1:]), env=dict(env))
    async with _watched(parameters, log_file, died) as streams:
        yield streams


@asynccontextmanager
async def over_http(spec: ServerSpec, token: SecretStr | None) -> AsyncGenerator[TransportStreams]:
    """A server at an address. What breaks the connection is raised where the streams are used.

    Raises:
        Refused: it wants another token.
        CertificatesRefused: `spec.ca` cannot be used.
    """
    from mcp.client.streamable_http import streamable_http_client

    async def look(response: httpx2.Response) -> None:
        if response.status_code == UNAUTHORIZED:
            shown = "does not take the token" if token else "wants a token"
            raise Refused(f"it {shown}: put it into the secret {token_name(spec.name)}")

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
