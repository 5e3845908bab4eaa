"""What a start does side by side, and what is ready before the first question."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import anyio
import pytest

from agent.audit.book import BOOK_FILE
from agent.errors import AgentError
from agent.own_databases import usable
from agent.routes.passed import PASSED_FILE
from agent.routes.router import LEDGER_FILE
from agent.sessions.session import LOG_FILE, open_runtime
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


@pytest.mark.parametrize(("name", "sound"), [(LOG_FILE, 0), (LOG_FILE, 4096), (LEDGER_FILE, 0), (PASSED_FILE, 0)])
async def test_a_database_that_is_damaged_is_named_with_what_to_do(home: Home, name: str, sound: int):
    file = home.state_dir / name
    with anyio.fail_after(BOUND_S):
        async with open_runtime(home, AgentSettings(), engine_url="http://127.0.0.1:9", engine_key=None, tools=Toolbox([])):
            pass
        content = file.read_bytes()
        file.write_bytes(content[:sound] + b"\xff" * (len(content) - sound))
        with pytest.raises(AgentError, match=rf"{name} is damaged: .* Put a copy of it back"):
            async with open_runtime(home, AgentSettings(), engine_url="http://127.0.0.1:9", engine_key=None, tools=Toolbox([])):
                pass


@pytest.mark.parametrize("name", [LOG_FILE, BOOK_FILE, LEDGER_FILE, PASSED_FILE])
async def test_a_database_that_may_not_be_opened_is_named_with_the_reason(home: Home, name: str):
    (home.prepare().state_dir / name).mkdir()
    with anyio.fail_after(BOUND_S), pytest.raises(AgentError, match=rf"{name} cannot be used: .*\w\.$"):
        async with open_runtime(home, AgentSettings(), engine_url="http://127.0.0.1:9", engine_key=None, tools=Toolbox([])):
            pass


async def test_a_slip_of_ours_is_not_told_as_a_damaged_database(tmp_path: Path):
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        with pytest.raises(sqlite3.IntegrityError), usable(tmp_path / LOG_FILE):
            db.execute("INSERT INTO t VALUES (1), (1)")
        with pytest.raises(sqlite3.ProgrammingError), usable(tmp_path / LOG_FILE):
            db.execute("INSERT INTO t VALUES (?)")


async def test_a_log_of_a_newer_version_is_told_to_the_person(home: Home):
    with closing(sqlite3.connect(home.prepare().state_dir / LOG_FILE)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(AgentError, match="newer Variet"):
        async with open_runtime(home, AgentSettings(), engine_url="http://127.0.0.1:9", engine_key=None, tools=Toolbox([])):
            pass
