"""Pictures that a tool returns: shown to a model that sees, where its template has a place for them; told in words to all others."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import anyio
import mcp_types as types
import pytest

from agent.event_parts import PictureFile
from agent.events import Event, ToolFinished, TurnDone, TurnFailed
from agent.tools.caller import NOBODY, Caller
from agent.tools.served import ReturnedPicture, ToolResult
from agent.view.pictures import LEFT_OUT, MAX_PICTURE_BYTES, MAX_PICTURES, UNSEEN
from agent.view.returned import is_shown, told_as_shown, told_of
from config.paths import Home
from config.schema import AgentSettings
from tests.agent.runtimes import Agent, MemoryTools, agent_of
from tests.agent.test_pictures import BLIND, SEES, png
from tests.agent.test_result_parts import told_of as result_of
from tests.fakes.scripted_model import Say, scripted_model

pytestmark = pytest.mark.anyio
PHOTO = png()
WORDS, SHOWN = (each("image/png", len(PHOTO)) for each in (told_of, told_as_shown))
LOOK = Say("", [("list_events", {"title": "tea"})])


class Camera(MemoryTools):
    """One of its tools returns what it sees."""

    content = PHOTO

    async def call(
        self, name: str, arguments: Mapping[str, Any], *, meta: Mapping[str, Any], is_read: bool, caller: Caller = NOBODY
    ) -> ToolResult:
        del arguments, meta, is_read, caller
        return ToolResult(f"{name}: {told_of('image/png', len(self.content))}", returned=(ReturnedPicture("image/png", self.content),))


def in_place(body: Mapping[str, Any]) -> str:
    """A template that writes every part where it stands."""
    return "".join(f"<{each['role']}>{_parts(each['content'])}" for each in body["messages"])


def text_alone(body: Mapping[str, Any]) -> str:
    """One that leaves out what is no text."""
    return in_place(body).replace("<__media__>", "")


def as_list(body: Mapping[str, Any]) -> str:
    """One that writes a list of parts down as it is."""
    return "".join(f"<{each['role']}>{json.dumps(each['content'])}" for each in body["messages"])


def _parts(content: str | Sequence[Mapping[str, Any]]) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "<__media__>") for part in content)


@pytest.mark.parametrize(
    ("without", "with_it", "shows"),
    [
        ("<tool>It looks like this.<end>", "<tool>It looks like this.<__media__><end>", True),
        ("<tool>It looks like this.<end>", "<tool><__media__>\nIt looks like this.<end>", True),
        ("<tool>It looks like this.<end>", "<tool>It looks like this.<end>", False),
        ("<tool><end>", "<tool><__media__><end>", False),
        ('<tool>[{"text":"It looks like this."}]', '<tool>[{"text":"It looks like this."},{"type":"media_marker","text":"x"}]', False),
        ("<tool>It looks like this.<end>", "", False),
    ],
)
def test_a_picture_has_a_place_where_nothing_else_changes(without: str, with_it: str, shows: bool):
    assert is_shown(without, with_it) is shows


def result_sent(agent: Agent, request: int) -> Any:
    return agent.model.requests[request]["messages"][-1]["content"]


def finished(events: list[Event]) -> ToolFinished:
    (event,) = (event for event in events if isinstance(event, ToolFinished))
    return event


async def test_a_model_that_sees_is_shown_what_a_tool_returned_and_one_that_does_not_is_told(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [LOOK, Say("A dot."), Say("Still."), Say("I was told.")], tools=Camera()) as agent:
            agent.model.template, agent.model.meta = in_place, {"capabilities": SEES}
            event = finished(await agent.ask("look"))
            text, picture = result_sent(agent, 1)
            assert text["text"] == f"list_events: {SHOWN}"
            assert picture["image_url"]["url"] == "data:image/png;base64," + base64.b64encode(PHOTO).decode()
            assert [each.digest for each in event.pictures] and b"iVBOR" not in event.model_dump_json().encode()
            copy = await agent.runtime.shelf.fork(agent.session)
        async with agent_of(home, [Say("Still."), Say("I was told.")], session=copy, tools=agent.tools) as later:
            later.model.template, later.model.meta = in_place, {"capabilities": SEES}
            await later.ask("and now?")
            assert later.model.requests[0]["messages"][3] == agent.model.requests[1]["messages"][3], "to the byte, in a copy too"
            later.model.meta = {"capabilities": BLIND}
            await later.ask("and now?")
            assert later.model.requests[1]["messages"][3]["content"][1] == {"type": "text", "text": UNSEEN}


async def test_a_place_without_room_for_it_is_told_of_it_later_in_the_conversation_too(home: Home):
    async with scripted_model([Say("I was told."), Say("Still.")]) as outside:
        outside.tiers = ("glm",)
        node = {"url": f"{outside.url}/v1", "kind": "openai", "model": "glm", "capabilities": ["tools", "vision"]}
        with anyio.fail_after(60):
            settings = AgentSettings.model_validate({"nodes": {"out": node}})
            async with agent_of(home, [LOOK, Say("A dot."), Say("A dot.")], settings=settings, tools=Camera()) as agent:
                agent.model.template, agent.model.meta = in_place, {"capabilities": SEES}
                await agent.ask("look")
                await agent.ask("and there?", tier="out")
                await agent.ask("and here?", tier="fast")
    assert outside.requests[0]["messages"][3]["content"][1] == {"type": "text", "text": UNSEEN}
    assert agent.model.requests[2]["messages"][3] == agent.model.requests[1]["messages"][3], "where it was seen it stays"


@pytest.mark.parametrize(
    ("template", "able", "content"),
    [
        (in_place, BLIND, PHOTO),
        (text_alone, SEES, PHOTO),
        (as_list, SEES, PHOTO),
        (None, SEES, PHOTO),
        (in_place, SEES, b"no picture at all"),
    ],
)
async def test_where_it_would_not_arrive_it_is_told_in_words(home: Home, template: Any, able: Sequence[str], content: bytes):
    tools = Camera()
    tools.content = content
    with anyio.fail_after(60):
        async with agent_of(home, [LOOK, Say("I was told.")], tools=tools) as agent:
            agent.model.template, agent.model.meta = template, {"capabilities": able}
            event = finished(await agent.ask("look"))
            assert result_sent(agent, 1) == f"list_events: {told_of('image/png', len(content))}"
            assert event.pictures == ()


async def test_a_picture_that_the_server_cannot_read_ends_no_conversation(home: Home):
    refused = Say(status=400, error={"message": "Failed to load image or audio file", "code": 400})
    with anyio.fail_after(60):
        async with agent_of(home, [LOOK, refused, Say("It cannot be seen."), Say("Yes.")], tools=Camera()) as agent:
            agent.model.template, agent.model.meta = in_place, {"capabilities": SEES}
            assert isinstance((await agent.ask("look"))[-1], TurnDone)
            assert result_sent(agent, 2)[1] == {"type": "text", "text": LEFT_OUT}
            assert isinstance((await agent.ask("go on"))[-1], TurnDone)
            assert agent.model.requests[3]["messages"][:4] == agent.model.requests[2]["messages"], "nothing older changes again"
            copy = await agent.runtime.shelf.fork(agent.session)
        # Read from the log, it is in an earlier turn; an engine that told of loading has no status left.
        said = {"message": "Failed to load image or audio file", "type": "invalid_request_error", "code": "400"}
        late = Say(raw=b"data: " + json.dumps({"error": said}).encode() + b"\n\n")
        async with agent_of(home, [late, Say("Yes.")], session=copy, tools=agent.tools) as later:
            later.model.template, later.model.meta = in_place, {"capabilities": SEES}
            assert isinstance((await later.ask("and now?"))[-1], TurnDone)
            assert [each["messages"][3]["content"][1]["type"] for each in later.model.requests] == ["image_url", "text"]


@pytest.mark.parametrize(
    "failed",
    [
        Say("I see a", breaks_off_after=2),
        Say("I see a", error={"message": "It ended.", "type": "invalid_request_error", "code": "400"}),
        Say(status=500, error={"message": "It ended.", "code": 500}),
        Say(status=401, error={"message": "A valid key is needed.", "code": "invalid_key"}),
        Say(status=402, error={"message": "Insufficient balance.", "code": 402}),
    ],
)
async def test_what_is_no_refusal_of_the_request_takes_no_picture_away(home: Home, failed: Say):
    with anyio.fail_after(60):
        async with agent_of(home, [LOOK, failed, Say("A dot.")], tools=Camera()) as agent:
            agent.model.template, agent.model.meta = in_place, {"capabilities": SEES}
            assert isinstance((await agent.ask("look"))[-1], TurnFailed)
            assert len(agent.model.requests) == 2
            await agent.ask("again")
            assert agent.model.requests[2]["messages"][3] == agent.model.requests[1]["messages"][3]


async def test_a_server_that_fails_at_a_picture_and_says_so_gets_the_request_once_more_without_it(home: Home):
    fault = Say(status=500, error={"message": "Failed to process image", "code": 500})
    with anyio.fail_after(60):
        async with agent_of(home, [LOOK, fault, Say("It cannot be seen."), LOOK, fault, fault], tools=Camera()) as agent:
            agent.model.template, agent.model.meta = in_place, {"capabilities": SEES}
            assert isinstance((await agent.ask("look"))[-1], TurnDone)
            assert result_sent(agent, 2)[1] == {"type": "text", "text": LEFT_OUT}
            assert isinstance((await agent.ask("look again"))[-1], TurnFailed), "it has no picture left, and fails for good"
            assert len(agent.model.requests) == 6


async def test_a_fault_without_a_word_takes_a_picture_away_when_it_comes_back(home: Home):
    fault = Say(status=500, error={"message": "Internal Server Error", "code": 500})
    with anyio.fail_after(60):
        async with agent_of(home, [LOOK, fault, fault, Say("It cannot be seen.")], tools=Camera()) as agent:
            agent.model.template, agent.model.meta = in_place, {"capabilities": SEES}
            assert isinstance((await agent.ask("look"))[-1], TurnFailed)
            assert isinstance((await agent.ask("and now?"))[-1], TurnDone)
            assert agent.model.requests[3]["messages"][3]["content"][1] == {"type": "text", "text": LEFT_OUT}


@pytest.mark.parametrize(
    "failed",
    [
        Say(status=500, error={"message": "cannot identify image file", "code": 500}),
        Say(status=500, error={"message": "Internal Server Error", "code": 500}),
        Say(status=400, error={"message": "Failed to load image or audio file", "code": 400}),
        Say(status=400, error={"message": "Bad Request", "code": 400}),
    ],
)
async def test_a_picture_of_the_person_that_no_server_can_read_ends_its_own_turn_alone(home: Home, failed: Say):
    with anyio.fail_after(60):
        async with agent_of(home, [failed, failed, Say("Go on.")]) as agent:
            agent.model.template, agent.model.meta = in_place, {"capabilities": SEES}
            beside = [PictureFile(name="dot.png", content=PHOTO)]
            assert isinstance((await agent.ask("what is it?", attached=beside))[-1], TurnFailed)
            assert isinstance((await agent.ask("never mind"))[-1], TurnDone)
            assert {"type": "text", "text": LEFT_OUT} in agent.model.requests[2]["messages"][1]["content"]


async def test_a_refusal_by_a_node_that_was_sent_no_picture_takes_none_away(home: Home):
    refused = Say(status=400, error={"message": "Not so.", "code": 400})
    with anyio.fail_after(60):
        async with agent_of(home, [LOOK, Say("A dot."), refused, Say("A dot.")], tools=Camera()) as agent:
            agent.model.template, agent.model.meta = in_place, {"capabilities": SEES}
            await agent.ask("look")
            agent.model.meta = {"capabilities": BLIND}
            assert isinstance((await agent.ask("and now?"))[-1], TurnFailed)
            assert len(agent.model.requests) == 3
            agent.model.meta = {"capabilities": SEES}
            await agent.ask("and now?")
            assert agent.model.requests[3]["messages"][3] == agent.model.requests[1]["messages"][3]


async def test_a_picture_that_was_shown_stays_where_a_model_is_not_loaded_yet(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [LOOK, Say("A dot.")], tools=Camera()) as agent:
            agent.model.template, agent.model.meta = in_place, {"capabilities": SEES}
            await agent.ask("look")
            copy = await agent.runtime.shelf.fork(agent.session)
        async with agent_of(home, [Say("Still."), Say("No.")], session=copy, tools=agent.tools) as later:
            later.model.template, later.model.meta = None, {"capabilities": SEES}
            await later.ask("and now?")
            assert later.model.requests[0]["messages"][3] == agent.model.requests[1]["messages"][3]
            later.model.template = text_alone
            await later.ask("and now?")
            assert later.model.requests[1]["messages"][3]["content"][1] == {"type": "text", "text": UNSEEN}, "what is known hides it"


async def test_a_request_with_results_that_is_too_large_goes_once_more_without_them(home: Home):
    refused = Say(status=413, error={"message": "The request is too large.", "code": "body_too_large"})
    with anyio.fail_after(60):
        async with agent_of(home, [LOOK, refused, Say("It cannot be seen.")], tools=Camera()) as agent:
            agent.model.template, agent.model.meta = in_place, {"capabilities": SEES}
            assert isinstance((await agent.ask("look"))[-1], TurnDone)
            assert result_sent(agent, 2)[1] == {"type": "text", "text": LEFT_OUT}


async def test_a_results_pictures_are_taken_in_bounds():
    whole = types.ImageContent(data=base64.b64encode(PHOTO).decode(), mime_type="image/png")
    assert (await result_of(whole)).returned == (ReturnedPicture("image/png", PHOTO),)
    assert (await result_of(whole)).text == WORDS
    assert (await result_of(types.ImageContent(data="no base64!", mime_type="image/png"))).returned == ()
    large = types.ImageContent(data="A" * (MAX_PICTURE_BYTES * 4 // 3 + 8), mime_type="image/png")
    assert (await result_of(large)).returned == ()
    assert len((await result_of(*[whole] * (MAX_PICTURES + 2))).returned) == MAX_PICTURES
