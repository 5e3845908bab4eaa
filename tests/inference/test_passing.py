"""ENG-1: every route that llama-server has passes as the very same bytes, both ways, to the model that is meant."""

from __future__ import annotations

import base64
import random
from pathlib import Path
from typing import Any

import pytest

from inference.capabilities import capabilities_of
from inference.catalog import build_catalog
from inference.runtimes.llama_server import Program, Surroundings, build_launch
from tests.fakes.upstream import Exchange
from tests.inference.engines import error_of, running, settings

pytestmark = pytest.mark.anyio

ROUTES = (
    *("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/rerank", "/v1/responses", "/v1/messages"),
    *("/v1/messages/count_tokens", "/infill", "/tokenize", "/detokenize", "/apply-template", "/completion", "/embedding", "/rerank"),
)
BOUNDARY = "7MA4YWxk"
FORM = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n\0\1\xff\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="model"\r\nContent-Type: text/plain\r\n\r\nbalanced\r\n--{BOUNDARY}--\r\n'
).encode("latin-1")
ANSWER = b'{ "a" : 1.0e0,\n "b": "\\u00e9", "a": 2 }'


@pytest.mark.parametrize("path", ROUTES)
async def test_a_request_and_its_answer_pass_as_the_same_bytes(tmp_path: Path, path: str) -> None:
    raw = b'{ "model" : "fast",\n "n": 1.0e0, "text": "\\u00e9", "n": 2 }'
    async with running(tmp_path) as (on, upstream, _):
        upstream.script = lambda exchange: exchange.json(ANSWER)
        answer = await on.client.post(path, content=raw, headers={"content-type": "application/json", "x-conversation-id": "c"})
    (heard,) = upstream.heard
    assert (heard.target, heard.body, answer.content) == (path, raw, ANSWER)
    assert "x-conversation-id" not in heard.headers


async def test_a_conversations_request_differs_by_its_slot_and_nothing_else(tmp_path: Path) -> None:
    raw = b'{ "model" : "fast",\n "n": 1.0e0 }'
    async with running(tmp_path) as (on, upstream, _):
        for session in ("a", "b", "a"):
            await on.client.post("/v1/chat/completions", content=raw, headers={"x-variet-session": session})
    assert [heard.body for heard in upstream.heard] == [b'{"id_slot":%d,"model" : "fast",\n "n": 1.0e0 }' % slot for slot in (0, 1, 0)]


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain"])
async def test_a_json_object_that_is_called_something_else_still_says_which_model_is_meant(tmp_path: Path, kind: str) -> None:
    async with running(tmp_path) as (on, upstream, _):
        await on.client.post("/v1/embeddings", json={"model": "fast"})
        answer = await on.client.post("/v1/embeddings", content=b' {"model": "balanced"}', headers={"content-type": kind})
        broken = await on.client.post("/v1/embeddings", content=b'{"model": ', headers={"content-type": kind})
    assert answer.headers["x-variet-model"] == "large"
    assert upstream.heard[-1].body == b' {"model": "balanced"}'
    assert error_of(broken) == (400, "invalid_request")


async def test_a_form_passes_unread_to_the_model_that_it_names(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, upstream, _):
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        answer = await on.client.post("/v1/audio/transcriptions", content=FORM, headers={"content-type": kind})
    (heard,) = upstream.heard
    assert (heard.body, heard.headers["content-type"]) == (FORM, kind)
    assert answer.headers["x-variet-model"] == "large"


@pytest.mark.parametrize("named", ["name=model", "name=model; x=y", 'name="model" ; x="y"'])
async def test_a_form_names_its_model_with_quotes_or_without(tmp_path: Path, named: str) -> None:
    parts = ("name=file; filename=model", "fast"), ("name=models", "fast"), (named, "balanced")
    kind = "Content-Type: text/plain; charset=utf-8\r\n"
    form = "".join(f"--{BOUNDARY}\r\n{kind}Content-Disposition: form-data; {name}\r\n\r\n{value}\r\n" for name, value in parts)
    async with running(tmp_path) as (on, _, __):
        headers = {"content-type": f'multipart/form-data; boundary="{BOUNDARY}"'}
        answer = await on.client.post("/v1/audio/transcriptions", content=f"{form}--{BOUNDARY}--\r\n".encode(), headers=headers)
    assert answer.headers["x-variet-model"] == "large"


async def test_a_request_without_a_name_goes_by_its_query_else_to_what_is_loaded_else_to_the_first_tier(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, _, __):

        async def asked(path: str, **more: Any) -> str:
            return (await on.client.request("GET", path, **more)).headers["x-variet-model"]

        assert await asked("/props") == "small"
        assert await asked("/props?model=balanced") == "large"
        assert await asked("/props") == "large"


async def test_what_the_server_cannot_do_is_said_in_its_own_words(tmp_path: Path) -> None:
    refusal = b'{"error":{"code":501,"message":"This server does not support embeddings","type":"not_supported_error"}}'
    async with running(tmp_path) as (on, upstream, _):

        async def refuse(exchange: Exchange) -> None:
            await exchange.json(refusal, "501 Not Implemented")

        upstream.script = refuse
        answer = await on.client.post("/v1/embeddings", json={"model": "fast", "input": "x"})
    assert (answer.status_code, answer.content) == (501, refusal)


async def test_a_picture_reaches_a_model_that_sees_as_the_bytes_that_were_sent(tmp_path: Path) -> None:
    picture = base64.b64encode(random.Random(7).randbytes(300_000))
    raw = b'{"model":"fast","messages":[{"role":"user","content":[{"type":"text","text":"What is this?"},' + (
        b'{"type":"image_url","image_url":{"url":"data:image/png;base64,%b"}}]}], "temperature":0.20 }' % picture
    )
    seeing = {"small": {"path": "/models/small.gguf", "mmproj": "/models/eyes.gguf"}, "large": {"path": "/models/large.gguf"}}
    catalog = build_catalog(settings(models=seeing))
    offered = {name: capabilities_of(catalog, catalog.served[name]) for name in ("fast", "balanced")}
    assert ["vision" in each for each in offered.values()] == [True, False]
    argv = build_launch(catalog.models["small"], 5001, Surroundings(Program(("llama-server",), is_embedded=False), {}, 60, 5)).argv
    assert argv[argv.index("--mmproj") + 1] == "/models/eyes.gguf"
    async with running(tmp_path, specs=catalog.models) as (on, upstream, _):
        answer = await on.client.post("/v1/chat/completions", content=raw, headers={"content-type": "application/json"})
    assert answer.status_code == 200
    assert [heard.body for heard in upstream.heard] == [raw]
