"""A voice's own server, for `tests.fakes.upstream`: it takes OpenAI's request for speech and sends a real recording as it is made.

It refuses as such servers do: in FastAPI's form, with 422 for a request that is not whole and 400 for a voice that it has not.
"""

from __future__ import annotations

import io
import json
import math
import struct
import wave
from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from tests.fakes.upstream import Exchange

RATE = 24_000
SECONDS_PER_CHARACTER = 0.06
VOICES = ("alloy", "anna")
_PARTS = 4
_PERIOD = 60
"""Samples of one wave: 400 a second."""
_UNKNOWN_SIZE = 2**32 - 1


def sound(seconds: float) -> bytes:
    """16-bit samples of a quiet tone, one channel."""
    period = b"".join(struct.pack("<h", round(3000 * math.sin(2 * math.pi * index / _PERIOD))) for index in range(_PERIOD))
    count = round(seconds * RATE)
    return (period * (count // _PERIOD + 1))[: 2 * count]


def wav(samples: bytes, rate: int = RATE, channels: int = 1) -> bytes:
    """A whole WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(samples)
    return file.getvalue()


def wav_as_it_is_made(samples: bytes) -> bytes:
    """A WAV whose head was sent before anyone knew how long it would be, as servers that stream write it."""
    whole = bytearray(wav(samples))
    struct.pack_into("<I", whole, 4, _UNKNOWN_SIZE)
    struct.pack_into("<I", whole, 40, _UNKNOWN_SIZE)
    return bytes(whole)


def voice(sends: str | None = None, pause_s: float = 0.0) -> Callable[[Exchange], Awaitable[None]]:
    """A script of such a server.

    Args:
        sends: the format that it always sends, whatever was asked for, as some do.
        pause_s: before each quarter of the recording, as synthesis takes its time.
    """

    async def answer(exchange: Exchange) -> None:
        if exchange.request.target != "/v1/audio/speech":
            await exchange.json(b'{"detail": "Not Found"}', "404 Not Found")
            return
        asked: dict[str, Any] = json.loads(exchange.request.body)
        if missing := [name for name in ("model", "input", "voice") if not asked.get(name)]:
            detail = [{"type": "missing", "loc": ["body", name], "msg": "Field required"} for name in missing]
            await exchange.json(json.dumps({"detail": detail}).encode(), "422 Unprocessable Content")
            return
        if asked["voice"] not in VOICES:
            await exchange.json(b'{"detail": "Voice \'%b\' not found"}' % asked["voice"].encode(), "400 Bad Request")
            return
        kind, body = _recording(sends or asked.get("response_format", "mp3"), sound(SECONDS_PER_CHARACTER * len(asked["input"])))
        await exchange.stream.send(f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        size = -(-len(body) // _PARTS)
        for start in range(0, len(body), size):
            await anyio.sleep(pause_s)
            await exchange.chunk(body[start : start + size])
        await exchange.chunk(b"")

    return answer


def _recording(form: str, samples: bytes) -> tuple[str, bytes]:
    match form:
        case "wav":
            return "audio/wav", wav_as_it_is_made(samples)
        case "pcm":
            return "audio/pcm", samples
        case "silence":
            return "audio/wav", wav(b"")
        case _:
            return "audio/mpeg", b"\xff\xf3\x44\xc4" + samples[:1000]
