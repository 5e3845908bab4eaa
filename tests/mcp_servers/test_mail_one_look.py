"""A mail that is known is looked at alone: its folder is not listed, and no other mail is waited for."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import SecretStr

from mcp_servers.mail.filing import Filing
from mcp_servers.mail.search import named
from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.imap import account as imap
from mcp_servers.mailbox.imap.account import ImapAccount
from mcp_servers.mailbox.imap.connection import ImapServer
from mcp_servers.mailbox.store import MailStore
from tests.fakes.imap_mailbox import imap_mailbox
from tests.fakes.rude_imap import rude_imap
from tests.mcp_servers.calling import refusal_of, text_of
from tests.mcp_servers.test_mail_accounts import SlowAccount


@dataclass
class House:
    """Two folders of one account, and what their server was asked for."""

    store: MailStore
    folders: dict[str, range]
    asked: list[str] = field(default_factory=list[str])
    fetches: list[None] = field(default_factory=list[None])

    def forget(self) -> None:
        self.asked.clear()
        self.fetches.clear()


@contextmanager
def house(folder: Path) -> Generator[House]:
    folders, asked, fetches = {"INBOX": range(1, 4), "Archive": range(1, 3)}, list[str](), list[None]()
    with imap_mailbox(folders, on_fetch=lambda: fetches.append(None), on_flags=asked.append) as port:
        work = ImapAccount(ImapServer("work", "127.0.0.1", port, "u", SecretStr("p"), "none"))
        store = MailStore(folder / "mail", [work])
        yield House(store, folders, asked, fetches)
        store.close()
        work.close()


def numbers(store: MailStore, folder: str) -> dict[str, int]:
    return {mail.subject: mail.number for mail in store.mails(folder)}


def test_a_known_mail_is_read_without_a_listing_and_without_the_new_ones(tmp_path: Path) -> None:
    with house(tmp_path) as home:
        number = numbers(home.store, "Inbox")["s2"]
        home.folders["INBOX"] = range(1, 201)
        home.forget()
        assert "Text 2." in text_of(MailTools(home.store).read_mail, mail=f"m{number}")
        # One look at the mail, and the mail itself: no head of the 197 that are new.
        assert (home.asked, len(home.fetches)) == (["UID FETCH 2 (UID FLAGS)"], 1)
        assert home.store.mail(number) is not None
        assert len(home.fetches) == 1
        # Words are looked for in all of them.
        assert "Text 150." in text_of(MailTools(home.store).read_mail, mail="s150")


def test_several_are_looked_at_by_one_question_a_folder(tmp_path: Path) -> None:
    with house(tmp_path) as home:
        inbox, archive = numbers(home.store, "Inbox"), numbers(home.store, "Archive")
        home.forget()
        found = named(home.store, [f"m{inbox['s1']}", f"m{inbox['s3']}", f"m{archive['s2']}"])
        assert [(mail.folder, mail.subject, mail.is_unread) for mail in found.mails] == [
            ("Inbox", "s1", True), ("Inbox", "s3", True), ("Archive", "s2", True),
        ]  # fmt: skip
        assert home.asked == ["UID FETCH 1,3 (UID FLAGS)", "UID FETCH 2 (UID FLAGS)"]
        assert home.fetches == []


def test_one_that_is_gone_is_looked_for_among_all_and_said_to_be_gone(tmp_path: Path) -> None:
    with house(tmp_path) as home:
        number = numbers(home.store, "Inbox")["s2"]
        home.folders["INBOX"] = range(3, 4)
        assert refusal_of(MailTools(home.store).read_mail, mail=f"m{number}").startswith(f'No mail matches "m{number}"')
        assert f'No mail matches "m{number}"' in refusal_of(Filing(home.store).archive_mail, mails=[f"m{number}"])


def test_a_mail_with_any_number_of_newer_ones_is_found_by_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with house(tmp_path) as home:
        number = numbers(home.store, "Inbox")["s1"]
        monkeypatch.setattr(imap, "MAX_LISTED", 2)
        assert "s1" not in numbers(home.store, "Inbox")
        assert "Text 1." in text_of(MailTools(home.store).read_mail, mail=f"m{number}")


def test_of_single_mails_those_are_there_that_a_listing_would_show() -> None:
    told = (
        rb'* 1 FETCH (UID 10 FLAGS (\Seen) X-GM-LABELS (work))', rb'* 2 FETCH (UID 20 FLAGS (\Deleted) X-GM-LABELS ())',
        rb'* 3 FETCH (X-GM-LABELS ("\\Inbox") UID 30 FLAGS ())', rb'* 4 FETCH (UID 40 FLAGS () X-GM-LABELS ())',
        rb"* 5 FETCH (UID 50 FLAGS ())",
    )  # fmt: skip
    asked: list[str] = []

    def flags(said: str) -> bytes:
        asked.append(said)
        return b"".join(line + b"\r\n" for line in told)

    with rude_imap({"CAPABILITY": b"* CAPABILITY IMAP4rev1 X-GM-EXT-1\r\n", "FLAGS": flags}) as port:
        account = ImapAccount(ImapServer("work", "127.0.0.1", port, "u", SecretStr("p"), "none"))
        uids = (10, 20, 30, 40)
        found = account.look_at([*(f"7.{uid}.Archive" for uid in uids), "6.50.Archive", "7.10.Elsewhere"])
        assert {folder: dict(listing.unread) for folder, listing in found.items()} == {
            "Archive": {"7.10.Archive": False, "7.40.Archive": True}
        }
        assert asked == ["UID FETCH 10,20,30,40 (UID FLAGS X-GM-LABELS)"]
        account.close()


def test_an_account_that_can_only_list_is_not_read_further_for_one_mail(tmp_path: Path) -> None:
    store = MailStore(tmp_path / "mail", [SlowAccount()])
    first = store.mails()[-1]
    assert store.known([first.number, 999]) == {first.number: first}
    assert len(numbers(store, "Inbox")) == 4
    store.close()
