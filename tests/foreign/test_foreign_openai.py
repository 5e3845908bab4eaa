"""Other people's programs at the gateway: `llm` asks a real model, and a coding agent has a file read and changed as the model says.

`llm` is in an environment of its own (`.ci/llm.lock`; `VARIET_TEST_LLM` is its program), the coding agent is among the packages of
`package-lock.json` (`VARIET_TEST_FOREIGN`, as for the MCP clients beside this).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from agent.gateway.token import gateway_token
from agent.service.address import Address
from config.paths import Home
from tests.agent_gateway.conftest import TOKEN, model_list, serving
from tests.agent_service.conftest import home
from tests.fakes.upstream import Exchange
from tests.foreign.test_foreign_clients import MODULES, NODE

LLM = os.environ.get("VARIET_TEST_LLM", "")
QWEN = str(Path(MODULES, "@qwen-code", "qwen-code", "cli-entry.js"))
BOUND_S = 200.0
LOOK_S = 0.05
NO_SERVERS = "\n".join(f"[servers.{name}]\nenabled = false" for name in ("calendars", "mail", "outbox", "searxng"))
QUIET = {"privacy": {"usageStatisticsEnabled": False}, "telemetry": {"enabled": False}, "general": {"enableAutoUpdate": False}}
pytestmark = [
    pytest.mark.skipif(not (MODULES and LLM), reason="not installed: .ci/llm.lock, tests/foreign/package-lock.json"),
    pytest.mark.anyio,
    pytest.mark.timeout(300),
]
__all__ = ["home"]


async def ran(*command: str, environment: Mapping[str, str], folder: Path) -> str:
    with anyio.fail_after(BOUND_S):
        done = await anyio.run_process(
            command, check=False, cwd=folder, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
        )  # fmt: skip
    assert done.returncode == 0, done.stdout.decode()
    return done.stdout.decode()


def llm_settings(folder: Path, url: str) -> dict[str, str]:
    """What `llm` is told of the gateway: a file of its own, as its documentation has it."""
    model = {"model_id": "variet", "model_name": "auto", "api_base": url, "api_key_name": "variet"}
    (folder / "extra-openai-models.yaml").write_text(json.dumps([model]), encoding="utf-8")
    return {"LLM_USER_PATH": str(folder)}


async def test_llm_gets_an_answer_of_the_shipped_model_and_the_decision_is_kept(home: Home, tmp_path: Path) -> None:
    home.agent_toml.write_text(NO_SERVERS, encoding="utf-8")
    environment = {**os.environ, **home.environment()}
    async with await anyio.open_process(
        (sys.executable, "-m", "bots.cli", "serve", "--gateway-port", "0"), env=environment, stdin=None, stdout=None, stderr=None
    ) as process:
        try:
            with anyio.fail_after(BOUND_S):
                while (address := Address.read(home)) is None:
                    assert process.returncode is None
                    await anyio.sleep(LOOK_S)
            settings = llm_settings(tmp_path, str(address.gateway))
            key = ("--key", gateway_token(home).get_secret_value())
            asking = (LLM, "-m", "variet", *key, "--no-log", "-o", "max_tokens", "24", "hello")
            said = await ran(*asking, environment=settings, folder=tmp_path)
            assert said.strip()
            shown = await ran(sys.executable, "-m", "bots.cli", "routes", "--json", environment=environment, folder=tmp_path)
            assert [row["source"] for row in json.loads(shown)["decisions"]] == ["gateway"]
        finally:
            process.terminate()
            with anyio.CancelScope(shield=True):
                await process.wait()


def reply(message: Mapping[str, Any], reason: str) -> list[bytes]:
    """One answer of a model, as it streams."""
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "fast"}
    frames: list[dict[str, Any]] = [
        {**head, "choices": [{"index": 0, "delta": {"role": "assistant", **message}, "finish_reason": None}]},
        {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]},
        {**head, "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}},
    ]
    return [*(f"data: {json.dumps(frame)}\n\n".encode() for frame in frames), b"data: [DONE]\n\n"]


def call(name: str, **arguments: str) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"content": None, "tool_calls": [{"index": 0, "id": f"call_{name}", "type": "function", "function": function}]}


async def test_a_coding_agent_reads_a_file_and_changes_it_as_the_model_says(home: Home, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / ".qwen").mkdir(parents=True)
    (project / ".qwen" / "settings.json").write_text(json.dumps(QUIET), encoding="utf-8")
    file = project / "greeting.txt"
    file.write_text("hello moon\n", encoding="utf-8")
    steps = [
        reply(call("read_file", file_path=str(file)), "tool_calls"),
        reply(call("edit", file_path=str(file), old_string="moon", new_string="world"), "tool_calls"),
        reply({"content": "Changed it."}, "stop"),
    ]
    results: list[str] = []

    async def play(exchange: Exchange) -> None:
        if exchange.request.target == "/v1/models":
            await exchange.json(model_list())
            return
        if exchange.request.target != "/v1/chat/completions":
            await exchange.json(b"{}", "404 Not Found")
            return
        asked = json.loads(exchange.request.body)
        told = [str(message["content"]) for message in asked["messages"] if message["role"] == "tool"]
        results[:] = told
        await exchange.begin_stream()
        for frame in steps[min(len(told), len(steps) - 1)]:
            await exchange.chunk(frame)
        await exchange.chunk(b"")

    async with serving(home, script=play) as served:
        gateway = ("--auth-type", "openai", "--openai-base-url", str(served.address.gateway), "--openai-api-key", TOKEN)
        wanted = ("--model", "auto", "--prompt", "Say world instead of moon in greeting.txt.")
        said = await ran(NODE, QWEN, "--bare", "--yolo", *gateway, *wanted, environment={}, folder=project)
        assert said.strip().endswith("Changed it.")
        assert file.read_text(encoding="utf-8") == "hello world\n"
        assert "hello moon" in results[0]
        chats = [heard for heard in served.upstream.heard if heard.target == "/v1/chat/completions"]
        assert {json.loads(heard.body)["model"] for heard in chats} == {"fast"}
        assert len(chats) == len(steps)
