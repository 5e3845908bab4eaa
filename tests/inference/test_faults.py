"""A fault of the engine's own is one client's error in the usual shape and a line in the log, never a silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.fakes.upstream import Exchange
from tests.inference.engines import ASKED, error_of, frame, running

pytestmark = pytest.mark.anyio


async def test_a_fault_before_the_first_byte_is_an_envelope(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fault() -> None:
        raise ZeroDivisionError("a fault of ours")

    def no_ticket(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a fault of ours")

    async with running(tmp_path, bound_s=60) as (on, _, _):
        on.control.get("/engine/broken")(fault)
        assert error_of(await on.client.get("/engine/broken")) == (500, "internal_error")
        with monkeypatch.context() as broken:
            broken.setattr(on.supervisor, "ticket", no_ticket)
            assert error_of(await on.client.post("/v1/embeddings", json=ASKED)) == (500, "internal_error")
        assert (await on.client.post("/v1/embeddings", json={"model": "fast"})).status_code == 200
    assert caplog.text.count("a fault of ours") >= 2


async def test_a_fault_in_the_middle_of_an_answer_breaks_it_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*_: Any) -> None:
        raise ZeroDivisionError("a fault of ours")

    async def stream(exchange: Exchange) -> None:
        await exchange.begin_stream()
        await exchange.chunk(frame("one"))
        monkeypatch.setattr("inference.upstream.tap.Tap.take", fault)
        await exchange.chunk(frame("two"))
        await exchange.until_client_leaves()

    async with running(tmp_path, bound_s=60) as (on, upstream, _):
        upstream.script = stream
        with pytest.raises(httpx2.RemoteProtocolError):
            async with on.client.stream("POST", "/v1/chat/completions", json=ASKED) as answer:
                async for _ in answer.aiter_raw():
                    pass
