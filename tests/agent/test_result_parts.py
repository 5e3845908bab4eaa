"""What a result holds beside text is told to the model in words, and a text within a resource is not lost."""

from __future__ import annotations

import base64
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp import Client
from mcp.server.lowlevel import Server

from agent.tools.mcp_wire import Connection, Ears, keep_results
from agent.tools.patience import Patience
from agent.tools.questions import DECLINED, Answer, Question

pytestmark = pytest.mark.anyio
FILE = base64.b64encode(b"12345").decode()


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
    async def list_tools(_: Any, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[types.Tool(name="any", input_schema={"type": "object"})])

    async def call_tool(_: Any, __: types.CallToolRequestParams) -> types.CallToolResult:
        return types.CallToolResult(content=[part])

    async def asked(_: Question) -> Answer:
        return DECLINED

    with anyio.fail_after(30):
        async with Client(Server("parts", on_list_tools=list_tools, on_call_tool=call_tool)) as client:
            ears = Ears(asked, lambda: None)
            connection = Connection(client, keep_results(client), ears)
            result = await connection.run_tool(
                "any", {}, meta={}, patience=Patience(20, 20), bound_s=20, on_progress=lambda _: None
            )  # fmt: skip
    assert result.text == told
