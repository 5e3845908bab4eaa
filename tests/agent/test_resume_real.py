"""`kill -9` of a real runtime process while its tool servers run: the side effect under way is not repeated."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from agent.events import Event
from agent.sessions.store import Store
from agent.turns.calling import OUTCOME_UNKNOWN
from config.paths import Home
from tests.agent.test_resume import two_calls
from tests.fakes.mcp_tools import effects
from tests.fakes.scripted_model import Say, scripted_model

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
WAIT_S = 110
"""Several interpreters start one after the other, on a machine that may be busy."""


def command(home: Home, url: str, text: str) -> list[str]:
    return [sys.executable, "-m", "tests.agent.crashing_runtime", str(home.root), url, text]


async def finish(home: Home, url: str) -> list[Event]:
    """Start again, let the turn end, and read the log."""
    await anyio.run_process(command(home, url, "-"), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=None)
    store = Store(home.state_dir / "sessions.sqlite3")
    try:
        (info,) = store.sessions()
        return store.events(info.session)
    finally:
        store.close()


@pytest.mark.parametrize("tool", ["create_event", "delete_event"])
async def test_killed_while_a_side_effect_runs_it_is_not_repeated(home: Home, tool: str):
    tools = home.data_dir / "tools"
    tools.mkdir()
    pipe = tools / f"hold-{tool}"
    os.mkfifo(pipe)
    with anyio.fail_after(WAIT_S):
        async with scripted_model(two_calls(tool)) as model:
            async with await anyio.open_process(
                command(home, model.url, "go"), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=None
            ) as process:
                assert await anyio.to_thread.run_sync(pipe.read_text) == "holding"
                process.kill()
            pipe.unlink()
            log = await finish(home, model.url)
    assert len(effects(tools)) == 1
    result: Any = next(event for event in log if event.type == "tool_finished" and event.name == tool)
    assert result.decision == "asked-yes"
    assert (result.ok, result.text == OUTCOME_UNKNOWN) == ((True, False) if tool == "create_event" else (False, True))
    assert log[-1].type == "turn_done"


async def test_killed_after_the_approval_the_real_calendar_holds_the_event_once(home: Home):
    (home.data_dir / "real").touch()
    create = ("create_event", {"title": "Coffee with Marek", "when": "next Friday at 10"})

    def script(request: dict[str, Any]) -> Say:
        last = request["messages"][-1]
        return Say("Done.") if last["role"] == "tool" else Say(calls=[create])

    with anyio.fail_after(WAIT_S):
        async with scripted_model(script) as model:
            async with await anyio.open_process(command(home, model.url, "go"), cwd=ROOT, stderr=None) as process:
                assert process.stdout is not None
                seen = b""
                while b"tool_started" not in seen:
                    seen += await process.stdout.receive()
                process.kill()
            log = await finish(home, model.url)
    result: Any = next(event for event in log if event.type == "tool_finished")
    assert result.ok
    assert result.text.startswith("Created: Coffee with Marek, Fri ")
    events = [file for file in (home.data_dir / "calendars").rglob("*.ics") if "Coffee with Marek" in file.read_text(encoding="utf-8")]
    assert sum(file.read_text(encoding="utf-8").count("BEGIN:VEVENT") for file in events) == 1
