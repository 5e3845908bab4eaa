"""The plainest clients there are: sockets and bytes, so that what is measured is the server and not the client."""

from __future__ import annotations

import http.client
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio

from inference.runtimes.launch import KEY_VARIABLE

ANSWER_BOUND_S = 60.0
"""For one answer; what takes longer is broken, not slow."""
_EVENT = b"data: {"
_WORDS: list[dict[str, str]] = [{"role": "user", "content": "hello"}]


class OneTokenClient:
    """Asks for one token at a time over one connection that stays open, and times each answer."""

    def __init__(self, url: str, model: str, key: str = "") -> None:
        """`key`: what the server asks for, if anything."""
        self._host = urlsplit(url).netloc
        self._connection = http.client.HTTPConnection(self._host, timeout=ANSWER_BOUND_S)
        self._headers = {"Content-Type": "application/json", **shown(key)}
        self.ask(model)  # opens the connection, and loads the model where that is still to be done

    def ask(self, model: str) -> float:
        """Seconds from the request to the whole answer."""
        body = json.dumps({"model": model, "messages": _WORDS, "max_tokens": 1}).encode()
        began = time.perf_counter()
        self._connection.request("POST", "/v1/chat/completions", body, self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        took = time.perf_counter() - began
        if answer.status != http.client.OK:
            raise RuntimeError(f"{self._host} answered {answer.status}: {text.decode(errors='replace')}")
        return took

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()


def post_timed(connection: http.client.HTTPConnection, path: str, body: dict[str, Any], headers: dict[str, str]) -> tuple[float, Any]:
    """Seconds from a request to the whole of its answer, which is JSON, and the answer.

    Raises:
        RuntimeError: it was refused.
    """
    text = json.dumps(body)
    began = time.perf_counter()
    connection.request("POST", path, text, {"Content-Type": "application/json", **headers})
    answer = connection.getresponse()
    raw = answer.read()
    took = time.perf_counter() - began
    if answer.status != http.client.OK:
        raise RuntimeError(f"{path} was answered {answer.status}: {raw.decode(errors='replace')}")
    return took, json.loads(raw)


async def stream_arrivals(url: str, model: str, *, tokens: int | None = None, key: str = "") -> list[float]:
    """Ask for one stream and return when each of its events arrived.

    Args:
        url: of the server.
        model: its name.
        tokens: exactly so many, whatever the model would say; None for a server that knows when to stop.
        key: what the server asks for, if anything.
    """
    host = urlsplit(url)
    length = {} if tokens is None else {"max_tokens": tokens, "ignore_eos": True, "temperature": 0}
    body = json.dumps({"model": model, "messages": _WORDS, "stream": True, **length}).encode()
    headers = {"Host": host.netloc, "Content-Type": "application/json", "Content-Length": str(len(body)), **shown(key)}
    lines = ("POST /v1/chat/completions HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()))
    head = "\r\n".join((*lines, "", ""))
    arrivals: list[float] = []
    pending = b""
    with anyio.fail_after(ANSWER_BOUND_S):
        async with await anyio.connect_tcp(host.hostname or "127.0.0.1", host.port or 80) as connection:
            await connection.send(head.encode() + body)
            while b"data: [DONE]" not in pending:
                pending = pending[-len(_EVENT) :] + await connection.receive()
                arrivals += [time.perf_counter()] * pending.count(_EVENT)
                # What was counted must not be counted again; the end of this piece may begin the next event.
                pending = pending if b"data: [DONE]" in pending else pending[pending.rfind(_EVENT) + 1 :]
    return arrivals


def gaps(arrivals: list[float]) -> list[float]:
    """Seconds between neighbouring events."""
    return [later - earlier for earlier, later in zip(arrivals, arrivals[1:], strict=False)]


def model_url(status: dict[str, Any], model: str) -> str:
    """Where a model's own process answers, from the engine's status."""
    port = next(entry["port"] for entry in status["models"] if entry["name"] == model)
    return f"http://127.0.0.1:{port}"


def sees_keys() -> bool:
    """Whether `model_key` can look: only where processes show their environment as Linux does."""
    return Path("/proc/self/environ").exists()


def model_key(status: dict[str, Any], model: str) -> str:
    """What a model's own process asks for: nobody is told, but whoever started it may look into its environment."""
    pid = next(entry["pid"] for entry in status["models"] if entry["name"] == model)
    variables = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="surrogateescape").split("\0")
    return next((each.partition("=")[2] for each in variables if each.startswith(f"{KEY_VARIABLE}=")), "")


def shown(key: str) -> dict[str, str]:
    """The header that lets a request in."""
    return {"Authorization": f"Bearer {key}"} if key else {}


async def ask_for(url: str, model: str, answer_s: float) -> None:
    """Ask a plain child, directly or through the engine, for one answer that takes so long.

    Raises:
        RuntimeError: it was no answer.
    """
    place = urlsplit(url)
    body = json.dumps({"model": model, "messages": _WORDS, "answers_s": answer_s}).encode()
    lines = (
        "POST /v1/chat/completions HTTP/1.1",
        f"Host: {place.netloc}",
        "Content-Type: application/json",
        "Connection: close",
        f"Content-Length: {len(body)}",
    )
    with anyio.fail_after(ANSWER_BOUND_S + answer_s):
        async with await anyio.connect_tcp(place.hostname or "127.0.0.1", place.port or 80) as connection:
            await connection.send("\r\n".join((*lines, "", "")).encode() + body)
            answer = await connection.receive()
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"{place.netloc} answered {answer.decode(errors='replace')}")
