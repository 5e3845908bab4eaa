"""A face that is ended by a signal, its client's end of the pipe still open: what ran for the client is cancelled, and the face ends."""

from __future__ import annotations

import json
import signal
import sys
from typing import Any

import anyio
import pytest

from config.paths import Home
from tests.agent_service.conftest import Attach

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")]
BOUND_S = 90
ABLE = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}


def asked_of_mcp(session: str) -> list[dict[str, Any]]:
    call = {"name": "continue_task", "arguments": {"session": session, "message": "slow"}}
    return [
        {"id": 1, "method": "initialize", "params": ABLE},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": call},
    ]


def asked_of_acp(session: str) -> list[dict[str, Any]]:
    return [{"id": 1, "method": "session/prompt", "params": {"sessionId": session, "prompt": [{"type": "text", "text": "slow"}]}}]


@pytest.mark.parametrize(("face", "asked"), [("acp", asked_of_acp), ("mcp-agent", asked_of_mcp)], ids=["acp", "mcp"])
async def test_a_face_that_is_told_to_end_cancels_what_runs_for_its_client(attached: Attach, home: Home, face: str, asked: Any) -> None:
    command = (sys.executable, "-m", "bots.cli", face)
    with anyio.fail_after(BOUND_S):
        async with attached() as service:
            session = await service.open_session()
            async with (
                service.listening(session) as events,
                await anyio.open_process(command, env=home.environment(), stdout=-3, stderr=-1) as process,
            ):
                assert process.stdin is not None
                assert process.stderr is not None
                lines = [json.dumps({"jsonrpc": "2.0", **message}) + "\n" for message in asked(session)]
                await process.stdin.send("".join(lines).encode())
                is_told = False
                async for event in events:
                    if event.type == "text_delta" and not is_told:
                        # Once: another one might meet the interpreter on its way out.
                        process.send_signal(signal.SIGTERM)
                        is_told = True
                    if event.type == "turn_cancelled":
                        break
                assert await process.wait() == 128 + signal.SIGTERM
                said = b"".join([each async for each in process.stderr])
                assert b"Traceback" not in said
                assert b"Fatal" not in said
