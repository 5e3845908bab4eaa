"""One sent mail that its account does not take holds up no other, and the folder for them is found and made where the others are."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from mcp_servers.mail.sent_filing import SentFiling
from mcp_servers.mailbox.accounts import AccountAway, AccountFailed, LoginRefused
from mcp_servers.mailbox.imap.connection import ImapConnection, ImapServer, role_folder, select
from mcp_servers.mailbox.imap.wire import listed_folders, roles_of
from mcp_servers.mailbox.maildir import Maildir
from mcp_servers.mailbox.unfiled import Unfiled
from tests.fakes.mail_servers import PASSWORD, USER, imap_server


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with imap_server(tmp_path_factory.mktemp("imap") / "server") as port:
        yield port


def connection(port: int, password: str = PASSWORD) -> ImapConnection:
    return ImapConnection(ImapServer("work", "127.0.0.1", port, USER, SecretStr(password), "none"))


class Folder:
    """An account's sent mails; what it does not take, it refuses as `fails` says."""

    def __init__(self, fails: Exception | None = None) -> None:
        self.fails = fails
        self.asked: list[bytes] = []

    def file_sent(self, content: bytes) -> None:
        self.asked.append(content)
        if self.fails is not None and (b"bad" in content or isinstance(self.fails, AccountAway)):
            raise self.fails

    def close(self) -> None:
        pass


def noted(tmp_path: Path, *mails: tuple[str, str, bytes]) -> Unfiled:
    notes, sent = Unfiled(tmp_path), Maildir(tmp_path / "Sent")
    for key, account, content in mails:
        notes.note(key, account)
        sent.add(content, key=key)
    return notes


@pytest.mark.parametrize("error", [AccountFailed("one: too large"), UnicodeEncodeError("ascii", "s\u00e4cret", 1, 2, "no")])
def test_a_mail_that_its_account_does_not_take_holds_up_no_other_and_is_tried_less_and_less(
    tmp_path: Path, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    notes = noted(tmp_path, ("a", "one", b"bad"), ("b", "one", b"good"), ("c", "two", b"other"))
    one, two, now = Folder(error), Folder(), [0.0]
    files = SentFiling(tmp_path, Maildir(tmp_path / "Sent"), {"one": one, "two": two}, clock=lambda: now[0])
    for now[0] in range(0, 86_400, 30):
        files.file_all()
    assert (notes.waiting(), two.asked, one.asked.count(b"good")) == ({"a": "one"}, [b"other"], 1)
    assert 10 < one.asked.count(b"bad") < 40  # at last, once an hour
    assert len(caplog.messages) == 1
    assert "one" in caplog.text
    assert "cret" not in caplog.text


def test_an_account_that_is_away_is_asked_for_one_of_its_mails_and_other_accounts_go_on(tmp_path: Path) -> None:
    noted(tmp_path, ("a", "one", b"first"), ("b", "one", b"second"), ("c", "two", b"other"))
    one, two = Folder(AccountAway("one: no answer")), Folder()
    SentFiling(tmp_path, Maildir(tmp_path / "Sent"), {"one": one, "two": two}).file_all()
    assert (one.asked, two.asked) == ([b"first"], [b"other"])


def test_a_refused_login_is_tried_seldom_enough_that_nobody_is_locked_out_and_a_network_each_minute(tmp_path: Path) -> None:
    noted(tmp_path, ("a", "one", b"first"), ("b", "one", b"second"), ("c", "two", b"other"))
    one, two, now = Folder(LoginRefused("one: no")), Folder(AccountAway("two: no answer")), [0.0]
    files = SentFiling(tmp_path, Maildir(tmp_path / "Sent"), {"one": one, "two": two}, clock=lambda: now[0])
    counted: dict[int, int] = {}
    for now[0] in range(0, 86_400, 30):
        files.file_all()
        counted[int(now[0])] = len(one.asked)
    assert (counted[600], len(two.asked)) == (1, 1440)
    assert 10 < counted[86_370] < 40
    one.fails = None
    now[0] += 3600
    files.file_all()
    assert len(one.asked) == counted[86_370] + 2


@pytest.mark.parametrize("password", ["wrong", "p\u00e4ss"])
def test_without_a_login_the_whole_account_is_away(port: int, password: str) -> None:
    with pytest.raises(LoginRefused, match="did not take the user name and password") as caught:
        connection(port, password).asked(lambda wire: wire)
    assert "\u00e4" not in str(caught.value)


def test_what_the_server_refuses_does_not_make_the_account_away(port: int) -> None:
    account = connection(port)
    with pytest.raises(AccountFailed) as caught:
        account.asked(lambda wire: select(wire, "Nowhere", readonly=True))
    account.close()
    assert not isinstance(caught.value, AccountAway)


def test_a_note_without_a_copy_is_looked_at_now_and_then_and_goes_after_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes, sent, now, looks = Unfiled(tmp_path), Maildir(tmp_path / "Sent"), [0.0], list[float]()
    notes.note("a", "one")

    def looked(key: str) -> None:
        looks.append(now[0])

    monkeypatch.setattr(sent, "read", looked)
    files = SentFiling(tmp_path, sent, {"one": Folder()}, clock=lambda: now[0])
    for now[0] in range(0, 600, 2):
        files.file_all()
    assert looks == [0, 60, 180, 420]
    assert notes.waiting() == {"a": "one"}
    noted_at = time.time() - 3700
    os.utime(notes.folder / "a", (noted_at, noted_at))
    now[0] = 5000.0
    files.file_all()
    assert notes.waiting() == {}


class Dotted:
    """A server that parts its folders by a full stop and does not say what they are for."""

    def __init__(self, *names: str) -> None:
        self.names = [*names]
        self.created: list[str] = []

    def list(self) -> tuple[str, list[bytes]]:
        return "OK", [f'(\\HasNoChildren) "." "{name}"'.encode() for name in self.names]

    def create(self, name: str) -> tuple[str, list[bytes]]:
        self.created.append(name)
        return "OK", [b""]


@pytest.mark.parametrize(
    ("names", "folder", "created"),
    [
        (("INBOX", "INBOX.Sent", "INBOX.Trash"), "INBOX.Sent", []),
        (("INBOX", "Inbox.Trash"), "Inbox.Sent", ['"Inbox.Sent"']),
        (("INBOX", "INBOX.Trash", "Lists"), "Sent", ['"Sent"']),
        (("INBOX",), "Sent", ['"Sent"']),
    ],
)
def test_a_folder_is_found_and_made_where_the_servers_others_are(names: tuple[str, ...], folder: str, created: list[str]) -> None:
    wire: Any = Dotted(*names)
    assert role_folder(wire, "Sent") == folder
    assert wire.created == created


def test_a_server_without_folders_in_folders_has_names_with_slashes() -> None:
    assert "Sent" not in roles_of(listed_folders([b'() NIL "mine/sent"']))
