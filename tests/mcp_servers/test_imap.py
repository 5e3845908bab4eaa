"""A real IMAP server's mail is found, read and moved like any other, and reading leaves no trace."""

from __future__ import annotations

import imaplib
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.accounts import AccountFailed, MailAccount
from mcp_servers.mailbox.imap.account import ImapAccount
from mcp_servers.mailbox.imap.connection import ImapServer
from mcp_servers.mailbox.setup import SilentAccount
from mcp_servers.mailbox.store import MailStore
from tests.fakes.certificate import make_certificate
from tests.fakes.mail_servers import PASSWORD, USER, clear_imap, imap_server
from tests.mcp_servers.calling import call, text_of

MAIL = (
    "From: Carla Costa <carla@example.org>\r\nTo: you@work.example\r\nSubject: Minutes\r\nMessage-ID: <one@example.org>\r\n"
    "Date: Fri, 20 Nov 2026 08:00:00 +0100\r\n\r\nThanks for coming.\r\n"
)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with imap_server(tmp_path_factory.mktemp("imap")) as port:
        yield port


@pytest.fixture
def wire(port: int) -> Iterator[imaplib.IMAP4]:
    """The server as somebody else sees it, with one mail in it that nobody has read."""
    wire = clear_imap(port)
    wire.append("INBOX", "", None, MAIL.encode())  # pyright: ignore[reportArgumentType]
    yield wire
    wire.shutdown()


@pytest.fixture
def work(port: int) -> Iterator[ImapAccount]:
    account = ImapAccount(ImapServer("work", "127.0.0.1", port, USER, SecretStr(PASSWORD), "none"))
    yield account
    account.close()


@pytest.fixture
def store(mails: MailStore, work: ImapAccount, tmp_path: Path) -> Iterator[MailStore]:
    mails.close()
    store = MailStore(tmp_path / "mail", [work], addresses={"work": "you@work.example"})
    yield store
    store.close()


def flags(wire: imaplib.IMAP4, folder: str = "INBOX") -> list[bytes]:
    wire.select(folder, readonly=True)
    return [line for line in wire.fetch("1:*", "(FLAGS)")[1] if isinstance(line, bytes)]


def test_its_mails_are_listed_among_all_others_with_numbers_that_stay(store: MailStore, wire: imaplib.IMAP4) -> None:
    tools = MailTools(store)
    line = "m4 Fri 20 Nov 2026 08:00 from Carla Costa: Minutes (unread)"
    assert text_of(tools.search_mail).split("\n")[:3] == [
        "4 mails", "m3 Sat 21 Nov 2026 09:12 from Anna Keller: Budget for March (unread)", line,
    ]  # fmt: skip
    assert text_of(tools.search_mail, sender="carla") == f"1 mail\n{line}"
    shown = text_of(tools.read_mail, mail="m4")
    assert shown == "m4 from Carla Costa <carla@example.org>, Fri 20 Nov 2026 08:00\nSubject: Minutes\n---\nThanks for coming.\n---"


def test_reading_marks_nothing(store: MailStore, wire: imaplib.IMAP4) -> None:
    before = flags(wire)
    text_of(MailTools(store).search_mail, query="coming")
    text_of(MailTools(store).read_mail, mail="m4")
    assert flags(wire) == before
    assert b"Seen" not in before[0]


def test_a_mail_that_is_moved_keeps_its_number_and_finds_its_way_back(store: MailStore, wire: imaplib.IMAP4) -> None:
    [mail] = store.mails(account="work")
    moved = store.move(mail, "Trash")
    assert (moved.number, moved.folder, store.mails(account="work")) == (mail.number, "Trash", ())
    assert store.origin(moved) == "Inbox"
    back = store.move(moved, store.origin(moved))
    assert (back.number, back.folder, back.is_unread) == (mail.number, "Inbox", True)
    made = store.move(back, "Archive")
    assert (made.folder, ("work", "Archive") in store.folders("work")) == ("Archive", True)
    wire.select("Archive")
    wire.store("1:*", "+FLAGS", r"(\Deleted)")
    wire.expunge()
    assert store.mail(mail.number) is None


def test_what_is_marked_as_deleted_is_shown_in_the_trash_alone_and_comes_back_without_the_mark(
    store: MailStore, wire: imaplib.IMAP4
) -> None:
    [mail] = store.mails(account="work")
    wire.select("INBOX")
    wire.store("1:*", "+FLAGS", r"(\Deleted)")
    assert (store.mails(account="work"), store.mail(mail.number)) == ((), None)
    assert "Minutes" not in text_of(MailTools(store).search_mail, query="minutes")
    wire.store("1:*", "-FLAGS", r"(\Deleted)")
    [again] = store.mails(account="work")
    assert again.number == mail.number
    store.move(again, "Trash")
    wire.select("Trash")
    wire.store("1:*", "+FLAGS", r"(\Deleted)")
    [thrown] = store.mails("Trash", account="work")
    assert (store.move(thrown, "Inbox").number, b"Deleted" in flags(wire)[0]) == (mail.number, False)


def test_a_connection_that_was_lost_is_made_again(work: ImapAccount, wire: imaplib.IMAP4) -> None:
    assert len(work.listing("Inbox").unread) == 1
    work._connection.wire.shutdown()  # pyright: ignore[reportPrivateUsage, reportOptionalMemberAccess]
    assert len(work.listing("Inbox").unread) == 1


def test_a_wrong_password_is_said_and_not_shown(port: int) -> None:
    account = ImapAccount(ImapServer("work", "127.0.0.1", port, USER, SecretStr("canary-4711"), "none"))
    with pytest.raises(AccountFailed) as failed:
        account.listing("Inbox")
    assert str(failed.value) == "work: 127.0.0.1 did not take the user name and password. Set them right in the settings."
    assert "canary" not in repr(failed.value.__context__) + repr(account.__dict__)


@pytest.mark.parametrize("what", ["nobody listens", "no password"])
def test_an_account_that_fails_is_named_and_hides_no_other(mails: MailStore, tmp_path: Path, what: str) -> None:
    mails.close()
    nobody = ImapAccount(ImapServer("work", "127.0.0.1", 1, "x", SecretStr("x")))
    silent: MailAccount = nobody if what == "nobody listens" else SilentAccount("work", "work: its password is not set.")
    store = MailStore(tmp_path / "mail", [silent])
    tools = MailTools(store)
    lines = text_of(tools.search_mail).split("\n")
    assert (lines[0], lines[-1]) == ("3 mails", "No answer from: work")
    problems = tools.search_mail(call()).structured["problems"]
    assert problems[0].startswith("work: ")
    assert text_of(tools.read_mail, mail="m1").startswith("m1 from Bruno Rossi")
    store.close()


def test_a_server_without_tls_is_not_talked_to_unless_the_settings_say_so(port: int) -> None:
    for security in ("tls", "starttls"):
        account = ImapAccount(ImapServer("work", "127.0.0.1", port, USER, SecretStr(PASSWORD), security))
        with pytest.raises(AccountFailed):
            account.listing("Inbox")


def test_a_certificate_that_nobody_vouches_for_is_refused_and_a_known_one_is_taken(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path / "tls")
    with imap_server(tmp_path / "imap", certificate=certificate) as port:
        server = ImapServer("work", "127.0.0.1", port, USER, SecretStr(PASSWORD), "starttls")
        with pytest.raises(AccountFailed, match="certificate"):
            ImapAccount(server).listing("Inbox")
        known = ImapAccount(server, tls=ssl.create_default_context(cafile=certificate[0]))
        assert len(known.listing("Inbox").unread) > 0
        known.close()
