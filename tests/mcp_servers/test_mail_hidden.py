"""What hides in subjects and in senders' names is taken out of every list of mails, and counted there."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import anyio
import pytest
from mcp.client import Client

from mcp_servers.mail.server import TOOLS, MailTools
from mcp_servers.mailbox.store import MailStore
from mcp_servers.protocol.calls import Handler, Outcome
from mcp_servers.protocol.serving import ToolServer, build, threaded
from tests.mcp_servers.calling import call, text_of

SUBJECT, SENDER = "Pay\u200b\u200bment \u202edue", "An\u2066na\U000e0041"
PLAIN = "From: Bo <bo@example.org>\r\nSubject: Tea\r\nDate: Fri, 20 Nov 2026 10:00:00 +0100\r\n\r\nx\r\n"
HIDING = (
    f"From: {SENDER} <anna@example.org>\r\nSubject: {SUBJECT}\r\nMessage-ID: <h@example.org>\r\n"
    "Date: Fri, 20 Nov 2026 11:00:00 +0100\r\n\r\nclean\r\n"
)
TAKEN = {"zero-width": 2, "bidirectional": 2, "tag": 1}


@pytest.fixture
def store(tmp_path: Path) -> MailStore:
    store = MailStore(tmp_path / "mail")
    for content in (PLAIN, HIDING):
        store.inbox.add(content.encode())
    return store


def told(tools: dict[str, Handler], name: str, **arguments: object) -> Outcome:
    done = tools[name](call(**arguments))
    return done if isinstance(done, Outcome) else done.execute()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("search_mail", {}), ("find_mails", {}), ("list_threads", {}), ("archive_mail", {"mail": "m2"}),
        ("trash_mail", {"mails": ["m1", "m2"]}), ("label_mail", {"mail": "m2", "add": ["flagged"]}),
        ("label_mail", {"mails": ["m1", "m2"], "add": ["flagged"]}), ("list_labels", {"mail": "m2"}),
    ],
)  # fmt: skip
def test_every_list_says_what_was_taken_out(store: MailStore, name: str, arguments: dict[str, object]) -> None:
    outcome = told(MailTools(store).handlers(), name, **arguments)
    assert "from Anna" in outcome.text.replace("Fri 20 Nov 2026 11:00 Anna", "from Anna")
    assert not {*SUBJECT, *SENDER} & {"\u200b", "\u202e", "\u2066", "\U000e0041"} & {*outcome.text}
    assert outcome.structured["removed"] == TAKEN


def test_what_is_not_in_the_list_is_not_counted(store: MailStore) -> None:
    assert told(MailTools(store).handlers(), "search_mail", sender="bo").structured["removed"] == {}


def test_the_block_of_a_list_says_it(store: MailStore) -> None:
    server = build(ToolServer("mail", TOOLS, threaded(MailTools(store).handlers())))

    async def ask() -> str:
        async with Client(server) as client:
            return str((await client.call_tool("search_mail", {})).content[0])

    assert "removed: 2 zero-width, 2 bidirectional, 1 tag]" in anyio.run(ask)


def test_an_index_of_before_is_filled_up_and_keeps_its_numbers(store: MailStore, tmp_path: Path) -> None:
    before = text_of(MailTools(store).search_mail)
    store.close()
    with sqlite3.connect(tmp_path / "mail" / "index.sqlite") as index:
        index.execute("ALTER TABLE chains DROP COLUMN removed")
    again = MailStore(tmp_path / "mail")
    found = MailTools(again).search_mail(call())
    assert (found.text, found.structured["removed"]) == (before, TAKEN)
    again.close()
