"""ENG-18: the embedded server is a real llama.cpp server that behaves towards a supervisor as llama-server does."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import httpx2
import pytest

from inference.catalog import ModelSpec
from inference.processes.child import Child, ChildFailed, Launch
from inference.runtimes.llama_server import Surroundings, build_launch, embedded_program
from tests.fakes.processes import free_port
from tests.fakes.tiny_gguf import COUNTING, TOOL_CALL, write_tiny_gguf

pytestmark = pytest.mark.anyio

BOUND_S = 30
CHAT = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 32}
TOOL = {
    "type": "function",
    "function": {
        "name": "add_event",
        "parameters": {"type": "object", "properties": {"title": {"type": "string"}, "when": {"type": "string"}}},
    },
}


def launch(model: Path, *extra: str) -> Launch:
    spec = ModelSpec(
        name="tiny", runtime="llama-server", path=model, context=1024, slots=2, admitted=2, threads=1, extra_args=("--no-warmup", *extra)
    )
    surroundings = Surroundings(embedded_program(sys.executable), os.environ, stall_timeout_s=20, stop_timeout_s=10)
    return build_launch(spec, free_port(), surroundings)


@asynccontextmanager
async def serving(tmp_path: Path, wanted: Launch) -> AsyncGenerator[tuple[Child, httpx2.AsyncClient]]:
    with anyio.fail_after(BOUND_S):
        child = await Child.spawn(wanted, log_path=tmp_path / "server.log", on_progress=lambda _: None)
        try:
            await child.wait_ready()
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{child.port}", trust_env=False, timeout=BOUND_S) as client:
                yield child, client
        finally:
            await child.stop()


async def fails(tmp_path: Path, wanted: Launch) -> ChildFailed:
    with anyio.fail_after(BOUND_S):
        child = await Child.spawn(wanted, log_path=tmp_path / "server.log", on_progress=lambda _: None)
        with pytest.raises(ChildFailed) as failed:
            await child.wait_ready()
    return failed.value


async def test_it_tells_its_load_in_llama_servers_own_words_and_then_answers(tmp_path: Path) -> None:
    async with serving(tmp_path, launch(write_tiny_gguf(tmp_path / "m.gguf"))) as (child, client):
        assert (await client.get("/health")).json() == {"status": "ok"}
        answer = (await client.post("/v1/chat/completions", json=CHAT)).json()
        assert answer["choices"][0]["message"]["content"] == "Good morning, all is well."
        # Two slots of 1024 tokens, of a model trained for 4096.
        assert child.ready_payload["meta"]["n_ctx"] in (1024, 2048)
        assert (await client.get("/props")).json()["total_slots"] == 2
        states = [line for line in (tmp_path / "server.log").read_text(encoding="utf-8").splitlines() if "child_to_router:state" in line]
        assert [json.loads(line.partition("state:")[2])["state"] for line in (states[0], states[-1])] == ["loading", "ready"]
    assert "model loaded" in (tmp_path / "server.log").read_text(encoding="utf-8")


async def test_it_makes_a_tool_call_that_llama_cpp_takes_apart(tmp_path: Path) -> None:
    async with serving(tmp_path, launch(write_tiny_gguf(tmp_path / "m.gguf", says=TOOL_CALL))) as (_, client):
        answer = (await client.post("/v1/chat/completions", json={**CHAT, "tools": [TOOL]})).json()
        (call,) = answer["choices"][0]["message"]["tool_calls"]
        assert call["function"]["name"] == "add_event"
        assert json.loads(call["function"]["arguments"]) == {"title": "tea with Ann", "when": "tomorrow 3pm"}


async def test_the_exit_command_ends_it_with_0_even_while_it_streams(tmp_path: Path) -> None:
    model = write_tiny_gguf(tmp_path / "m.gguf", says=COUNTING, is_endless=True)
    async with serving(tmp_path, launch(model)) as (child, client):
        request = {**CHAT, "max_tokens": 100_000, "stream": True}
        async with client.stream("POST", "/v1/chat/completions", json=request) as stream:
            await anext(stream.aiter_bytes())
            exited = await child.stop()
    assert exited.code == 0
    assert "exit command" in (tmp_path / "server.log").read_text(encoding="utf-8")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_with_0(tmp_path: Path, number: signal.Signals) -> None:
    async with serving(tmp_path, launch(write_tiny_gguf(tmp_path / "m.gguf"))) as (child, _):
        os.kill(child.pid, number)
        assert (await child.wait_exited()).code == 0


async def test_the_end_of_its_standard_input_ends_it_with_1(tmp_path: Path) -> None:
    wanted = launch(write_tiny_gguf(tmp_path / "m.gguf"))
    with anyio.fail_after(BOUND_S):
        async with await anyio.open_process(wanted.argv, env=wanted.env, stderr=None) as process:
            assert process.stdin is not None and process.stdout is not None
            seen = b""
            while b'"ready"' not in seen:
                seen += await process.stdout.receive()
            await process.stdin.aclose()
            assert await process.wait() == 1


async def test_by_hand_it_serves_without_state_lines_until_interrupted(tmp_path: Path) -> None:
    wanted = launch(write_tiny_gguf(tmp_path / "m.gguf"))
    env = {name: value for name, value in wanted.env.items() if name != "LLAMA_SERVER_ROUTER_PORT"}
    async with serving(tmp_path, replace(wanted, env=env)) as (child, client):
        assert (await client.get("/health")).status_code == 200
        os.kill(child.pid, signal.SIGINT)
        assert (await child.wait_exited()).code == 0
    assert "state:" not in (tmp_path / "server.log").read_text(encoding="utf-8")


async def test_a_missing_model_is_a_failed_load_with_llama_cpps_words(tmp_path: Path) -> None:
    failed = await fails(tmp_path, launch(tmp_path / "none.gguf"))
    assert (failed.reason, failed.exit_code) == ("bad_model", 1)
    assert "failed to load model" in str(failed) and "none.gguf" in str(failed)


async def test_a_file_that_is_no_model_is_a_failed_load(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"GGUF is what it says, but not what it is")
    assert (await fails(tmp_path, launch(tmp_path / "m.gguf"))).reason == "bad_model"


@pytest.mark.parametrize(
    ("flags", "reason", "words"),
    [
        (("--mmproj", "eyes.gguf"), "bad_projector", "failed to load multimodal model"),
        (("-ctv", "q4_0", "-fa", "off"), "exited", "quantized V cache requires flash_attn"),
        (("--chat-template", "{% if %}"), "exited", "chat template parsing error"),
    ],
)
async def test_what_else_keeps_a_model_from_loading_is_not_blamed_on_its_file(
    tmp_path: Path, flags: tuple[str, ...], reason: str, words: str
) -> None:
    (tmp_path / "eyes.gguf").write_bytes(b"GGUF" + bytes(200))
    named = (str(tmp_path / flag) if flag.endswith(".gguf") else flag for flag in flags)
    failed = await fails(tmp_path, launch(write_tiny_gguf(tmp_path / "m.gguf"), *named))
    assert (failed.reason, failed.exit_code) == (reason, 1)
    assert words in str(failed)


async def test_a_port_that_is_taken_after_the_look_is_told_by_the_server(tmp_path: Path) -> None:
    model = write_tiny_gguf(tmp_path / "m.gguf")
    async with serving(tmp_path, launch(model)) as (first, _):
        # The engine looks at one port and the server is sent to another, as if somebody had come in between.
        wanted = launch(model, "--port", str(first.port))
        failed = await fails(tmp_path, wanted)
    assert (failed.reason, failed.exit_code) == ("port_in_use", 1)
    assert "couldn't bind HTTP server socket" in str(failed)


async def test_a_flag_outside_the_subset_ends_it_with_1_and_its_name(tmp_path: Path) -> None:
    failed = await fails(tmp_path, launch(write_tiny_gguf(tmp_path / "m.gguf"), "--n-cpu-moe", "4"))
    assert failed.exit_code == 1
    assert "does not take '--n-cpu-moe'" in str(failed)
