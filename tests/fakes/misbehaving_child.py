"""A real process that speaks like llama-server and misbehaves as told: what a supervisor must survive, without a model.

It takes llama-server's command line (what it does not know it ignores), answers 503 on every route while it loads, writes
the state lines when `LLAMA_SERVER_ROUTER_PORT` is set, asks for the key in `LLAMA_API_KEY`, and honours the exit command.
`fake_binary` wraps it as a program that a configuration can name. Its own flags are below; a model's `extra_args` may carry them.
`GET /fake/streams` tells how many streams it began, ended and lost, for tests that look at what reached the child.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import anyio
import anyio.from_thread
import anyio.lowlevel
from anyio.abc import SocketStream

STATE_PREFIX = "cmd_child_to_router:state:"
EXIT_COMMAND = "cmd_router_to_child:exit"
GRANDCHILD_PREFIX = "grandchild:"
"""Written to the log with the pid of the process that `--leave-grandchild` leaves."""

BAD_MODEL = """\
llama_model_load: error loading model: tensor 'output.weight' data is not within the file bounds, model is corrupted or incomplete
llama_model_load_from_file_impl: failed to load model
srv    load_model: failed to load model, 'fake.gguf'
srv          init: exiting due to model loading error"""

PROGRESS_STEP_S = 0.02


def fake_binary(folder: Path, *flags: str) -> Path:
    """A program in `folder` that runs this file with `flags` before its own arguments."""
    path = folder / "fake-llama-server"
    path.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, __file__, *flags])} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    # What a build is told by: one without state lines is older than this level of logging.
    levels = "-lv N: 3: info, 4: debug" if "--no-state-lines" in argv else "-lv N: 3: info, 4: trace (more info), 5: debug"
    parser = argparse.ArgumentParser(allow_abbrev=False, epilog=levels)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--alias", default="fake")
    parser.add_argument("--slow-load", type=float, default=0.0, metavar="S", help="load for S seconds, telling how far it is")
    parser.add_argument("--never-ready", action="store_true", help="begin to load, then say nothing more")
    parser.add_argument("--die-while-loading", action="store_true")
    parser.add_argument("--oom", action="store_true", help="die while loading, for want of VRAM")
    parser.add_argument("--no-state-lines", action="store_true", help="be an older build: only /health tells")
    parser.add_argument("--ignore-sigterm", action="store_true")
    parser.add_argument("--ignore-exit-command", action="store_true")
    parser.add_argument("--leave-grandchild", action="store_true", help="start a process that outlives this one and holds its output")
    parser.add_argument("--grandchild-escapes", action="store_true", help="... in a session of its own, ignoring SIGTERM")
    parser.add_argument("--hang", action="store_true", help="take requests and never answer them")
    parser.add_argument("--hang-after-chunks", type=int, default=None, metavar="N", help="then be healthy and do nothing more")
    parser.add_argument("--die-after-chunks", type=int, default=None, metavar="N")
    parser.add_argument("--chunks", type=int, default=8, help="chunks per stream, unless max_tokens says fewer")
    parser.add_argument("--pace-ms", type=float, default=0.0, help="between two chunks")
    return parser.parse_known_args(argv)[0]


class FakeServer:
    """The one server of this process."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.is_ready = False
        self.is_hung = options.hang
        self.streams = {"begun": 0, "ended": 0, "lost": 0}
        self._key = os.environ.get("LLAMA_API_KEY")
        self._speaks = not options.no_state_lines and "LLAMA_SERVER_ROUTER_PORT" in os.environ

    async def run(self) -> None:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=self.options.port)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, self._serve)
            await self._load()
            threading.Thread(target=self._read_commands, args=(anyio.lowlevel.current_token(),), daemon=True).start()
            with anyio.open_signal_receiver(signal.SIGINT, *([] if self.options.ignore_sigterm else [signal.SIGTERM])) as signals:
                async for _ in signals:
                    leave(0)

    async def _load(self) -> None:
        self._tell("loading", _loading(0.0))
        if self.options.never_ready:
            await anyio.sleep_forever()
        if self.options.oom:
            leave(1, "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 9000.00 MiB on device 0: cudaMalloc failed: out of memory")
        if self.options.die_while_loading:
            leave(1, BAD_MODEL)
        began = time.monotonic()
        while (passed := time.monotonic() - began) < self.options.slow_load:
            self._tell("loading", _loading(passed / self.options.slow_load))
            await anyio.sleep(PROGRESS_STEP_S)
        self.is_ready = True
        self._tell("loading", _loading(1.0))
        say(f"srv  init: model loaded\nsrv  init: listening on http://127.0.0.1:{self.options.port}")
        self._tell("ready", {"id": self.options.alias, "meta": {"n_ctx": 4096}})

    def _tell(self, state: str, payload: Mapping[str, Any]) -> None:
        if self._speaks:
            say(f"{STATE_PREFIX}{json.dumps({'state': state, 'payload': payload})}")

    def _read_commands(self, token: anyio.lowlevel.EventLoopToken) -> None:
        if not self._speaks or self.options.ignore_exit_command:
            return
        for line in sys.stdin:
            if line.strip() == EXIT_COMMAND:
                anyio.from_thread.run_sync(leave, 0, token=token)
        leave(1, "EOF on stdin detected, forcing shutdown...")

    async def _serve(self, stream: SocketStream) -> None:
        async with stream:
            try:
                while (request := await _read_request(stream)) is not None:
                    await self._answer(stream, *request)
            except (anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError):
                return

    async def _answer(self, stream: SocketStream, path: str, shown: str | None, body: dict[str, Any]) -> None:
        if not self.is_ready:
            await _send_json(stream, 503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}})
        elif path in ("/health", "/v1/health"):
            await _send_json(stream, 200, {"status": "ok"})
        elif path != "/fake/streams" and self._key is not None and shown != f"Bearer {self._key}":
            await _send_json(stream, 401, {"error": {"message": "Invalid API Key", "type": "authentication_error", "code": 401}})
        elif self.is_hung:
            await anyio.sleep_forever()
        elif path == "/v1/models":
            await _send_json(stream, 200, {"object": "list", "data": [{"id": self.options.alias, "object": "model"}]})
        elif path == "/fake/streams":
            await _send_json(stream, 200, self.streams)
        elif path != "/v1/chat/completions":
            await _send_json(stream, 404, {"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}})
        elif body.get("stream"):
            await self._stream(stream, body)
        else:
            await _send_json(stream, 200, self._completion(body))

    def _count(self, body: Mapping[str, Any]) -> int:
        return min(self.options.chunks, int(body.get("max_tokens") or self.options.chunks))

    def _completion(self, body: Mapping[str, Any]) -> dict[str, Any]:
        count = self._count(body)
        message = {"role": "assistant", "content": "".join(f"word{index} " for index in range(count))}
        return {
            "id": "chatcmpl-fake",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": self.options.alias,
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 1, "completion_tokens": count, "total_tokens": 1 + count},
        }

    async def _stream(self, stream: SocketStream, body: Mapping[str, Any]) -> None:
        self.streams["begun"] += 1
        try:
            await self._stream_chunks(stream, self._count(body))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            self.streams["lost"] += 1
            raise
        self.streams["ended"] += 1

    async def _stream_chunks(self, stream: SocketStream, count: int) -> None:
        await stream.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        began = anyio.current_time()
        for index in range(count):
            if index == self.options.hang_after_chunks:
                self.is_hung = True
                await anyio.sleep_forever()
            if index == self.options.die_after_chunks:
                leave(134, "GGML_ASSERT(tensor) failed")
            # Each chunk has its own time from the start, so that one late chunk does not shift the others.
            await anyio.sleep_until(began + index * self.options.pace_ms / 1000)
            await _send_event(stream, self._chunk({"content": f"word{index} "}, None))
        usage = {"prompt_tokens": 1, "completion_tokens": count, "total_tokens": 1 + count}
        await _send_event(stream, {**self._chunk({}, "stop"), "usage": usage, "timings": {"cache_n": 0, "predicted_n": count}})
        await _send_part(stream, b"data: [DONE]\n\n")
        await stream.send(b"0\r\n\r\n")

    def _chunk(self, delta: Mapping[str, Any], finish: str | None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 0, "model": self.options.alias, "choices": [choice]}


async def _read_request(stream: SocketStream) -> tuple[str, str | None, dict[str, Any]] | None:
    """Path, key and JSON body of the next request; None when the client has gone."""
    received = b""
    while b"\r\n\r\n" not in received:
        try:
            received += await stream.receive()
        except anyio.EndOfStream:
            return None
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += await stream.receive()
    return first.split(" ")[1], headers.get("authorization"), json.loads(body) if body else {}


async def _send_json(stream: SocketStream, status: int, document: Mapping[str, Any]) -> None:
    data = json.dumps(document).encode()
    head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {len(data)}\r\n\r\n"
    await stream.send(head.encode() + data)


async def _send_event(stream: SocketStream, document: Mapping[str, Any]) -> None:
    await _send_part(stream, f"data: {json.dumps(document)}\n\n".encode())


async def _send_part(stream: SocketStream, data: bytes) -> None:
    await stream.send(b"%x\r\n%b\r\n" % (len(data), data))


def _loading(value: float) -> dict[str, Any]:
    return {"stages": ["text_model"], "current": "text_model", "value": value}


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def leave(code: int, words: str = "") -> NoReturn:
    """End at once, as a crash would: no answer is finished."""
    if words:
        say(words)
    os._exit(code)


def _start_grandchild(options: argparse.Namespace) -> None:
    trap = "trap '' TERM; " if options.grandchild_escapes else ""
    grandchild = subprocess.Popen(["/bin/sh", "-c", f"{trap}while :; do sleep 1; done"], start_new_session=options.grandchild_escapes)
    say(f"{GRANDCHILD_PREFIX}{grandchild.pid}")


def main(argv: Sequence[str]) -> None:
    options = _arguments(argv)
    if options.ignore_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.leave_grandchild:
        _start_grandchild(options)
    anyio.run(FakeServer(options).run)


if __name__ == "__main__":
    main(sys.argv[1:])
