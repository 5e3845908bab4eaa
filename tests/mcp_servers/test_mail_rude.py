"""An IMAP server that talks nonsense, or stops in the middle, is named in a sentence, and hides no mail of any other account."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from pydantic import SecretStr

from mcp_servers.errors import Quoting, Refusal
from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.imap import connection as imap_connection
from mcp_servers.mailbox.imap.account import ImapAccount
from mcp_servers.mailbox.imap.connection import ImapServer
from mcp_servers.mailbox.store import MailStore
from tests.fakes.rude_imap import GREETING, HANG_UP, rude_imap
from tests.mcp_servers.calling import call, refusal_of, text_of

NEXT = re.compile(r"\b(?:Try again|Look)\b")
NONSENSE = {
    "numbers that are none": b"* one FETCH (UID two FLAGS ())\r\n",
    "too many digits": b"* 1 FETCH (UID " + b"9" * 5000 + b" FLAGS ())\r\n",
    "a negative number": b"* 1 FETCH (UID -1 FLAGS ())\r\n",
    "no line of IMAP": b"florp\r\n",
    "bytes of no letters": b"* \xff\xfe\x00 \xf0\r\n",
    "a line without an end": b"* " + b"x" * 1_100_000 + b"\r\n",
    "a literal of the size of the world": b"* 1 FETCH (UID 1 BODY[] {99999999999999}\r\n",
    "a literal of no size": b"* 1 FETCH (UID 1 BODY[] {-5}\r\nabc)\r\n",
    "half a literal": b"* 1 FETCH (UID 1 BODY[] {500}\r\nabc",
    "somebody else's answer": b"* 5 FETCH (UID 99 FLAGS (\\Seen) BODY[] {3}\r\nabc)\r\n",
    "a refusal": b"%TAG NO \x1b[31mYou are \xe2\x80\xaeevil\r\n",
    "a fault": b"%TAG BAD\r\n",
    "a goodbye": b"* BYE tired\r\n",
    "another's tag": b"zz99 OK done\r\n",
    "a hang-up": HANG_UP,
}


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap_connection, "ANSWER_TIMEOUT_S", 0.3)


@pytest.fixture
def local(mails: MailStore) -> Iterator[MailStore]:
    mails.mails()
    yield mails


def account(port: int) -> ImapAccount:
    return ImapAccount(ImapServer("work", "127.0.0.1", port, "u", SecretStr("canary-4711"), "none"))


def with_account(local: MailStore, port: int) -> MailStore:
    local.close()
    return MailStore(local.folder, [account(port)])


SHORTLY = ("a literal of the size of the world", "a refusal", "a hang-up")
STEPS = [
    *((step, nonsense) for step in ("FLAGS", "BODY") for nonsense in NONSENSE),
    *((step, nonsense) for step in ("CAPABILITY", "LOGIN", "LIST", "EXAMINE") for nonsense in SHORTLY),
]


@pytest.mark.parametrize(("step", "nonsense"), STEPS)
def test_reading_goes_on_without_it(local: MailStore, step: str, nonsense: str) -> None:
    with rude_imap({step: NONSENSE[nonsense]}) as port:
        store = with_account(local, port)
        tools = MailTools(store)
        found = tools.search_mail(call())
        assert "from Anna Keller: Budget for March (unread)" in found.text
        for problem in found.structured["problems"]:
            assert problem.startswith("work: ")
            assert NEXT.search(problem) or "Set " in problem
            assert not {"\x1b", "\u202e", "\n"} & {*problem}
            assert "canary" not in problem
        assert text_of(tools.read_mail, mail="m3").startswith("m3 from Anna Keller")
        store.close()
        store.accounts[1].close()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


@pytest.mark.parametrize(
    "greeting", [b"", b"florp\r\n", b"* BYE not you\r\n", b"* PREAUTH hello\r\n", b"\xff" * 100, b"HTTP/1.1 400 No\r\n\r\n"]
)
def test_what_is_no_imap_server_is_named(local: MailStore, greeting: bytes) -> None:
    with rude_imap({}, greeting) as port:
        store = with_account(local, port)
        found = MailTools(store).search_mail(call())
        assert found.text.splitlines()[0] in ("3 mails", "4 mails")
        assert all(problem.startswith("work: ") for problem in found.structured["problems"])
        store.close()
        store.accounts[1].close()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_a_change_that_is_answered_with_nonsense_is_a_sentence(local: MailStore, nonsense: str) -> None:
    with rude_imap({"MOVE": NONSENSE[nonsense], "STORE": NONSENSE[nonsense]}, GREETING) as port:
        store = with_account(local, port)
        tools = MailTools(store).handlers()
        text_of(tools["search_mail"])
        changes: dict[str, dict[str, Any]] = {"archive_mail": {}, "label_mail": {"add": ["flagged"]}}
        for name, arguments in changes.items():
            with suppress(Refusal):
                told = text_of(tools[name], mail="Minutes", **arguments)
                assert "Minutes" in told
                continue
            told = refusal_of(tools[name], mail="Minutes", **arguments)
            assert told.startswith(("work: ", "The mail is gone. Look again.", 'No mail matches "Minutes".'))
        store.close()
        store.accounts[1].close()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


def test_a_servers_own_words_are_told_as_a_strangers(local: MailStore) -> None:
    with rude_imap({}) as port:
        store = with_account(local, port)
        text_of(MailTools(store).search_mail)
        store.accounts[1].close()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    with rude_imap({"BODY": NONSENSE["a refusal"]}) as port:
        again = with_account(store, port)
        with pytest.raises(Quoting, match=r"^work: its server refused \(.*evil.*\)\. Try again later"):
            MailTools(again).read_mail(call(mail="Minutes"))
        again.close()
        again.accounts[1].close()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
