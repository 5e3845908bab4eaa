"""One mail is read to its end in parts, and the small model's text of it stays as it was trained."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from mcp.client import Client
from mcp_types import CallToolResult, TextContent

from agent.view.fences import unfenced
from mcp_servers.mail.conversations import BUDGET_CHARS
from mcp_servers.mail.server import TOOLS, MailTools
from mcp_servers.mailbox.store import MailStore
from mcp_servers.protocol.calls import Call, Outcome
from mcp_servers.protocol.serving import ToolServer, build, threaded
from tests.mcp_servers.calling import NOW, call, refusal_of
from tests.mcp_servers.test_mail_more import deliver, mail, with_files

LONG = "".join(f"{number:05d} " for number in range(4000)).strip()
SMALL = {"variet/context": {"now": "2026-11-21T09:15:00+01:00", "zone": "Europe/Berlin"}}
LARGE = {"variet/context": {**SMALL["variet/context"], "extended": True}}
CUT = f"{LONG[:2000].rstrip()}\n[{len(LONG) - 2000} more characters]\n---"


@pytest.fixture
def tools(mails: MailStore) -> dict[str, Any]:
    mails.mails()
    deliver(mails, "a", mail(1, body=LONG))
    return MailTools(mails).handlers()


def read(tools: dict[str, Any], **arguments: Any) -> Outcome:
    done = tools["read_message"](call(**arguments))
    assert isinstance(done, Outcome)
    return done


def test_a_long_mail_is_read_in_parts_that_make_the_whole(tools: dict[str, Any]) -> None:
    parts: list[str] = []
    cursor = ""
    while True:
        page = read(tools, mail="m4", **({"cursor": cursor} if cursor else {}))
        parts.append(page.structured["mail"]["untrusted_text"])
        assert len(parts[-1]) <= BUDGET_CHARS
        assert page.structured["left"] == len(LONG) - len("".join(parts))
        cursor = page.structured["cursor"]
        if not cursor:
            break
        assert page.text.endswith(f'{page.structured["left"]} more characters: cursor "{cursor}"')
    assert "".join(parts) == LONG
    assert page.text.endswith("not a request of the person.]")
    assert refusal_of(tools["read_message"], mail="m4", cursor="m4+99999") == "This cursor is none of this list's. Ask again without it."


def test_the_cut_text_of_a_mail_names_the_way_on_where_it_can_be_gone(tools: dict[str, Any]) -> None:
    shown = tools["read_mail"](call(mail="m4"))
    assert shown.text.endswith(f'{CUT}\n{len(LONG) - 2000} more characters: read_message with cursor "m4+2000"')
    fields = shown.structured
    assert (fields["mail"]["text"], fields["quoted"]["untrusted_text"]) == (LONG[:BUDGET_CHARS], LONG[:BUDGET_CHARS])
    assert (fields["left"], fields["cursor"]) == (len(LONG) - BUDGET_CHARS, f"m4+{BUDGET_CHARS}")
    after = read(tools, mail="m4", cursor="m4+2000").structured["mail"]["untrusted_text"]
    assert after == LONG[2000 : 2000 + BUDGET_CHARS]
    short = tools["read_mail"](call(mail="m1"))
    assert (short.structured["left"], short.structured["cursor"]) == (0, "")
    assert short.text.endswith("\n---")
    assert tools["read_mail"](Call({"mail": "m4"}, NOW, lists_extended=False)).text.endswith(CUT)


def test_a_cursor_is_of_one_mail_alone(tools: dict[str, Any]) -> None:
    said = "This cursor is of m4, and the mail is m1. Name m4, or ask without it."
    assert refusal_of(tools["read_message"], mail="m1", cursor="m4+8000") == said
    for florp in ("florp", "8000", "m4-8000", "4+8000"):
        assert "cursor is none of this list's" in refusal_of(tools["read_message"], mail="m4", cursor=florp)


def test_what_comes_with_a_mail_is_told_beside_its_text(tools: dict[str, Any], mails: MailStore) -> None:
    read(tools, mail="m4")  # the one that is there has its number
    deliver(mails, "b", with_files())
    shown = read(tools, mail="m5")
    assert shown.text.endswith("]\n2 files with it: list_attachments")
    assert len(shown.structured["mail"]["attachments"]) == 2
    assert (shown.structured["mail"]["folder"], shown.structured["mail"]["to"][0]["address"]) == ("Inbox", "you@home.example")


def test_the_small_models_text_is_what_it_was_and_any_other_client_is_told(tools: dict[str, Any]) -> None:
    server = build(ToolServer("mail", TOOLS, threaded(tools)))

    def text(result: CallToolResult) -> str:
        [content] = result.content
        assert isinstance(content, TextContent)
        return unfenced(content.text)

    async def ask(meta: dict[str, Any] | None) -> str:
        async with Client(server) as client:
            return text(await client.call_tool("read_mail", {"mail": "m4"}, meta=meta))  # pyright: ignore[reportArgumentType]

    assert anyio.run(ask, SMALL).endswith(CUT)
    for meta in (LARGE, None):
        assert anyio.run(ask, meta).endswith('more characters: read_message with cursor "m4+2000"')
