"""A client that stops reading holds nobody up for ever, and its model is not blamed for it."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import pytest

from tests.fakes.upstream import Exchange
from tests.inference.engines import ASKED, frame, running, until

pytestmark = pytest.mark.anyio

HUNG_S = 0.4
MUCH = frame("x" * 200_000)
"""Some of these are more than all that lies between a client and its model can hold."""


async def test_a_client_that_stops_reading_gives_its_place_back_and_the_model_stays(tmp_path: Path) -> None:
    async def talk(exchange: Exchange) -> None:
        if exchange.request.target == "/slots":
            await exchange.json(b"[]")
            return
        if b'"stream"' not in exchange.request.body:
            await exchange.json(b"{}")
            return
        await exchange.begin_stream()
        with suppress(anyio.BrokenResourceError):
            while True:
                await exchange.chunk(MUCH)

    async with running(tmp_path, bound_s=60, hung_s=HUNG_S) as (on, upstream, children):
        upstream.script = talk
        body = json.dumps(ASKED).encode()
        place = urlsplit(on.url)
        async with await anyio.connect_tcp(place.hostname or "", place.port or 0) as client:
            head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {place.netloc}\r\ncontent-type: application/json\r\n"
            await client.send(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
            await client.receive()
            await until(on.supervisor, lambda state: not state.models["small"].leases)
            assert (await on.client.post("/v1/embeddings", json={"model": "balanced"})).status_code == 200
        # It made room because another was asked for, and not because it was thought to hang.
        assert [child.spec.name for child in children.started] == ["small", "large"]
