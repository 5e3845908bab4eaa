"""A client that holds its call alive by progress hears of it all the time: while a model reads and writes, and while a form is open."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from mcp import Client
from mcp_types import ElicitRequestParams, ElicitResult

from agent.faces.link import linked
from agent.faces.mcp import steps as mcp_steps
from agent.faces.mcp.server import build
from tests.agent_faces.test_mcp_server import BOUND_S, MODES, asking, text_of, told_of
from tests.agent_service.conftest import Attach

pytestmark = pytest.mark.anyio


class Heard:
    """What a client was told, and when it was told it so many times since somebody began to wait."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self.steps: list[str] = []
        self._more = anyio.Event()

    async def note(self, progress: float, total: float | None, message: str | None) -> None:
        self.values.append(progress)
        self.steps.append(message or "")
        self._more.set()
        self._more = anyio.Event()

    async def until(self, times: int, beginning: str) -> None:
        """Wait until something that begins so was told so many times."""
        while sum(step.startswith(beginning) for step in self.steps) < times:
            await self._more.wait()


@pytest.mark.parametrize("mode", MODES)
async def test_a_client_hears_of_its_call_while_nothing_but_text_comes(
    attached: Attach, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_steps, "BEAT_S", 0.01)
    heard = Heard()
    async with asking(attached, mode) as (client, service, _):
        session = await service.open_session()
        results: list[Any] = []

        async def ask() -> None:
            arguments = {"session": session, "message": "slow"}
            results.append(await client.call_tool("continue_task", arguments, progress_callback=heard.note))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await heard.until(3, "writes (")
            await service.cancel(session, who="chat")
    assert told_of(results[0])["status"] == "cancelled"
    assert heard.values == sorted(set(heard.values))
    assert all("s since then" in step for step in heard.steps if step.startswith("writes"))


async def test_a_client_hears_of_its_call_while_a_form_is_open(attached: Attach, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp_steps, "BEAT_S", 0.01)
    heard = Heard()

    async def elicited(context: Any, params: ElicitRequestParams) -> ElicitResult:
        await heard.until(4, "waits for approval: Create: Tea")
        return ElicitResult(action="accept", content={"decision": "yes"})

    with anyio.fail_after(BOUND_S):
        async with (
            attached(),
            linked(lambda: attached()) as link,
            Client(build(link), mode="legacy", elicitation_callback=elicited) as client,
        ):
            done = await client.call_tool("run_task", {"task": "add Tea"}, progress_callback=heard.note)
    assert text_of(done) == "Created: Tea"
    assert heard.values == sorted(set(heard.values))


async def test_how_far_a_prompt_is_read_is_told_with_the_next_sign_of_life_and_not_by_itself(
    attached: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_steps, "BEAT_S", BOUND_S)
    heard = Heard()
    async with asking(attached, "legacy") as (client, _, __):
        done = await client.call_tool("run_task", {"task": "load"}, progress_callback=heard.note)
    assert text_of(done) == "Loaded."
    assert "nano: loading" in heard.steps
    assert [step for step in heard.steps if "tokens" in step or "writes" in step] == []
