"""Gmail over IMAP: its archive is found in every language, and a mail that lies in several of its folders is one mail."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from mcp_servers.mail.conversations import Conversations
from mcp_servers.mailbox.imap.account import ImapAccount
from mcp_servers.mailbox.imap.connection import ImapServer
from mcp_servers.mailbox.imap.wire import encoded_name, fetched, listed_folders, roles_of
from mcp_servers.mailbox.store import MailStore
from tests.fakes.imap_mailbox import imap_mailbox
from tests.fakes.rude_imap import rude_imap
from tests.mcp_servers.calling import call, text_of


def lines(*folders: tuple[str, str]) -> list[bytes]:
    return [f'(\\HasNoChildren {attribute}) "/" "{encoded_name(name)}"'.encode() for name, attribute in folders]


def account_at(port: int) -> ImapAccount:
    return ImapAccount(ImapServer("work", "127.0.0.1", port, "u", SecretStr("p"), "none"))


GERMAN = lines(
    ("INBOX", ""), ("[Gmail]/Alle Nachrichten", r"\All"), ("[Gmail]/Entwürfe", r"\Drafts"), ("[Gmail]/Gesendet", r"\Sent"),
    ("[Gmail]/Papierkorb", r"\Trash"), ("Archive", ""),
)  # fmt: skip


@pytest.mark.parametrize("name", ["[Gmail]/All Mail", "[Gmail]/Alle Nachrichten", "[Gmail]/Todos", "[Google Mail]/Tous les messages"])
def test_its_archive_is_the_folder_that_holds_everything_whatever_its_name(name: str) -> None:
    others = (("INBOX", ""), ("[Gmail]/Sent", r"\Sent"))
    assert roles_of(listed_folders(lines(*others, (name, r"\All"))))["Archive"] == name
    # One that somebody made is a label among others.
    assert roles_of(listed_folders(lines(*others, ("Archive", ""), (name, r"\All"))))["Archive"] == name


def test_elsewhere_such_a_folder_is_a_view_into_which_nothing_can_be_put() -> None:
    view = ("Virtual/All", r"\All")
    assert "Archive" not in roles_of(listed_folders(lines(("INBOX", ""), view)))
    assert roles_of(listed_folders(lines(("INBOX", ""), view, ("Archive", ""))))["Archive"] == "Archive"
    proton = lines(("INBOX", ""), ("All Mail", r"\All"), ("Ablage", r"\Archive"))
    assert roles_of(listed_folders(proton))["Archive"] == "Ablage"


def test_a_folder_with_a_role_s_name_that_is_not_it_can_still_be_named() -> None:
    with rude_imap({"LIST": b"".join(b"* LIST %s\r\n" % line for line in GERMAN)}) as port:
        account = account_at(port)
        assert account.folders() == ("Inbox", "Drafts", "Sent", "Archive", "Trash", "Archive (2)")
        assert {key.split(".", 2)[2] for key in account.listing("Archive (2)").unread} == {"Archive"}
        account.close()


def test_in_the_archive_is_what_is_neither_in_the_inbox_nor_sent_nor_a_draft() -> None:
    answers = (
        rb'* 1 FETCH (X-GM-LABELS ("\\Inbox" "UID 7 FLAGS (x)") UID 10 FLAGS (\Seen))',
        rb'* 2 FETCH (X-GM-LABELS ("Sehr \"gut\")" "\\Important") UID 20 FLAGS ())',
        rb"* 3 FETCH (UID 30 FLAGS (\Seen) X-GM-LABELS (\Sent))",
        rb'* 4 FETCH (X-GM-LABELS (Work "\\Draft") UID 40 FLAGS ())',
        rb'* 5 FETCH (X-GM-LABELS ("Inbox" \Starred) UID 50 FLAGS (\Seen))',
        b'* 6 FETCH (X-GM-LABELS ({9}\r\na) UID 61 "\\\\Inbox") UID 60 FLAGS ())',
        b"* 7 FETCH (X-GM-LABELS () UID 70 FLAGS ())",
    )

    def flags(said: str) -> bytes:
        return b"".join(answer + b"\r\n" for answer in answers) if "X-GM-LABELS" in said else b"%TAG BAD labels were not asked for\r\n"

    opened = b"* 7 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n"
    gmail = {
        "CAPABILITY": b"* CAPABILITY IMAP4rev1 MOVE UIDPLUS X-GM-EXT-1\r\n",
        "LIST": b"".join(b"* LIST %s\r\n" % line for line in GERMAN), "EXAMINE": opened, "FLAGS": flags,
    }  # fmt: skip
    with rude_imap(gmail) as port:
        account = account_at(port)
        archive = account.listing("Archive")
        account.close()

    def keys(*uids: int) -> list[str]:
        return [f"7.{uid}.[Gmail]/Alle Nachrichten" for uid in uids]

    assert dict(archive.unread) == dict(zip(keys(20, 50, 70), (True, False, True), strict=True))
    # What is archived no more is not gone, and keeps its number.
    assert archive.gone(keys(10, 15, 20, 30)) == {*keys(15)}


def test_labels_that_nobody_can_read_harm_no_other_part_of_an_answer() -> None:
    [one] = fetched([rb'1 (X-GM-LABELS ("\\Inbox UID 10 FLAGS (\Seen))'])
    assert (one.uid, one.labels) == (10, frozenset())


def test_a_mail_in_several_folders_of_an_account_is_listed_and_read_once(tmp_path: Path) -> None:
    with imap_mailbox({"INBOX": [1, 2], "Archive": [1, 2, 3], "Sent": [2], "Roof": [3]}) as port:
        account = account_at(port)
        store = MailStore(tmp_path / "mail", [account], addresses={"work": "you@work.example"})
        tools = Conversations(store)
        listed = text_of(tools.list_threads)
        shown = text_of(tools.read_thread, mail="s1")
        # What a folder is asked for is shown from there.
        roof = tools.list_threads(call(folder="Roof")).structured["threads"]
        store.close()
        account.close()
    assert listed.startswith("3 threads\n")
    assert "mails" not in listed
    assert (shown.partition("\n")[0], shown.count("Text 1.")) == ("1 mail, newest first", 1)
    assert [[mail["folder"] for mail in thread] for thread in roof] == [["Roof"]]
