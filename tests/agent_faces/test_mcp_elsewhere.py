"""A question that is open in a client's form may be answered anywhere: the form is closed, and the call goes on."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from mcp import Client
from mcp_types import ElicitRequestParams, ElicitResult

from agent.faces.link import linked
from agent.faces.mcp.server import build
from tests.agent_faces.test_mcp_server import BOUND_S, text_of
from tests.agent_service.conftest import Attach


@pytest.mark.anyio
async def test_an_answer_that_is_given_elsewhere_closes_the_form_and_the_next_question_is_asked(attached: Attach) -> None:
    shown: list[str] = []
    first, closed = anyio.Event(), anyio.Event()

    async def elicited(context: Any, params: ElicitRequestParams) -> ElicitResult:
        shown.append(params.message.splitlines()[0])
        if len(shown) == 1:
            first.set()
            try:
                await anyio.sleep_forever()
            finally:
                closed.set()
        return ElicitResult(action="accept", content={"decision": "yes"})

    with anyio.fail_after(BOUND_S):
        async with (
            attached() as service,
            linked(lambda: attached()) as link,
            Client(build(link), mode="legacy", elicitation_callback=elicited) as client,
            anyio.create_task_group() as tasks,
        ):

            async def answer_elsewhere() -> None:
                await first.wait()
                (needed,) = await service.approvals()
                await service.approve(needed.approval, digest=needed.digest, granted=True, who="cli")

            tasks.start_soon(answer_elsewhere)
            assert text_of(await client.call_tool("run_task", {"task": "add2"})) == "Created: One Created: Two"
            await closed.wait()
    assert shown == ["Create: One", "Create: Two"]
