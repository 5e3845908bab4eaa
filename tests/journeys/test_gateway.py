"""RTE-5, AGT-9: a stock client with the gateway's token reaches a real model and the agent, and an MCP client the agent over HTTP."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from openai import AsyncOpenAI

from agent.faces.mcp.door import mcp_token
from agent.service.address import Address
from config.paths import Home
from tests.fakes.tiny_gguf import GREETING, write_tiny_gguf
from tests.journeys.engine_process import POLL_S, running_engine, settings_for

JOURNEY_BOUND_S = 280.0
"""Three programs and a model's start, on a machine that may be busy with other things."""
pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(JOURNEY_BOUND_S + 20)]
NO_SERVERS = "\n".join(f"[servers.{name}]\nenabled = false" for name in ("calendars", "mail", "outbox", "searxng"))
HI: list[Any] = [{"role": "user", "content": "hello"}]


@asynccontextmanager
async def _served(home: Home) -> AsyncGenerator[tuple[str, str]]:
    """`variet serve` with both ways in, and where other programs reach the gateway and the agent."""
    command = (sys.executable, "-m", "bots.cli", "serve", "--gateway-port", "0", "--mcp-port", "0")
    async with await anyio.open_process(command, env={**os.environ, **home.environment()}, stdin=None, stdout=None, stderr=None) as process:
        try:
            while (address := Address.read(home)) is None or address.gateway is None or address.mcp is None:
                assert process.returncode is None
                await anyio.sleep(POLL_S)
            yield address.gateway, address.mcp
        finally:
            process.terminate()
            with anyio.CancelScope(shield=True):
                await process.wait()


async def _token(home: Home) -> str:
    ran = await anyio.run_process((sys.executable, "-m", "bots.cli", "gateway", "--token"), env={**os.environ, **home.environment()})
    return ran.stdout.decode().strip()


async def test_a_stock_client_reaches_a_real_model_and_the_agent(home: Home, tmp_path: Path) -> None:
    model = write_tiny_gguf(tmp_path / "tiny.gguf", says=GREETING)
    settings = settings_for({"tiny": (model, ("--no-warmup",))}, {"fast": "tiny"})
    house = Home.at(tmp_path / "engine").prepare()
    async with running_engine(house, settings, bound_s=JOURNEY_BOUND_S) as engine:
        home.agent_toml.write_text(f'{NO_SERVERS}\n[engine]\nurl = "{engine.url}"\n', encoding="utf-8")
        async with (
            _served(home) as (url, mcp_url),
            AsyncOpenAI(base_url=url, api_key=await _token(home), max_retries=0, timeout=JOURNEY_BOUND_S) as client,
        ):
            assert [each.id async for each in client.models.list()][:3] == ["auto", "variet", "fast"]
            raw = await client.chat.completions.with_raw_response.create(model="auto", messages=HI, max_tokens=16, temperature=0)
            said = raw.parse().choices[0].message.content
            assert said
            assert (raw.headers["x-variet-tier"], raw.headers["x-variet-model"]) == ("fast", "tiny")
            direct = await engine.openai.chat.completions.create(model="fast", messages=HI, max_tokens=16, temperature=0)
            assert said == direct.choices[0].message.content
            stream = await client.chat.completions.create(model="fast", messages=HI, max_tokens=16, temperature=0, stream=True)
            assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]) == said
            turn = await client.chat.completions.create(model="variet", messages=HI)
            assert turn.choices[0].message.content == "".join(GREETING)
            assert turn.model == "tiny"
            bearer = {"Authorization": f"Bearer {mcp_token(home).get_secret_value()}"}
            async with (
                httpx2.AsyncClient(headers=bearer, trust_env=False, timeout=JOURNEY_BOUND_S) as http,
                Client(streamable_http_client(mcp_url, http_client=http)) as mcp,
            ):
                done = await mcp.call_tool("run_task", {"task": "hello"})
                assert (done.structured_content or {})["answer"] == "".join(GREETING)
