"""An IMAP server moves and labels mails of a folder as one set, and what came of each is known, also where it does not say it."""

from __future__ import annotations

import imaplib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from mcp_servers.errors import Refusal
from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.imap.account import ImapAccount
from mcp_servers.mailbox.imap.connection import ImapServer
from mcp_servers.mailbox.imap.moving import move
from mcp_servers.mailbox.imap.wire import uids_in
from mcp_servers.mailbox.store import MailStore
from mcp_servers.protocol.calls import Plan
from tests.fakes.mail_servers import PASSWORD, USER, clear_imap, imap_server
from tests.mcp_servers.calling import call, carried_out, refusal_of, text_of


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with imap_server(tmp_path_factory.mktemp("several")) as port:
        yield port


@pytest.fixture
def wire(port: int) -> Iterator[imaplib.IMAP4]:
    wire = clear_imap(port)
    for number in range(1, 4):
        date = f"Fri, 20 Nov 2026 08:0{number}:00 +0100"
        mail = f"From: P{number} <p{number}@example.org>\r\nSubject: Minutes {number}\r\nDate: {date}\r\n\r\nx\r\n"
        wire.append("INBOX", "", None, mail.encode())  # pyright: ignore[reportArgumentType]
    yield wire
    wire.shutdown()


@pytest.fixture
def work(port: int) -> Iterator[ImapAccount]:
    account = ImapAccount(ImapServer("work", "127.0.0.1", port, USER, SecretStr(PASSWORD), "none"))
    yield account
    account.close()


def test_a_server_moves_and_labels_them_as_one_set_and_they_keep_their_numbers(
    work: ImapAccount, wire: imaplib.IMAP4, tmp_path: Path
) -> None:
    store = MailStore(tmp_path / "mail", [work])
    tools = MailTools(store).handlers()
    text_of(tools["search_mail"])
    asked = Counted(work)
    assert refusal_of(tools["move_mail"], mails=["m1", "m2"], folder="trash") == "Put a mail into the trash with trash_mail."
    assert text_of(tools["trash_mail"], mails=["m1", "m2", "m3"]).startswith("3 mails moved\nMoved m1 to Trash of work: Minutes 1, from P1")
    assert asked.of("MOVE") == 1
    assert text_of(tools["find_mails"], folder="Trash").startswith("3 mails\nm3 ")
    plan = tools["restore_mail"](call(mails=["m1", "m2", "m3"]))
    assert isinstance(plan, Plan)
    wire.select("Trash")
    wire.uid("STORE", "1:*", "-FLAGS", r"(\Seen)")
    wire.store("2", "+FLAGS", r"(\Deleted)")
    wire.expunge()
    outcome = carried_out(tools["restore_mail"], plan)  # pyright: ignore[reportArgumentType]
    assert outcome.text.splitlines()[0] == "2 of 3 mails moved"
    assert outcome.text.splitlines()[-1] == "m2 not moved: The mail is gone. Look again."
    told = text_of(tools["label_mail"], mails=["m1", "m3"], add=["flagged"], remove=["unread"])
    assert (told.splitlines()[0], asked.of("STORE")) == ("2 mails labelled", 1)
    assert text_of(tools["list_labels"], mail="m3").startswith("m3 has the label flagged")
    assert text_of(tools["search_mail"], unread=True) == "No mails found"
    store.close()


class Counted:
    """What was sent over an account's connection."""

    def __init__(self, account: ImapAccount) -> None:
        wire = account._connection.wire  # pyright: ignore[reportPrivateUsage]
        assert wire is not None
        self._asked: list[str] = []
        send = wire.uid

        def uid(command: str, *arguments: str) -> Any:
            self._asked.append(command)
            return send(command, *arguments)

        wire.uid = uid

    def of(self, command: str) -> int:
        return self._asked.count(command)


class Saying:
    """A connection whose server answers as it is told to, and says that in several response codes."""

    def __init__(self, *said: bytes) -> None:
        self.untagged_responses: dict[str, list[bytes]] = {"COPYUID": [b"1 1 1"]}
        self.asked: list[tuple[str, ...]] = []
        self._said = said

    def uid(self, *command: str) -> tuple[str, list[bytes]]:
        self.asked.append(command)
        if command[0] in ("MOVE", "COPY"):
            self.untagged_responses.setdefault("COPYUID", []).extend(self._said)
        return "OK", [b""]


def test_the_keys_afterwards_are_those_that_the_server_says(monkeypatch: pytest.MonkeyPatch) -> None:
    both = Saying(b"7 2:3 11,10", b"7 9 12", b"7 4:5 13", b"florp", b"7 1:99999999999 1:99999999999")
    assert move(both, frozenset({"MOVE"}), [9, 2, 3, 4, 5], "Tr/ash") == {2: "7.11.Tr/ash", 3: "7.10.Tr/ash", 9: "7.12.Tr/ash"}  # pyright: ignore[reportArgumentType]
    assert both.asked == [("MOVE", "2,3,4,5,9", '"Tr/ash"')]
    older = Saying()
    assert move(older, frozenset({"UIDPLUS"}), [2, 3], "Trash") == {}  # pyright: ignore[reportArgumentType]
    assert [command[0] for command in older.asked] == ["COPY", "STORE", "EXPUNGE"]
    with pytest.raises(Refusal, match="neither MOVE nor UIDPLUS"):
        move(Saying(), frozenset(), [2], "Trash")  # pyright: ignore[reportArgumentType]
    assert (uids_in("3:1,7"), uids_in("a"), uids_in("1:"), uids_in("")) == ((1, 2, 3, 7), (), (1,), ())


def test_a_mail_of_which_the_server_says_no_key_is_moved_and_found_anew(
    work: ImapAccount, wire: imaplib.IMAP4, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MailStore(tmp_path / "mail", [work])
    tools = MailTools(store).handlers()
    text_of(tools["search_mail"])

    def nothing(said: object, name: str) -> dict[int, str]:
        return {}

    monkeypatch.setattr("mcp_servers.mailbox.imap.moving._keys", nothing)
    assert text_of(tools["archive_mail"], mail="m1").startswith("Moved m1 to Archive of work: Minutes 1")
    assert text_of(tools["archive_mail"], mails=["m2", "m3"]).startswith("2 mails moved\n")
    assert [line[:3] for line in text_of(tools["find_mails"], folder="Archive").splitlines()[1:]] == ["m6 ", "m5 ", "m4 "]
    store.close()


def test_a_connection_that_is_lost_in_the_middle_is_asked_anew_what_was_done(
    work: ImapAccount, wire: imaplib.IMAP4, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MailStore(tmp_path / "mail", [work])
    tools = MailTools(store).handlers()
    text_of(tools["search_mail"])

    def half(wire: imaplib.IMAP4, abilities: frozenset[str], uids: list[int], name: str) -> dict[int, str]:
        move(wire, abilities, uids[:2], name)
        raise imaplib.IMAP4.abort("the cable is out")

    monkeypatch.setattr("mcp_servers.mailbox.imap.account.move", half)
    told = text_of(tools["archive_mail"], mails=["m1", "m2", "m3"])
    assert told.splitlines()[0] == "2 of 3 mails moved"
    assert told.splitlines()[-1].startswith(
        "m3 not moved: work: it is not known whether the mail was moved (the cable is out). Look again."
    )
    store.close()
