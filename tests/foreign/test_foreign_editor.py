"""Other people's editor: the official TypeScript SDK of the Agent Client Protocol drives `variet acp` with real tools and a scripted model.

Needs what `tests/foreign/test_foreign_clients.py` needs. The SDK reads each message by the protocol's schema: a value that does not fit is
left out or ends the run, and is missed here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from config.paths import Home
from tests.agent_service.conftest import home
from tests.fakes.scripted_model import Say, scripted_model
from tests.foreign.test_foreign_clients import MODULES, NODE

__all__ = ["home"]
pytestmark = [
    pytest.mark.skipif(not MODULES, reason="the foreign clients are not installed: tests/foreign/package-lock.json"),
    pytest.mark.anyio,
    pytest.mark.timeout(300),
]
BOUND_S = 240.0
EDITOR = str(Path(__file__).parent / "acp_editor.mjs")
SDK = str(Path(MODULES, "@agentclientprotocol", "sdk", "dist", "v1", "stable", "acp.js"))
SETTINGS = "[engine]\nurl = {url!r}\n\n" + "\n".join(f"[servers.{name}]\nenabled = false" for name in ("mail", "outbox", "searxng"))


def answer(request: dict[str, Any]) -> Say:
    """A model that looks a day up, or adds what it is told to add, and then says what it was told."""
    last = request["messages"][-1]
    said = str(last["content"]).split("\n")[-1]
    if last["role"] == "tool":
        return Say(f"So: {last['content']}")
    if said.startswith("add "):
        return Say("I will.", calls=[("create_event", {"title": said.removeprefix("add "), "when": "1 May 2027 at 9"})])
    return Say(calls=[("list_events", {"when": "1 May 2027"})])


def text_of(updates: list[dict[str, Any]]) -> str:
    told = [each["update"] for each in updates]
    return "".join(each["content"]["text"] for each in told if each["sessionUpdate"] == "agent_message_chunk")


async def test_the_official_sdk_of_the_protocol_holds_a_whole_conversation(home: Home, tmp_path: Path) -> None:
    async with scripted_model(answer) as model:
        home.agent_toml.write_text(SETTINGS.format(url=model.url), encoding="utf-8")
        with anyio.fail_after(BOUND_S):
            done = await anyio.run_process(
                [NODE, EDITOR, SDK, sys.executable, "-m", "bots.cli", "acp"], check=False, stdin=subprocess.DEVNULL,
                env={**os.environ, **home.environment()},
            )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()[-6000:]
    told = json.loads(done.stdout)
    assert told["exit"] == 0
    assert (told["initialized"]["protocolVersion"], told["initialized"]["agentInfo"]["name"]) == (1, "variet")
    assert [mode["id"] for mode in told["opened"]["modes"]["availableModes"]] == ["ask", "later"]
    ends = {name: told[name]["stopReason"] for name in ("read", "granted", "refused", "cancelled", "left", "gone_on")}
    assert ends == dict.fromkeys(ends, "end_turn") | {"cancelled": "cancelled"}
    # Asked with the exact call, three times and not in the other mode; what was granted is done, and nothing else.
    assert [each["title"].split(",")[0] for each in told["asked"]] == ["Create: Tea", "Create: Rent", "Create: Walk"]
    said = text_of(told["updates"])
    assert "no events" in said
    assert "Tea" in said.rpartition("So: ")[2]
    assert "Rent" not in said.rpartition("So: ")[2]
    by_call: dict[str, list[str]] = {}
    for each in (each["update"] for each in told["updates"] if each["update"]["sessionUpdate"].startswith("tool_call")):
        by_call.setdefault(each["toolCallId"], []).append(each["status"])
    assert list(by_call.values())[:3] == [["pending", "in_progress", "completed"]] * 2 + [["pending", "failed"]]
    # A loaded conversation is told again as it was.
    replayed = [each["update"]["sessionUpdate"] for each in told["replayed"]]
    assert replayed.count("user_message_chunk") == len(ends) - 1
    assert [each["sessionId"] for each in told["listed"]["sessions"]] == [told["opened"]["sessionId"]]
    assert told["option"]["configOptions"][1]["currentValue"] == "balanced"
    assert "no session" in told["not_there"]["message"]
    assert told["wrong_mode"]["code"] == -32602
