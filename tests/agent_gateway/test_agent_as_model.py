"""The model `variet`: a stock client talks to the whole agent, in sessions, and no approval is ever answered here."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any, cast

import anyio
import anyio.lowlevel
import openai
import pytest

from agent.events import Event, TextDelta
from agent.facade import Facade
from agent.gateway.asked import Asked
from agent.gateway.turns import TurnAnswer
from agent.route_parts import NO_WISH, RouteWish
from tests.agent.test_pictures import png
from tests.agent_faces.test_drawn import heard
from tests.agent_gateway.conftest import Served

pytestmark = pytest.mark.anyio


def says(text: str) -> Any:
    return [{"role": "system", "content": "You are somebody else."}, {"role": "user", "content": text}]


async def test_a_turn_is_a_completion(served: Served) -> None:
    raw = await served.openai.chat.completions.with_raw_response.create(model="variet", messages=says("list"))
    answer = raw.parse()
    assert answer.choices[0].message.content == "You have two events tomorrow."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 15
    told = {name: raw.headers[f"x-variet-{name}"] for name in ("node", "tier", "rule", "reason")}
    assert told == {"node": "engine", "tier": "fast", "rule": "default", "reason": "no rule matched"}
    assert [row.session for row in served.runtime.sessions()] == [raw.headers["x-variet-session"]]


async def test_the_header_goes_on_with_a_session(served: Served) -> None:
    first = await served.openai.chat.completions.with_raw_response.create(model="variet", messages=says("hello"))
    headers = {"X-Variet-Session": first.headers["x-variet-session"]}
    await served.openai.chat.completions.create(model="variet", messages=says("list"), extra_headers=headers)
    assert len(served.runtime.sessions()) == 1
    with pytest.raises(openai.NotFoundError) as caught:
        await served.openai.chat.completions.create(model="variet", messages=says("x"), extra_headers={"X-Variet-Session": "s-none"})
    assert caught.value.code == "session_not_found"


async def test_the_header_that_forces_the_big_tier_counts_for_the_agent_too(served: Served) -> None:
    create = served.openai.chat.completions.with_raw_response.create
    raw = await create(model="variet", messages=says("hello"), extra_headers={"X-Force-Big": "true"})
    assert raw.headers["x-variet-tier"] == "big"


async def test_the_headers_about_task_and_latency_reach_the_agents_routing(served: Served) -> None:
    create = served.openai.chat.completions.with_raw_response.create
    headers = {"X-Variet-Latency": "10s", "X-Variet-Task": "research"}
    await create(model="variet", messages=says("hello"), extra_headers=headers)
    assert list(served.runtime.wishes.values()) == [RouteWish(latency="10s", task="research", by_program=True)]
    with pytest.raises(openai.BadRequestError, match="X-Variet-Latency"):
        await create(model="variet", messages=says("hello"), extra_headers={"X-Variet-Latency": "soon"})
    for model in ("variet", "auto"):
        with pytest.raises(openai.BadRequestError, match=r'X-Variet-Task: "reserch" is no type of task .* there are: .*research'):
            await create(model=model, messages=says("hello"), extra_headers={"X-Variet-Task": "reserch"})


async def test_pictures_of_the_newest_message_are_shown_to_the_agent_and_none_is_fetched(served: Served) -> None:
    def seeing(url: str) -> Any:
        return [{"role": "user", "content": [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": url}}]}]

    address = f"data:image/png;base64,{base64.b64encode(png(4, 3)).decode()}"
    answer = await served.openai.chat.completions.create(model="variet", messages=seeing(address))
    assert answer.choices[0].message.content == "I see picture 1, 4 by 3"
    with pytest.raises(openai.BadRequestError, match="fetched from nowhere"):
        await served.openai.chat.completions.create(model="variet", messages=seeing("https://example.org/a.png"))
    no_picture = f"data:image/png;base64,{base64.b64encode(b'hello').decode()}"
    with pytest.raises(openai.BadRequestError, match="is no picture that a model can be shown"):
        await served.openai.chat.completions.create(model="variet", messages=seeing(no_picture))


async def test_a_stream_tells_the_decision_in_its_headers(served: Served) -> None:
    raw = await served.openai.chat.completions.with_raw_response.create(model="variet", messages=says("hello"), stream=True)
    assert [raw.headers[f"x-variet-{name}"] for name in ("node", "tier", "rule")] == ["engine", "fast", "default"]
    assert [chunk async for chunk in raw.parse()]


async def test_a_stream_says_the_answer_once(served: Served) -> None:
    options: Any = {"include_usage": True}
    stream = await served.openai.chat.completions.create(model="variet", messages=says("long"), stream=True, stream_options=options)
    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "\n\n".join(f"Paragraph **{number}** of many." for number in range(40))
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage is not None


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_chat_page_is_given_no_picture_whose_address_tells_what_was_read(served: Served, is_streamed: bool) -> None:
    said, create = says("draw https://mine.example/a.png"), served.openai.chat.completions.create
    if is_streamed:
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in await create(model="variet", messages=said, stream=True)])
    else:
        text = (await create(model="variet", messages=said)).choices[0].message.content
    assert text == "Yes![]\\(https://evil.example/p.png?d=4711) ![](https://mine.example/a.png)"


async def test_what_needs_a_yes_waits_and_is_said(served: Served) -> None:
    answer = await served.openai.chat.completions.create(model="variet", messages=says("add Tea"))
    (waiting,) = (answer.model_extra or {})["variet"]["waiting"]
    (needed,) = served.runtime.approvals()
    assert (waiting["approval"], waiting["summary"]) == (needed.approval, "Create: Tea")
    assert served.runtime.created == []


async def test_a_client_that_leaves_cancels_the_turn(served: Served) -> None:
    async def ask() -> None:
        async for _ in await served.openai.chat.completions.create(model="variet", messages=says("slow"), stream=True):
            begun.set()

    begun = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await begun.wait()
        tasks.cancel_scope.cancel()
    (session,) = [row.session for row in served.runtime.sessions()]
    async for event in served.runtime.events(session):
        if event.type == "turn_cancelled":
            break


async def test_a_turn_that_fails_is_an_error(served: Served) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        await served.openai.chat.completions.create(model="variet", messages=says("fail"))
    assert (caught.value.status_code, caught.value.code) == (503, "engine_unreachable")
    with pytest.raises(openai.APIError, match="does not answer"):
        async for _ in await served.openai.chat.completions.create(model="variet", messages=says("fail"), stream=True):
            pass


@pytest.mark.parametrize("ends", ["it fails", "a person stops it"])
async def test_a_turn_that_has_begun_is_not_begun_again_by_a_client_that_retries(served: Served, ends: str) -> None:
    async def stop_each() -> None:
        while True:
            for row in served.runtime.sessions() if served.runtime.is_busy() else ():
                await served.runtime.cancel(row.session, who="chat")
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop_each)
        stock = served.openai.with_options(max_retries=2)
        with pytest.raises(openai.InternalServerError) as caught:
            await stock.chat.completions.create(model="variet", messages=says("fail" if ends == "it fails" else "slow"))
        assert caught.value.code == ("engine_unreachable" if ends == "it fails" else "request_ended")
        assert caught.value.response.headers["x-should-retry"] == "false"
        assert len(served.runtime.sessions()) == 1
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    "part",
    [
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    ],
    ids=lambda part: part["type"],
)
async def test_what_is_neither_text_nor_picture_is_refused_and_not_dropped(served: Served, part: Any) -> None:
    for parts in ([{"type": "text", "text": "What does this say?"}, part], [part]):
        said: Any = [{"role": "user", "content": parts}]
        with pytest.raises(openai.BadRequestError, match=f'a part of type "{part["type"]}" is neither'):
            await served.openai.chat.completions.create(model="variet", messages=said)
    assert served.runtime.sessions() == []


async def test_tools_of_the_clients_are_refused_and_not_dropped(served: Served) -> None:
    tools: Any = [{"type": "function", "function": {"name": "x", "parameters": {}}}]
    with pytest.raises(openai.BadRequestError, match="tools of its own"):
        await served.openai.chat.completions.create(model="variet", messages=says("x"), tools=tools)
    with pytest.raises(openai.BadRequestError, match="no message"):
        await served.openai.chat.completions.create(model="variet", messages=[])


@pytest.mark.parametrize(
    ("route", "more"),
    [
        ("/responses", {"input": "hello"}),
        ("/completions", {"prompt": "hello"}),
        ("/messages", {"max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}),
    ],
)
async def test_the_agent_says_itself_which_protocol_it_speaks(served: Served, route: str, more: dict[str, Any]) -> None:
    answer = await served.http.post(route, json={"model": "variet", **more})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
    assert answer.json()["error"]["message"] == 'The model "variet" answers /v1/chat/completions only. Ask "auto" or a tier here.'
    assert [heard.target for heard in served.upstream.heard if heard.target == f"/v1{route}"] == []


async def test_a_fault_of_ours_is_an_error_of_the_protocol_too(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: object, **__: object) -> str:
        raise RuntimeError("no more disk")

    monkeypatch.setattr(served.runtime, "open_session", fails)
    with pytest.raises(openai.InternalServerError) as caught:
        await served.openai.with_options(max_retries=0).chat.completions.create(model="variet", messages=says("hello"))
    assert caught.value.code == "internal_error"
    assert "log says why" in str(caught.value)


class Ending:
    """An agent that stops in the middle of a turn, with a sign that may become a picture said last."""

    async def open_session(self, **_: object) -> str:
        return "s"

    async def send(self, *_: object, **__: object) -> str:
        return "t1"

    async def events(self, _: str) -> AsyncIterator[Event]:
        for event in (*heard(), TextDelta(turn="t1", text="Done!")):
            yield event

    async def cancel(self, *_: object, **__: object) -> None:
        """Nothing runs."""


async def test_what_was_held_back_is_told_where_the_agent_stops() -> None:
    async def ready() -> None:
        """There is no engine."""

    async def receive() -> Any:
        await anyio.sleep_forever()

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asked = Asked("", {"model": "variet", "stream": True, "messages": says("list")}, ())
    answer = TurnAnswer(cast("Facade", Ending()), asked, session=None, wish=NO_WISH, ensure_engine=ready)
    with anyio.fail_after(20):
        await answer({"type": "http"}, receive, send)
    frames = b"".join(each.get("body", b"") for each in sent).decode().split("\n\n")
    chunks = [json.loads(frame.removeprefix("data: ")) for frame in frames if '"delta"' in frame]
    assert "".join(each["choices"][0]["delta"].get("content") or "" for each in chunks) == "Done!"
