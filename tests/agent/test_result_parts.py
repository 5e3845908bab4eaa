"""What a result holds beside text is told to the model in words, and a text within a resource is not lost."""

from __future__ import annotations

import base64
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp import Client
from mcp.server.lowlevel import Server

from agent.tools import mcp_wire
from agent.tools.mcp_wire import Connection, Ears, keep_results
from agent.tools.mcp_wire import list_tools as list_served
from agent.tools.patience import Patience
from agent.tools.questions import DECLINED, Answer, Question
from agent.tools.served import ToolResult

pytestmark = pytest.mark.anyio
FILE = base64.b64encode(b"12345").decode()


async def nobody(_: Question) -> Answer:
    return DECLINED


async def told_of(*parts: types.ContentBlock, fields: dict[str, Any] | None = None) -> ToolResult:
    """What a tool's result with these parts comes to."""

    async def list_tools(_: Any, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        tools = [types.Tool(name="any", description=text, input_schema={"type": "object"}) for text in ("The first.", "The second.")]
        return types.ListToolsResult(tools=tools)

    async def call_tool(_: Any, __: types.CallToolRequestParams) -> types.CallToolResult:
        return types.CallToolResult(content=list(parts), structured_content=fields)

    with anyio.fail_after(30):
        async with Client(Server("parts", on_list_tools=list_tools, on_call_tool=call_tool)) as client:
            assert [tool.description for tool in await list_served(client)] == ["The first."], "of two with one name a call reaches one"
            connection = Connection(client, keep_results(client), Ears(nobody, lambda: None))
            return await connection.run_tool("any", {}, meta={}, patience=Patience(20, 20), bound_s=20, on_progress=lambda _: None)


async def test_a_tool_whose_name_could_steer_a_terminal_is_left_out():
    async def list_tools(_: Any, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        names = ("find", "find\x1b[2J", "find\nsend", "\u202ednif", "suche läuft")
        return types.ListToolsResult(tools=[types.Tool(name=name, input_schema={"type": "object"}) for name in names])

    with anyio.fail_after(30):
        async with Client(Server("odd", on_list_tools=list_tools)) as client:
            assert [tool.name for tool in await list_served(client)] == ["find", "suche läuft"]


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (types.TextContent(text="Two."), "Two."),
        (types.ImageContent(data=FILE, mime_type="image/png"), "[image/png, 5 bytes, not shown]"),
        (types.AudioContent(data=FILE, mime_type="audio/wav"), "[audio/wav, 5 bytes, not shown]"),
        (types.EmbeddedResource(resource=types.TextResourceContents(uri="note://1", text="Tea at four.")), "Tea at four."),
        (
            types.EmbeddedResource(resource=types.BlobResourceContents(uri="file:///a.pdf", mime_type="application/pdf", blob=FILE)),
            "[application/pdf file:///a.pdf, 5 bytes, not shown]",
        ),
        (types.ResourceLink(name="notes", uri="note://all"), "notes: note://all"),
    ],
)
async def test_each_kind_of_part_is_told(part: types.ContentBlock, told: str) -> None:
    assert (await told_of(part)).text == told


async def test_a_result_without_end_is_cut_before_it_fills_log_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp_wire, "RESULT_CHARS", 20)
    cut = await told_of(types.TextContent(text="x" * 50), fields={"all": "y" * 50})
    assert cut.text == "x" * 20 + "\n(Warning: the result has 50 characters; what follows was left out.)"
    assert cut.structured is None
    whole = await told_of(types.TextContent(text="x" * 20), fields={"all": "y"})
    assert (whole.text, whole.structured) == ("x" * 20, {"all": "y"})
