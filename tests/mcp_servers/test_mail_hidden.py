"""What hides in subjects and in senders' names is taken out of every list of mails, and counted there."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from pathlib import Path

import anyio
import pytest
from mcp.client import Client

from mcp_servers.mail.server import TOOLS, MailTools
from mcp_servers.mailbox.local_account import LocalAccount
from mcp_servers.mailbox.store import MailStore
from mcp_servers.protocol.calls import Handler, Outcome, Plan
from mcp_servers.protocol.serving import ToolServer, build, threaded
from tests.mcp_servers.calling import call, refusal_of, text_of

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


FILED = (
    HIDING.replace("Subject:", "To: Y\u200bou <you@home.example>, B\u202eo <bo@example.org>\r\nSubject:").replace("\r\n\r\nclean", "")
    + 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nclean\r\n'
    + "".join(
        f"--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename*=utf-8''{name}\r\n\r\nx\u200b\r\n"
        for name in ("plan%E2%80%AEfdp.txt", "%E2%80%8B%E2%80%8B.txt")
    )
    + "--b--\r\n"
)
NAMES = {"zero-width": 2, "bidirectional": 1}


def test_what_hides_in_names_of_files_and_people_is_counted(tmp_path: Path) -> None:
    store = MailStore(tmp_path / "mail")
    store.inbox.add(FILED.encode())
    tools = MailTools(store).handlers()
    listed = told(tools, "list_attachments", mail="m1")
    assert [one["name"] for one in listed.structured["attachments"]] == ["planfdp.txt", ".txt"]
    assert listed.structured["removed"] == NAMES
    read = told(tools, "read_attachment", mail="m1", attachment="1")
    assert read.structured["attachment"]["removed"] == {"bidirectional": 1, "zero-width": 1}
    head, block = read.text.split("\n")[:2]
    assert head == "Attachment 1 of m1, 4 bytes", "nothing of it is the sender's word"
    assert " from outside: planfdp.txt, attached to mail m1 from Anna" in block
    assert block.endswith("removed: 1 bidirectional, 1 zero-width]")
    every = {"zero-width": 2 + 1 + 2, "bidirectional": 2 + 1 + 1, "tag": 1}
    assert told(tools, "read_mail", mail="m1").structured["quoted"]["removed"] == every
    assert told(tools, "read_message", mail="m1").structured["mail"]["removed"] == every
    assert told(tools, "search_mail").structured["removed"] == TAKEN, "a list names no files"
    store.close()


def test_what_hides_in_names_of_folders_is_counted_and_the_name_that_is_shown_is_understood(store: MailStore) -> None:
    (store.inbox.folder.parent / "Bi\u200blls\u202e" / "cur").mkdir(parents=True)
    tools = MailTools(store).handlers()
    hidden = {"zero-width": 1, "bidirectional": 1}
    listed = told(tools, "list_folders")
    assert (listed.structured["folders"]["local"][-1], listed.structured["removed"]) == ("Bills", hidden)
    plan = tools["move_mail"](call(mail="m1", folder="bills"))
    assert isinstance(plan, Plan)
    assert (plan.lines[-1], plan.summary) == (("To", "Bills"), "Move m1 to Bills: Tea, from Bo")
    moved = plan.execute()
    assert (moved.structured["mail"]["folder"], moved.structured["removed"]) == ("Bills", hidden)
    assert moved.text == "Moved m1 to Bills: Tea, from Bo"
    assert told(tools, "find_mails", folder="Bi\u200blls\u202e").structured["removed"] == hidden
    (store.inbox.folder.parent / "Bil\u2060ls" / "cur").mkdir(parents=True)
    assert refusal_of(tools["move_mail"], mail="m2", folder="Bills").startswith('There is no folder "Bills".')


class Labelled(LocalAccount):
    """The local folder, with a label that hides."""

    def labels(self, folder: str) -> tuple[str, ...]:
        return (*super().labels(folder), "La\u200bter")

    def labels_of(self, key: str) -> tuple[str, ...] | None:
        return (*(super().labels_of(key) or ()), "La\u200bter")

    def relabel(self, key: str, added: Collection[str], removed: Collection[str]) -> None:
        assert {*added} == {"La\u200bter"}


def test_what_hides_in_names_of_labels_is_counted(tmp_path: Path) -> None:
    store = MailStore(tmp_path / "mail")
    store.local = Labelled(tmp_path / "mail")
    store.accounts = (store.local,)
    store.inbox.add(PLAIN.encode())
    tools = MailTools(store).handlers()
    for name, arguments in (("list_labels", {}), ("list_labels", {"mail": "m1"}), ("label_mail", {"mail": "m1", "add": ["later"]})):
        done = told(tools, name, **arguments)
        assert "Later" in done.text
        assert done.structured["removed"] == {"zero-width": 1}
    store.close()
