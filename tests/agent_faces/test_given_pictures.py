"""Pictures that other programs give: an editor's blocks, an MCP client's arguments, a chat completion's parts."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any, cast

import anyio
import pytest

from agent.errors import AgentError, PictureRefused
from agent.event_parts import Beside, PictureFile
from agent.events import TurnStarted
from agent.faces.acp import wire
from agent.faces.acp.agent import AcpAgent
from agent.faces.given_pictures import name_in, picture_given, picture_in_address
from agent.faces.link import Link
from agent.faces.mcp.tools import TOOLS
from agent.gateway.asked import read
from agent.routes.deciding.nodes import NodeState, TierState
from agent.routes.report import RoutesReport, node_row
from agent.view.pictures import looked_at
from tests.agent.test_pictures import png

DATA = base64.b64encode(png(4, 3)).decode()
TYPED = {"type": "text", "text": "What is it?"}
IMAGE = {"type": "image", "mimeType": "image/png", "data": DATA, "uri": "file:///a/photo.png?x"}


def beside(*blocks: dict[str, Any]) -> tuple[Beside, ...]:
    return wire.prompt_of({"sessionId": "s", "prompt": list(blocks)}).attached


def test_base64_is_the_picture_and_nothing_else_is() -> None:
    assert picture_given(f"{DATA[:9]}\n{DATA[9:]}", " a\nb ") == PictureFile(name="a b", content=png(4, 3))
    assert picture_in_address(f"data:image/png;base64,{DATA}", "x").content == png(4, 3)
    for wrong in ("", "§", "abc", None, 7):
        with pytest.raises(PictureRefused, match="p holds no picture"):
            picture_given(wrong, "p")
    for wrong in ("https://example.org/a.png", "file:///etc/passwd", "data:image/png,abc", None):
        with pytest.raises(PictureRefused, match="fetched from nowhere"):
            picture_in_address(wrong, "p")
    assert (name_in("file:///a/b.png#z", "p"), name_in(None, "p"), name_in("file:///", "p")) == ("b.png", "p", "p")


def test_an_editors_picture_is_put_beside_the_prompt_and_another_file_that_is_no_text_is_refused() -> None:
    blob = {"type": "resource", "resource": {"uri": "file:///b.gif", "mimeType": "image/gif", "blob": DATA}}
    assert beside(TYPED, IMAGE, blob) == (PictureFile(name="photo.png", content=png(4, 3)), PictureFile(name="b.gif", content=png(4, 3)))
    assert beside(TYPED, {"type": "image", "data": DATA})[0].name == "picture 2"
    with pytest.raises(wire.BadParams, match=r"c\.pdf is neither text nor a picture"):
        beside(TYPED, {"type": "resource", "resource": {"uri": "file:///c.pdf", "mimeType": "application/pdf", "blob": DATA}})
    with pytest.raises(wire.BadParams, match="picture 2 holds no picture"):
        beside(TYPED, {"type": "image"})


def test_a_conversation_that_is_loaded_names_its_pictures() -> None:
    picture = looked_at("photo.png", png(4, 3))
    started = TurnStarted(turn="t", text="look", sent_text="look", now="2026-11-21T09:00:00+01:00", who="acp", pictures=(picture,))
    assert next(wire.replayed("s", [started]))["content"]["text"] == "look\n[picture: photo.png]"


class Service:
    """Nodes whose tiers can do what is given; None: it cannot be had."""

    def __init__(self, *able: str) -> None:
        self.able = able

    async def service(self) -> Any:
        if not self.able:
            raise AgentError("There is none.")
        return self

    async def routes(self, limit: int) -> RoutesReport:
        state = NodeState(tiers={"fast": TierState("fast", capabilities=frozenset(self.able))})
        return RoutesReport(nodes=(node_row(state, is_counted=False, calls=0, money=0, bounds=(None, None)),), decisions=())


@pytest.mark.anyio
@pytest.mark.parametrize(("able", "sees"), [(("chat", "vision"), True), (("chat", "tools"), False), ((), False)])
async def test_an_editor_is_told_that_pictures_are_taken_only_where_a_model_sees(able: tuple[str, ...], sees: bool) -> None:
    written: list[bytes] = []

    async def write(line: bytes) -> None:
        written.append(line)

    async def lines() -> AsyncIterator[bytes]:
        yield b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1}}\n'
        while not written:
            await anyio.lowlevel.checkpoint()

    with anyio.fail_after(20):
        await AcpAgent(cast("Link", Service(*able)), write).run(lines())
    assert json.loads(written[0])["result"]["agentCapabilities"]["promptCapabilities"]["image"] is sees


def test_a_task_takes_a_few_pictures() -> None:
    given = {"pictures": [{"name": "a.png", "data": DATA}]}
    for name, rest in (("run_task", {"task": "see"}), ("continue_task", {"session": "s", "message": "see"})):
        arguments: Any = TOOLS[name].arguments.model_validate({**rest, **given})
        assert picture_given(arguments.pictures[0].data, arguments.pictures[0].name).content == png(4, 3)
        assert TOOLS[name].schema()["properties"]["pictures"]["maxItems"] == 4


def test_a_completions_newest_message_holds_the_pictures() -> None:
    def message(*urls: object) -> dict[str, Any]:
        return {"role": "user", "content": [TYPED, *({"type": "image_url", "image_url": url} for url in urls)]}

    body = {"model": "variet", "messages": [message({"url": "old"}), message({"url": "data:a", "detail": "low"}, "data:b", {})]}
    asked = read(json.dumps(body).encode())
    assert (asked.newest_text(), asked.newest_pictures()) == ("What is it?", ("data:a", "data:b", None))
    assert read(b'{"messages": [{"role": "user", "content": "hi"}]}').newest_pictures() == ()
