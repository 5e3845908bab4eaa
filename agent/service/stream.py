"""Server-sent events from an async iterator, ended when the front-end or the service goes.

Written against ASGI and not as a streaming response with a generator: three things end such a stream (its source, the reader, the service)
and a sign of life goes in between, which is one task group here and a tangle inside a generator.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from agent.events import Event
from agent.service.wire import KEEP_ALIVE_S, Fault, Notice

_KEEP_ALIVE = b": alive\n\n"


def event_frame(event: Event) -> bytes:
    """One event of a session; a live one has no id, so that resuming starts after the last stored one."""
    place = f"id: {event.seq}\n" if event.seq else ""
    return f"{place}data: {event.model_dump_json()}\n\n".encode()


def notice_frame(notice: Notice) -> bytes:
    """One notice about the service."""
    return f"event: notice\ndata: {notice.model_dump_json()}\n\n".encode()


def fault_frame(code: str, message: str) -> bytes:
    """What went wrong after the answer had begun."""
    return f"event: fault\ndata: {Fault(code=code, message=message).model_dump_json()}\n\n".encode()


class EventStream(Response):
    """An answer that goes on until its source ends, the reader goes or `stop` is set."""

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncGenerator[bytes], *, stop: anyio.Event) -> None:
        super().__init__(headers={"cache-control": "no-store"})
        del self.headers["content-length"]
        self._frames = frames
        self._stop = stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it all."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_after, tasks.cancel_scope, self._stop.wait)
            tasks.start_soon(_cancel_after, tasks.cancel_scope, lambda: _wait_gone(receive))
            tasks.start_soon(_keep_alive, send)
            # Closed here and now: an attached front-end counts until its source has ended, not until it is collected.
            async with aclosing(self._frames) as frames:
                async for frame in frames:
                    await send({"type": "http.response.body", "body": frame, "more_body": True})
            tasks.cancel_scope.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _cancel_after(scope: anyio.CancelScope, wait: Callable[[], Awaitable[object]]) -> None:
    await wait()
    scope.cancel()


async def _wait_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _keep_alive(send: Send) -> None:
    while True:
        await anyio.sleep(KEEP_ALIVE_S)
        await send({"type": "http.response.body", "body": _KEEP_ALIVE, "more_body": True})
