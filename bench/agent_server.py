"""An OpenAI-compatible server without a model or think time, in a process of its own: `python -m bench.agent_server`.

It prints its port, then the time of each stream that a client left. What it says depends on the request alone, so that every agent hears
the same. Only the standard library: it runs beside any peer.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

TOOL = "add"
SLOW = "slowly"
"""The last word of a text that is answered so."""
SLOW_WORDS, SLOW_S = 2000, 0.02
"""Long enough that every client has left before the end."""
MODELS = ("fast", "balanced")
META = {"kind": "tier", "model": "scripted", "state": "ready", "n_ctx": 1_000_000}
USAGE = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25, "prompt_tokens_details": {"cached_tokens": 20}}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def reply_to(request: dict[str, Any]) -> dict[str, Any]:
    """A call of `add` until as many results have come as the person's text asks for (`turns 50`); then the answer."""
    asked = next(_text(message) for message in reversed(request["messages"]) if message["role"] == "user")
    had = sum(message["role"] == "tool" for message in request["messages"])
    if had >= int(asked.rsplit(maxsplit=1)[-1]):
        return {"role": "assistant", "content": "Done."}
    call = {"id": f"c{had}", "type": "function", "function": {"name": TOOL, "arguments": json.dumps({"a": had, "b": had + 1})}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def chunks_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    """A message as a stream gives it: in one piece, for the servers' usual many would measure how JSON is read."""
    calls = [{"index": index, **call} for index, call in enumerate(message.get("tool_calls", ()))]
    delta = {**message, "tool_calls": calls} if calls else message
    end: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": "tool_calls" if calls else "stop"}
    return [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}, {"choices": [end]}, {"choices": [], "usage": USAGE}]


async def _handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            route, body = await _read(reader)
            if body:
                await _answer(reader, writer, json.loads(body))
            elif route.endswith("/models"):
                entries = [{"id": name, "object": "model", "owned_by": "variet", "meta": META} for name in MODELS]
                _send(writer, {"object": "list", "data": entries})
            else:
                _send(writer, {})
            await writer.drain()
    writer.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: dict[str, Any]) -> None:
    if _text(request["messages"][-1]).endswith(SLOW):
        return await _stream_slowly(reader, writer)
    message = reply_to(request)
    if not request.get("stream"):
        finish = "tool_calls" if "tool_calls" in message else "stop"
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return _send(writer, {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": USAGE})
    writer.write(HEAD)
    for chunk in chunks_of(message):
        writer.write(_frame(chunk))
    return writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")


async def _stream_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # A client says nothing while it listens: what can be read is its leaving.
    left = asyncio.ensure_future(reader.read(1))
    writer.write(HEAD)
    async with aclosing(_words()) as words:
        async for word in words:
            writer.write(_frame(word))
            await asyncio.wait({left}, timeout=SLOW_S)
            if left.done():
                print(time.monotonic(), flush=True)
                raise ConnectionResetError
    left.cancel()


async def _words() -> AsyncGenerator[dict[str, Any]]:
    for _ in range(SLOW_WORDS):
        yield {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "word "}, "finish_reason": None}]}


def _text(message: dict[str, Any]) -> str:
    """A message's text; some clients send it in parts."""
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _frame(chunk: dict[str, Any]) -> bytes:
    frame = b"data: " + json.dumps({"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "m", **chunk}).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(frame), frame)


def _send(writer: asyncio.StreamWriter, payload: dict[str, Any]) -> None:
    body = json.dumps(payload).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


async def _read(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next((int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0)
    return head.split(" ")[1], await reader.readexactly(length)


async def _serve() -> None:
    server = await asyncio.start_server(_handle, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve())
