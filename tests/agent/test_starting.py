"""What a start does side by side, and what is ready before the first question."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from agent.sessions.session import open_runtime
from agent.tools.toolbox import Toolbox
from config.paths import Home
from config.schema import AgentSettings
from tests.fakes.children import FakeChildren
from tests.inference.engines import engine, until

pytestmark = pytest.mark.anyio

BOUND_S = 60


class _NotedTools(Toolbox):
    """Says when its servers are being started."""

    def __init__(self) -> None:
        super().__init__([])
        self.has_begun = anyio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[Toolbox]:
        async with super().running():
            self.has_begun.set()
            yield self


async def test_the_tool_servers_start_while_the_engine_does_not_listen_yet(home: Home):
    tools = _NotedTools()

    async def wait_for_engine() -> str:
        await tools.has_begun.wait()
        return "http://127.0.0.1:9"

    with anyio.fail_after(BOUND_S):
        async with open_runtime(home, AgentSettings(), engine_url=wait_for_engine, engine_key=None, tools=tools) as runtime:
            assert runtime.sessions() == []


async def test_the_model_is_loaded_before_anybody_asks(home: Home, tmp_path: Path):
    with anyio.fail_after(BOUND_S):
        async with (
            engine(FakeChildren(loads_at_once=True), tmp_path) as running,
            open_runtime(home, AgentSettings(), engine_url=running.url, engine_key=None, tools=Toolbox([])) as runtime,
        ):
            await runtime.warm()
            await until(running.supervisor, lambda state: state.models["small"].phase == "ready")


async def test_an_engine_that_cannot_be_asked_is_left_for_the_first_question_to_report(home: Home):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with anyio.fail_after(BOUND_S):
        async with open_runtime(home, AgentSettings(), engine_url=url, engine_key=None, tools=Toolbox([])) as runtime:
            await runtime.warm()
