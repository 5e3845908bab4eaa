"""An editor that stops what it asked for, or what it found running: whenever it comes, the stop ends the turn."""

from __future__ import annotations

import pytest

from agent.service.client import ServiceClient
from tests.agent_faces.test_acp import editing, typed
from tests.agent_service.conftest import Attach

pytestmark = pytest.mark.anyio


async def ends(service: ServiceClient, session: str) -> list[str]:
    return [event.type for event in await service.stored(session) if event.type.startswith("turn_")]


async def test_a_stop_right_after_the_prompt_ends_it(attached: Attach) -> None:
    async with editing(attached) as editor:
        session = (await editor.call("session/new", cwd="/", mcpServers=[]))["sessionId"]
        await editor.say(id=7, method="session/prompt", params={"sessionId": session, "prompt": typed("add Tea")})
        await editor.say(method="session/cancel", params={"sessionId": session})
        told = await editor.next_but_updates()
        assert (told["id"], told["result"]) == (7, {"stopReason": "cancelled"})
        assert await editor.call("session/prompt", sessionId=session, prompt=typed("list")) == {"stopReason": "end_turn"}


async def test_a_stop_ends_a_turn_that_the_editor_found_running(attached: Attach) -> None:
    async with editing(attached) as editor:
        session = await editor.service.open_session()
        async with editor.service.listening(session) as events:
            await editor.service.send(session, "slow", who="cli")
            async for event in events:
                if event.type == "text_delta":
                    break
        await editor.call("session/load", sessionId=session, cwd="/", mcpServers=[])
        refused = await editor.call("session/prompt", sessionId=session, prompt=typed("list"))
        assert refused["message"].startswith("A turn is still running")
        assert refused["message"].endswith("In the editor: stop it, or close this conversation.")
        await editor.say(method="session/cancel", params={"sessionId": session})
        await editor.until("*Cancelled.*")
        assert await ends(editor.service, session) == ["turn_started", "turn_cancelled"]
        assert await editor.call("session/prompt", sessionId=session, prompt=typed("list")) == {"stopReason": "end_turn"}
