"""Of an IMAP folder of any size the newest mails are listed, whatever happens in it meanwhile."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager

import pytest
from pydantic import SecretStr

from mcp_servers.mailbox.accounts import AccountFailed, Listing
from mcp_servers.mailbox.imap import account as imap
from mcp_servers.mailbox.imap.account import ImapAccount
from mcp_servers.mailbox.imap.connection import ImapServer
from tests.fakes.imap_folder import folder_answers
from tests.fakes.rude_imap import Answer, rude_imap

FIVE = [10, 20, 30, 40, 50]
ANOTHER_VALIDITY = "6.40.INBOX"


@contextmanager
def listed(answers: Mapping[str, Answer]) -> Generator[Listing]:
    with rude_imap(answers) as port:
        account = ImapAccount(ImapServer("work", "127.0.0.1", port, "u", SecretStr("p"), "none"))
        try:
            yield account.listing("Inbox")
        finally:
            account.close()


def keys(*uids: int) -> list[str]:
    return [f"7.{uid}.INBOX" for uid in uids]


@pytest.fixture(autouse=True)
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap, "MAX_LISTED", 3)


def test_a_folder_whose_numbers_fit_in_no_line_is_opened() -> None:
    uids = range(1_000_000, 1_140_000)
    with listed(folder_answers(uids, seen=frozenset({1_139_998}))) as inbox:
        assert dict(inbox.unread) == dict(zip(keys(1_139_997, 1_139_998, 1_139_999), (True, False, True), strict=True))
        assert inbox.left_out == 139_997
        # An older one may be there, and nobody asked.
        assert inbox.gone([*keys(1_000_000, 1_139_990, 1_140_000), ANOTHER_VALIDITY]) == {*keys(1_140_000), ANOTHER_VALIDITY}


def test_of_a_small_folder_everything_is_listed_and_what_is_not_is_gone() -> None:
    with listed(folder_answers([10, 20])) as inbox:
        assert (list(inbox.unread), inbox.left_out) == (keys(10, 20), 0)
        assert inbox.gone(keys(1, 15, 99)) == {*keys(1, 15, 99)}


def test_an_empty_folder_is_asked_for_nothing() -> None:
    with listed(folder_answers([])) as inbox:
        assert (inbox.unread, inbox.left_out) == ({}, 0)
        assert inbox.gone(keys(10)) == {*keys(10)}


def test_what_a_server_tells_of_other_mails_meanwhile_is_no_answer() -> None:
    unasked = b"* 1 FETCH (UID 10 FLAGS (\\Seen))\r\n* 4 FETCH (FLAGS (\\Flagged))\r\n* 6 EXISTS\r\n* 6 FETCH (UID 60 FLAGS ())\r\n"
    with listed(folder_answers(FIVE, unasked=unasked)) as inbox:
        assert {*inbox.unread} == {*keys(30, 40, 50, 60)}
        assert inbox.left_out == 2
        assert inbox.gone(keys(10, 20, 35)) == {*keys(35)}


def test_where_a_mail_went_meanwhile_nothing_is_taken_for_gone_until_the_next_look() -> None:
    with listed(folder_answers(FIVE, gone=frozenset({30}))) as inbox:
        assert ({*inbox.unread}, inbox.left_out) == ({*keys(40, 50)}, 2)
        assert inbox.gone([*keys(20, 30), ANOTHER_VALIDITY]) == {ANOTHER_VALIDITY}


def test_what_is_marked_as_deleted_is_not_listed_and_keeps_its_number_until_it_is_gone() -> None:
    with listed(folder_answers([10, 20, 30], seen=frozenset({10, 20}), deleted=frozenset({10, 30}))) as inbox:
        assert (dict(inbox.unread), inbox.left_out) == ({keys(20)[0]: False}, 0)
        assert inbox.gone(keys(5, 10, 15, 30, 99)) == {*keys(5, 15, 99)}


@pytest.mark.parametrize("said", [b"", b"* EXISTS\r\n", b"* OK [EXISTS] many\r\n"])
def test_a_folder_of_which_nobody_says_how_many_it_holds_is_not_taken_for_empty(said: bytes) -> None:
    with pytest.raises(AccountFailed, match="is no IMAP"), listed({"EXAMINE": said + b"* OK [UIDVALIDITY 7] ok\r\n"}):
        pass
