"""Drafts lie among an account's own drafts, and what was sent over SMTP among its own sent mails, once each, whatever is interrupted."""

from __future__ import annotations

import imaplib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from mcp_servers.mail.sent_filing import SentFiling
from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox import unfiled
from mcp_servers.mailbox.imap.account import ImapAccount
from mcp_servers.mailbox.imap.connection import ImapConnection, ImapServer
from mcp_servers.mailbox.imap.keeping import ImapKeeping
from mcp_servers.mailbox.imap.wire import Listed, roles_of
from mcp_servers.mailbox.message.mime import is_same_letter, quotable_id
from mcp_servers.mailbox.store import MailStore
from mcp_servers.mailbox.unfiled import Unfiled
from mcp_servers.mailbox.unplaced import Unplaced
from mcp_servers.outbox.carriers import ByAddress, Parcel
from mcp_servers.outbox.delivery import Delivery
from mcp_servers.outbox.server import Outbox
from mcp_servers.outbox.smtp import SmtpCarrier, SmtpServer
from mcp_servers.protocol.calls import Plan
from tests.fakes.mail_servers import PASSWORD, USER, Sink, clear_imap, imap_server, smtp_server
from tests.mcp_servers.calling import call, carried_out, text_of
from tests.mcp_servers.granting import KEY, approved

FROM = "you@work.example"
BOUND_S = 60.0


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with imap_server(tmp_path_factory.mktemp("imap") / "server", keywords=("Projects",)) as port:
        yield port


@pytest.fixture
def server(port: int) -> ImapServer:
    return ImapServer("work", "127.0.0.1", port, USER, SecretStr(PASSWORD), "none")


@pytest.fixture
def wire(port: int) -> Iterator[imaplib.IMAP4]:
    """The server as somebody else sees it, with nothing in it."""
    wire = clear_imap(port)
    for folder in ("Drafts", "Sent"):
        wire.delete(folder)
    yield wire
    wire.shutdown()


@pytest.fixture
def store(wire: imaplib.IMAP4, server: ImapServer, tmp_path: Path) -> Iterator[MailStore]:
    account = ImapAccount(server)
    store = MailStore(tmp_path / "mail", [account], addresses={"work": FROM})
    yield store
    store.close()
    account.close()


@pytest.fixture
def sink() -> Iterator[Sink]:
    with smtp_server() as sink:
        yield sink


@pytest.fixture
def outbox(store: MailStore, sink: Sink, tmp_path: Path) -> Iterator[Outbox]:
    folder = tmp_path / "mail"
    way = SmtpCarrier(SmtpServer("work", "127.0.0.1", sink.port, "", None, "none"), store.sent, unfiled=Unfiled(folder))
    delivery = Delivery(folder, ByAddress({FROM: way}))
    yield Outbox(store, delivery, key=KEY)
    delivery.close()


def held(wire: imaplib.IMAP4, folder: str) -> list[str]:
    """Flags and subject of each mail of a folder of the account."""
    if wire.select(folder, readonly=True)[0] != "OK":
        return []
    found: list[str] = []
    for number in str(wire.search(None, "ALL")[1][0], "ascii").split():
        parts: Any = wire.fetch(number, "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
        text = repr(parts)
        flags = re.search(r"FLAGS \(([^)]*)\)", text)
        subject = re.search(r"Subject: (\w+)", text)
        names = flags[1].replace("\\\\", "\\").replace("\\Recent", "").split() if flags else []
        found.append(f"{' '.join(sorted(names))}: {subject[1] if subject else ''}")
    return found


def filing(store: MailStore, tmp_path: Path, server: ImapServer, *, files_sent: bool = False) -> SentFiling:
    keeper = ImapKeeping(ImapConnection(server), files_sent=files_sent)
    return SentFiling(tmp_path / "mail", store.sent, {"work": keeper})


def draft(store: MailStore, subject: str = "Dinner") -> Plan:
    plan = MailTools(store).draft_mail(call(to="bruno@example.org", body="Yes.", subject=subject))
    carried_out(MailTools(store).draft_mail, plan)
    return plan


def test_a_draft_is_among_the_accounts_own_drafts_once(store: MailStore, wire: imaplib.IMAP4) -> None:
    plan = draft(store)
    done = carried_out(MailTools(store).draft_mail, plan)
    assert done.text == 'Draft d1 to bruno@example.org, subject "Dinner": Yes.'
    assert (done.structured["draft"]["account"], done.structured["problems"]) == ("work", [])
    assert held(wire, "Drafts") == [r"\Draft \Seen: Dinner"]
    listed = text_of(MailTools(store).handlers()["find_mails"], folder="Drafts")
    assert listed.startswith("1 mail\n")


def test_a_draft_is_thrown_away_here_and_among_the_accounts_own(store: MailStore, wire: imaplib.IMAP4) -> None:
    draft(store)
    draft(store, "Other")
    tools = MailTools(store).handlers()
    contents = [store.drafts.read(key) or b"" for key in store.drafts.entries()]
    # As a process that died right after the account took them left it.
    for key, content in zip(store.drafts.entries(), contents, strict=True):
        Unplaced(store.folder).note(key, "work", content)
    assert text_of(tools["list_drafts"]).startswith('2 drafts\nd1 to bruno@example.org, subject "Dinner"')
    assert text_of(tools["discard_draft"], draft="d1").startswith("Discarded draft d1")
    assert (held(wire, "Drafts"), [mail.subject for mail in store.mails("Trash", account="local")]) == (
        [r"\Draft \Seen: Other"], ["Dinner"],
    )  # fmt: skip
    [account] = [one for one in store.accounts if isinstance(one, ImapAccount)]
    assert sorted(account.find_draft(content) == content for content in contents) == [False, True]
    assert Unplaced(store.folder).waiting() == ()


def test_a_draft_that_its_account_does_not_take_is_kept_here_and_that_is_said(tmp_path: Path) -> None:
    nobody = ImapAccount(ImapServer("work", "127.0.0.1", 1, "x", SecretStr("x"), "none"))
    store = MailStore(tmp_path / "mail", [nobody], addresses={"work": FROM})
    tools = MailTools(store)
    done = carried_out(tools.draft_mail, tools.draft_mail(call(to="bruno@example.org", body="Yes.")))
    assert done.text.split("\n") == ['Draft d1 to bruno@example.org, subject "Yes": Yes.', "No answer from: work"]
    assert done.structured["draft"]["account"] == ""
    assert len(store.drafts.entries()) == 1
    store.close()


def test_what_was_sent_is_among_the_accounts_sent_mails_and_its_draft_is_gone(
    store: MailStore, outbox: Outbox, wire: imaplib.IMAP4, server: ImapServer, tmp_path: Path, sink: Sink
) -> None:
    draft(store)
    draft(store, "Other")
    approved(outbox.send_draft, outbox.send_draft(call(draft="d1")))
    approved(outbox.send_mail, outbox.send_mail(call(to="bruno@example.org", body="New.", subject="New")))
    assert len(sink.mails) == 2
    assert held(wire, "Sent") == []
    for _ in range(2):
        filing(store, tmp_path, server).file_all()
    assert sorted(held(wire, "Sent")) == [r"\Seen: Dinner", r"\Seen: New"]
    assert held(wire, "Drafts") == [r"\Draft \Seen: Other"]
    assert Unfiled(tmp_path / "mail").waiting() == {}
    tools = MailTools(store).handlers()
    assert text_of(tools["find_mails"], folder="Sent").startswith("2 mails\n")
    assert text_of(tools["list_threads"]).startswith("2 threads\n")
    number = next(mail.number for mail in store.mails("Sent", account="local") if mail.subject == "Dinner")
    assert text_of(tools["read_thread"], mail=f"m{number}").startswith("1 mail, ")  # the local copy, by its own id


class Interrupted(BaseException):
    pass


@pytest.mark.parametrize("answer", ["killed", "lost"])
def test_what_is_interrupted_right_after_the_account_took_it_is_not_put_there_again(
    store: MailStore, outbox: Outbox, wire: imaplib.IMAP4, server: ImapServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    approved(outbox.send_mail, outbox.send_mail(call(to="bruno@example.org", body="Yes.", subject="Dinner")))
    append = imaplib.IMAP4.append

    def breaks(self: imaplib.IMAP4, *arguments: Any) -> Any:
        append(self, *arguments)
        raise Interrupted if answer == "killed" else imaplib.IMAP4.abort("socket error: EOF")

    with monkeypatch.context() as patched:
        patched.setattr(imaplib.IMAP4, "append", breaks)
        if answer == "killed":
            with pytest.raises(Interrupted):
                filing(store, tmp_path, server).file_all()
        else:
            filing(store, tmp_path, server).file_all()
    assert len(Unfiled(tmp_path / "mail").waiting()) == 1
    filing(store, tmp_path, server).file_all()
    assert held(wire, "Sent") == [r"\Seen: Dinner"]
    assert Unfiled(tmp_path / "mail").waiting() == {}


def test_an_account_that_is_away_gets_it_later_and_is_not_asked_all_the_time(
    store: MailStore, outbox: Outbox, wire: imaplib.IMAP4, server: ImapServer, tmp_path: Path
) -> None:
    approved(outbox.send_mail, outbox.send_mail(call(to="bruno@example.org", body="Yes.", subject="Dinner")))
    now, asked = [0.0], list[float]()
    away = ImapKeeping(ImapConnection(ImapServer("work", "127.0.0.1", 1, "x", SecretStr("x"), "none")))
    there = ImapKeeping(ImapConnection(server))

    class Changing:
        def file_sent(self, content: bytes) -> None:
            asked.append(now[0])
            (away if now[0] < 100 else there).file_sent(content)

        def close(self) -> None:
            there.close()

    files = SentFiling(tmp_path / "mail", store.sent, {"work": Changing()}, clock=lambda: now[0])
    for now[0] in (0.0, 30.0, 70.0, 140.0, 150.0):
        files.file_all()
    assert asked == [0.0, 70.0, 140.0]
    assert held(wire, "Sent") == [r"\Seen: Dinner"]


def test_a_server_that_files_sent_mails_itself_is_left_to_it_and_a_draft_that_was_changed_there_stays(
    store: MailStore, outbox: Outbox, wire: imaplib.IMAP4, server: ImapServer, tmp_path: Path
) -> None:
    for subject in ("One", "Two"):
        draft(store, subject)
    content = store.drafts.read(store.draft_numbers()[2]) or b""
    wire.select("Drafts")
    wire.store("2", "+FLAGS", r"(\Deleted)")
    wire.expunge()
    wire.append("Drafts", r"(\Draft \Seen)", None, content.replace(b"Yes.", b"Yes, and I bring wine."))  # pyright: ignore[reportArgumentType]
    for number in ("d1", "d2"):
        approved(outbox.send_draft, outbox.send_draft(call(draft=number)))
    filing(store, tmp_path, server, files_sent=True).file_all()
    assert (held(wire, "Sent"), held(wire, "Drafts")) == ([], [r"\Draft \Seen: Two"])


def test_the_mail_server_takes_up_what_an_earlier_process_left(
    store: MailStore, outbox: Outbox, wire: imaplib.IMAP4, server: ImapServer, tmp_path: Path
) -> None:
    approved(outbox.send_mail, outbox.send_mail(call(to="bruno@example.org", body="Yes.", subject="Dinner")))
    imap = {"imap_host": "127.0.0.1", "imap_port": server.port, "imap_security": "none"}
    account = {"address": FROM, "user": USER, "smtp_host": "127.0.0.1", **imap}
    told = json.dumps({"name": "work", "account": account})
    command = [sys.executable, "-m", "mcp_servers.mail", "--store", str(tmp_path / "mail"), "--account", told]
    environ = {**os.environ, "VARIET_IMAP_WORK_PASSWORD": PASSWORD, "VARIET_HOME": str(tmp_path / "home")}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environ) as process:
        try:
            wait_until_filed(tmp_path)
        finally:
            process.kill()
    assert held(wire, "Sent") == [r"\Seen: Dinner"]


def wait_until_filed(tmp_path: Path) -> None:
    give_up_at = time.monotonic() + BOUND_S
    while Unfiled(tmp_path / "mail").waiting() and time.monotonic() < give_up_at:
        time.sleep(0.05)


def test_a_note_without_a_copy_files_nothing_and_goes_when_it_is_old(
    store: MailStore, server: ImapServer, wire: imaplib.IMAP4, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = Unfiled(tmp_path / "mail")
    notes.note("0123", "work")
    filing(store, tmp_path, server).file_all()
    assert (notes.waiting(), held(wire, "Sent")) == ({"0123": "work"}, [])
    assert [file.stat().st_mode & 0o077 for file in (notes.folder, notes.folder / "0123")] == [0, 0]
    monkeypatch.setattr(unfiled, "LONGEST_S", -1)
    assert notes.waiting() == {}


def test_a_mail_without_an_id_leaves_with_one(store: MailStore, sink: Sink) -> None:
    way = SmtpCarrier(SmtpServer("work", "127.0.0.1", sink.port, "", None, "none"), store.sent)
    way.carry(Parcel("u1", b"Subject: x\r\nMessage-ID: none\r\n\r\ny\r\n", FROM, ("bo@example.org",)), on_leaving=lambda: None)
    assert quotable_id(sink.mails[0][2]).endswith("@variet.invalid>")
    assert quotable_id(b'Message-ID: <a"b@c>\r\n\r\n') == quotable_id(b"\r\n\r\n") == ""


def test_a_letter_is_the_same_whenever_it_was_written_and_another_with_one_more_word() -> None:
    letter = b"Subject: =?utf-8?q?caf=C3=A9?=\r\nDate: Fri, 20 Nov 2026 10:00:00 +0100\r\nTo: a@b\r\n\r\nYes.\r\n"
    assert is_same_letter(letter, letter.replace(b"20 Nov", b"21 Nov").replace(b"\r\n", b"\n") + b"\n")
    assert not is_same_letter(letter, letter.replace(b"Yes", b"Yes indeed"))
    assert not is_same_letter(letter, b"Bcc: eve@evil.example\r\n" + letter)


def test_a_server_says_which_folder_is_for_drafts_and_else_the_usual_names_count() -> None:
    said = [Listed("Mine", "Drafts"), Listed("Drafts"), Listed("INBOX.Sent"), Listed("Sent Items")]
    assert (roles_of(said)["Drafts"], roles_of(said)["Sent"]) == ("Mine", "Sent Items")
    assert "Drafts" not in roles_of([Listed("Notes")])
