"""ENG-1: every route of a real llama.cpp server answers through the engine as it does when it is asked directly."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Mapping
from typing import Any, NamedTuple

import httpx2
import pytest

from bench.clients import model_key, model_url, sees_keys
from config.paths import Home
from inference.embedded.flags import BUILTIN_MODELS
from tests.fakes.tiny_gguf import write_tiny_gguf
from tests.fakes.tiny_projector import TOKENS, write_tiny_projector
from tests.journeys.engine_process import RunningEngine, running_engine
from tests.journeys.route_calls import ADD_EVENT, ALIASES, CALLS, CHAT, GREEDY, HELLO, LOOK, READ_MAIL, SEEN, TOOLS, Call
from tests.journeys.servers import ServerKind

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not BUILTIN_MODELS["builtin:nano"].is_file(), reason="the model that ships has not been trained yet"),
    pytest.mark.skipif(not sees_keys(), reason="the key of a model's own process can be seen on Linux alone"),
]

MODULE_BOUND_S = 300
"""For all tests of one server together: one engine serves them all."""
SIDE_BY_SIDE = """
[residency]
max_llm = 4
[models.chat]
path = "builtin:nano"
context = 1024
threads = 1
extra_args = ["--no-warmup", "--metrics"]
[models.embed]
path = "builtin:nano"
context = 512
threads = 1
extra_args = ["--no-warmup", "--embeddings", "--pooling", "mean"]
[models.ranks]
path = "{tiny}"
context = 512
threads = 1
extra_args = ["--no-warmup", "--rerank"]
[models.sees]
path = "{tiny}"
mmproj = "{projector}"
context = 512
threads = 1
extra_args = ["--no-warmup"]
[tiers]
fast = "chat"
"""
MODELS = ("chat", "embed", "ranks", "sees")
_DRAWN = re.compile(r"\b(?:chatcmpl-|resp_|msg_|rs_|fc_|call_)?[A-Za-z0-9]{24,}\b")
"""An id that a server draws anew for each answer."""
_MEASURED = frozenset({"timings", "created", "created_at", "completed_at"})
"""What depends on the clock."""
_OF_A_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "server", "date"})
_OF_THE_PAGES = "access-control-"


@pytest.fixture(scope="module")
async def engine(server: ServerKind, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[RunningEngine]:
    folder = tmp_path_factory.mktemp("routes")
    tiny, projector = write_tiny_gguf(folder / "tiny.gguf", fills_gaps=True), write_tiny_projector(folder / "projector.gguf")
    settings = SIDE_BY_SIDE.format(tiny=tiny, projector=projector)
    async with running_engine(Home.at(folder / "home").prepare(), settings, bound_s=MODULE_BOUND_S, server=server) as running:
        for model in MODELS:
            assert (await running.http.post("/engine/switch", json={"model": model})).status_code == 200
        yield running


class At(NamedTuple):
    """Who is asked, and the key that a model's own process wants to see."""

    url: str
    key: str = ""

    def client(self) -> httpx2.AsyncClient:
        headers = {"authorization": f"Bearer {self.key}"} if self.key else {}
        return httpx2.AsyncClient(base_url=self.url, trust_env=False, timeout=MODULE_BOUND_S, headers=headers)


async def ask(at: At, call: Call, content: bytes | None = None) -> httpx2.Response:
    async with at.client() as client:
        headers = {"content-type": "application/json"}
        return await client.request(call.method, call.path, content=content or call.content, headers=headers)


async def its_process(engine: RunningEngine, call: Call) -> At:
    """Where the model of a call answers by itself."""
    status, model = await engine.status(), call.body.get("model", "chat")
    return At(model_url(status, model), model_key(status, model))


def lasting(value: Any) -> Any:
    """A JSON value without what no two answers share: ids become a word, measurements their names."""
    if isinstance(value, dict):
        return {name: sorted(item) if name == "timings" else None if name in _MEASURED else lasting(item) for name, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list):
        return [lasting(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return _DRAWN.sub("drawn", value) if isinstance(value, str) else value


def told(answer: httpx2.Response) -> Any:
    """What an answer says: a JSON document, or the lines of a stream in their order."""
    if not answer.headers["content-type"].startswith("text/event-stream"):
        return lasting(answer.json())
    lines = [line.partition(": ") for line in answer.text.split("\n")]
    return [(name, lasting(json.loads(rest)) if rest.startswith("{") else rest) for name, _, rest in lines]


def head(answer: httpx2.Response) -> dict[str, str]:
    kept = {name: value for name, value in answer.headers.items() if not name.startswith(_OF_THE_PAGES)}
    return {name: value for name, value in kept.items() if name not in _OF_A_CONNECTION and not name.startswith("x-variet-")}


@pytest.mark.parametrize("call", CALLS, ids=str)
async def test_a_route_answers_through_the_engine_as_it_does_directly(engine: RunningEngine, call: Call) -> None:
    itself = await its_process(engine, call)
    # Once beforehand: what a slot holds of a prompt already is part of the answer.
    await ask(itself, call)
    through, direct = await ask(At(engine.url), call), await ask(itself, call)
    assert (through.status_code, direct.status_code) == (call.status, call.status), through.text
    assert through.headers["x-variet-model"] == call.body.get("model", "chat")
    if call.is_exact:
        assert through.content == direct.content
        assert head(through) == head(direct)
    else:
        assert told(through) == told(direct)
        assert through.headers["content-type"] == direct.headers["content-type"]


async def test_a_picture_reaches_the_model_that_sees_and_makes_its_prompt_longer(engine: RunningEngine) -> None:
    async def prompt_tokens(content: Any) -> int:
        body = {"model": "sees", **SEEN, "messages": [{"role": "user", "content": content}]}
        answer = await engine.http.post("/v1/chat/completions", json=body)
        return answer.json()["usage"]["prompt_tokens"]

    assert await prompt_tokens(LOOK) == await prompt_tokens(LOOK[:1]) + TOKENS
    offered = {each["id"]: each["meta"]["capabilities"] for each in (await engine.http.get("/v1/models")).json()["data"]}
    assert ("vision" in offered["sees"], "vision" in offered["chat"], offered["ranks"]) == (True, False, ["rerank"])


async def test_every_other_name_of_a_route_answers_as_the_server_itself_does(engine: RunningEngine) -> None:
    wrong: dict[str, Any] = {}
    for call in ALIASES:
        itself = await its_process(engine, call)
        await ask(itself, call)
        through, direct = await ask(At(engine.url), call), await ask(itself, call)
        is_same = through.content == direct.content if call.is_exact else told(through) == told(direct)
        if not is_same or (through.status_code, direct.status_code) != (call.status, call.status):
            wrong[str(call)] = (through.status_code, through.text, direct.status_code, direct.text)
    assert wrong == {}


async def test_what_concerns_the_engine_itself_has_the_servers_other_names_too(engine: RunningEngine) -> None:
    both = [(await engine.http.get(path)).json() for path in ("/v1/models", "/models")]
    assert both[0] == both[1]
    assert (await engine.http.get("/v1/models/fast")).json() == next(each for each in both[0]["data"] if each["id"] == "fast")
    assert (await engine.http.get("/v1/health")).json() == (await engine.http.get("/health")).json()
    # What changes a server for everybody, or asks it for more than a model, is not passed on.
    for method, path in (
        ("POST", "/lora-adapters"),
        ("POST", "/props"),
        ("POST", "/slots/0?action=erase"),
        ("GET", "/tools"),
        ("GET", "/cors-proxy"),
    ):
        assert (await engine.http.request(method, path)).status_code == 404, path


async def test_a_models_own_metrics_are_asked_for_by_its_name(engine: RunningEngine) -> None:
    call = Call("/metrics?model=chat", method="GET")
    through, direct = await ask(At(engine.url), call), await ask(await its_process(engine, call), call)

    def names(answer: httpx2.Response) -> list[str]:
        return [line.split(" ")[0] for line in answer.text.splitlines() if not line.startswith("#")]

    assert names(through) == names(direct) != []
    for name in ("content-type", "process-start-time-unix"):
        assert through.headers[name] == direct.headers[name]
    assert "variet_" in (await engine.http.get("/metrics")).text


async def test_a_form_reaches_the_server_and_its_own_refusal_comes_back(engine: RunningEngine) -> None:
    async def post(at: At) -> httpx2.Response:
        async with at.client() as client:
            return await client.post("/v1/audio/transcriptions", files={"file": ("a.wav", b"RIFF\0\xff")}, data={"model": "chat"})

    through, direct = await post(At(engine.url)), await post(await its_process(engine, CALLS[0]))
    assert (through.status_code, through.content) == (direct.status_code, direct.content)
    assert through.status_code >= 400 and through.headers["x-variet-model"] == "chat"


@pytest.mark.parametrize(
    ("path", "body", "choice", "tools"),
    [
        ("/v1/chat/completions", CHAT, {"type": "function", "function": {"name": "add_event"}}, TOOLS),
        (
            "/v1/responses",
            {"input": HELLO, "max_output_tokens": 8, **GREEDY},
            {"type": "function", "name": "add_event"},
            [{"type": "function", **tool} for tool in (READ_MAIL, ADD_EVENT)],
        ),
        (
            "/v1/messages",
            CHAT,
            {"type": "tool", "name": "add_event"},
            [{"name": tool["name"], "input_schema": tool["parameters"]} for tool in (READ_MAIL, ADD_EVENT)],
        ),
    ],
    ids=["chat", "responses", "messages"],
)
async def test_a_tool_choice_that_names_one_tool_is_that_tool_alone_and_required(
    engine: RunningEngine, path: str, body: Mapping[str, Any], choice: Mapping[str, Any], tools: list[Any]
) -> None:
    named = Call(path, {**body, "tools": tools, "tool_choice": choice})
    required = {"type": "any"} if path == "/v1/messages" else "required"
    alone = Call(path, {**body, "tools": tools[1:], "tool_choice": required})
    itself = await its_process(engine, alone)
    await ask(itself, alone)
    through, direct = await ask(At(engine.url), named), await ask(itself, alone)
    assert through.status_code == 200, through.text
    assert told(through) == told(direct)
