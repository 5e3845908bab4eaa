"""A mail goes out through Gmail once, with a token that only sends; what nobody knows is looked up and never sent again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import getaddresses
from pathlib import Path

import pytest
from pydantic import SecretStr

from mcp_servers.accounts.failing import LoginNeeded
from mcp_servers.accounts.model import ScopeSet
from mcp_servers.errors import Refusal
from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.message.mime import redated
from mcp_servers.mailbox.store import MailStore
from mcp_servers.mailbox.thread_mark import marked
from mcp_servers.outbox import gmail_carrier
from mcp_servers.outbox.carriers import ByAddress, LocalCarrier, NotSent, Parcel
from mcp_servers.outbox.delivery import UNKNOWN
from mcp_servers.outbox.gmail_carrier import GmailCarrier
from mcp_servers.outbox.server import Outbox
from mcp_servers.protocol.calls import Plan
from tests.fakes.gmail import FakeGmail
from tests.fakes.gmail_mailbox import ME
from tests.fakes.google_api import Answer, Silence, refusal
from tests.mcp_servers.calling import call, text_of
from tests.mcp_servers.gmail_desk import GmailDesk, MailTokens, carrier, outbox_of
from tests.mcp_servers.google_desk import IMPATIENT, at
from tests.mcp_servers.granting import approved

SEND = "gmail.users.messages.send"


class SendingAlone(MailTokens):
    """An account whose person allowed sending and nothing else."""

    def bearer(self, account: str, scopes: ScopeSet, *, refused: SecretStr | None = None) -> SecretStr:
        if scopes != "send":
            raise LoginNeeded("nobody may read here")
        return super().bearer(account, scopes, refused=refused)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MailStore]:
    store = MailStore(tmp_path / "mail", addresses={"work": ME})
    yield store
    store.close()


@pytest.fixture
def plan(outbox: Outbox) -> Plan:
    return outbox.send_mail(call(to="bruno@example.org, eve@example.org", body="Yes.", subject="Dinner"))


def refused(outbox: Outbox, plan: Plan) -> str:
    with pytest.raises(Refusal) as refusal:
        approved(outbox.send_mail, plan)
    return str(refusal.value)


def test_a_mail_goes_out_once_with_the_right_to_send_and_no_other(store: MailStore, google: FakeGmail, tmp_path: Path) -> None:
    tokens = SendingAlone()
    outbox = outbox_of(store, tmp_path, carrier(google, tokens))
    plan = outbox.send_mail(call(to="bruno@example.org", body="Yes.", subject="Dinner"))
    for _ in range(2):
        assert approved(outbox.send_mail, plan).text == 'Sent to bruno@example.org, subject "Dinner": Yes.'
    [mail] = google.mailbox.sent()
    assert (str(mail.message["To"]), str(mail.message["From"]), str(mail.message["Subject"])) == ("bruno@example.org", ME, "Dinner")
    assert google.ids() == ["messages.send"]
    assert {scopes for scopes, _ in tokens.asked} == {"send"}
    assert store.sent.entries() == {}  # the account keeps it, and its list shows it


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            refusal(400, "invalidArgument"),
            "work: Gmail refused the request (HTTP 400, invalidArgument). Try other values, or do it at Google itself. Nothing was sent.",
        ),
        (refusal(403, "dailyLimitExceeded"), "work: Gmail has been asked as much as it allows. Try again tomorrow. Nothing was sent."),
        (refusal(429), "work: Gmail is asked too often. Try again later. Nothing was sent."),
        (
            refusal(403, "insufficientPermissions"),
            "work: Gmail was not allowed to do that. Log in again: `variet login google --account work --scope send`. Nothing was sent.",
        ),
    ],
)
def test_what_gmail_refuses_was_not_sent_and_may_be_sent_again(
    outbox: Outbox, plan: Plan, google: FakeGmail, answer: Answer, sentence: str
) -> None:
    google.before = at(SEND, answer)
    assert refused(outbox, plan) == sentence
    assert google.ids() == ["messages.send"]
    google.before = lambda _: None
    approved(outbox.send_mail, plan)
    assert len(google.mailbox.sent()) == 1


@pytest.mark.parametrize("keeps_id", [True, False])
@pytest.mark.parametrize("trouble", [Silence(), refusal(500), refusal(503)])
def test_a_mail_whose_answer_was_lost_is_found_among_the_sent(
    outbox: Outbox, plan: Plan, google: FakeGmail, trouble: Answer | Silence, keeps_id: bool
) -> None:
    google.mailbox.keeps_message_id = keeps_id
    google.after = at(SEND, trouble, 1)
    assert approved(outbox.send_mail, plan).text.startswith("Sent to bruno@example.org")
    assert approved(outbox.send_mail, plan).text.startswith("Sent to bruno@example.org")
    assert len(google.mailbox.sent()) == 1
    assert google.ids().count("messages.send") == 1


@pytest.mark.parametrize("trouble", [Silence(), refusal(500)])
def test_a_mail_without_an_answer_that_is_not_found_is_unknown_and_never_sent_again(
    outbox: Outbox, plan: Plan, google: FakeGmail, trouble: Answer | Silence
) -> None:
    google.before = at(SEND, trouble)
    for _ in range(2):
        assert refused(outbox, plan) == UNKNOWN
    assert google.ids().count("messages.send") == 1
    assert google.mailbox.sent() == []


def test_a_mail_that_gmail_files_late_is_found_the_next_time(outbox: Outbox, plan: Plan, google: FakeGmail) -> None:
    google.after = at(SEND, Silence(), 1)
    google.before = at("gmail.users.messages.list", refusal(403, "forbidden"))
    assert refused(outbox, plan) == UNKNOWN
    google.before = lambda _: None
    assert approved(outbox.send_mail, plan).text.startswith("Sent to bruno@example.org")
    assert google.ids().count("messages.send") == 1


def test_without_a_token_to_read_what_had_no_answer_stays_unknown(store: MailStore, google: FakeGmail, tmp_path: Path) -> None:
    outbox = outbox_of(store, tmp_path, carrier(google, SendingAlone()))
    plan = outbox.send_mail(call(to="bruno@example.org", body="Yes."))
    google.after = at(SEND, Silence(), 1)
    for _ in range(2):
        assert refused(outbox, plan) == UNKNOWN
    assert (google.ids(), len(google.mailbox.sent())) == (["messages.send"], 1)


@pytest.mark.parametrize("is_after", [False, True])
def test_a_send_that_times_out_is_looked_up_and_never_repeated(store: MailStore, google: FakeGmail, tmp_path: Path, is_after: bool) -> None:
    outbox = outbox_of(store, tmp_path, carrier(google, timeouts_s=IMPATIENT))
    plan = outbox.send_mail(call(to="bruno@example.org", body="Yes."))
    if is_after:
        google.after = at(SEND, Silence(held=True), 1)
        approved(outbox.send_mail, plan)
    else:
        google.before = at(SEND, Silence(held=True), 1)
        assert refused(outbox, plan) == UNKNOWN
    assert (google.ids().count("messages.send"), len(google.mailbox.sent())) == (1, int(is_after))


def test_what_a_crash_left_in_flight_is_looked_up(outbox: Outbox, plan: Plan, google: FakeGmail, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def dies(self: GmailCarrier, content: bytes, thread: str) -> None:
        sent(self, content, thread)
        raise Killed

    sent = GmailCarrier._sent  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(GmailCarrier, "_sent", dies)
    with pytest.raises(Killed):
        approved(outbox.send_mail, plan)
    monkeypatch.setattr(GmailCarrier, "_sent", sent)
    assert approved(outbox.send_mail, plan).text.startswith("Sent to bruno@example.org")
    assert len(google.mailbox.sent()) == 1


def test_an_answer_lands_in_its_conversation_and_names_what_it_answers(google: FakeGmail, tmp_path: Path) -> None:
    desk = GmailDesk(google, tmp_path / "mail")
    first = desk.add(1)
    store = desk.store()
    text_of(MailTools(store).draft_reply, mail="Plan", body="Yes.")
    outbox = outbox_of(store, tmp_path, carrier(google))
    approved(outbox.send_draft, outbox.send_draft(call(draft="last")))
    [mail] = google.mailbox.sent()
    assert mail.thread == first.thread
    assert (str(mail.message["In-Reply-To"]), str(mail.message["References"])) == ("<n1@example.org>", "<n1@example.org>")
    assert str(mail.message["Subject"]) == "Re: Plan"
    assert b"X-Variet-Thread" not in mail.raw
    assert store.drafts.entries() == {}


def test_a_conversation_that_is_gone_does_not_keep_an_answer(store: MailStore, google: FakeGmail, tmp_path: Path) -> None:
    content = b"From: anna@example.org\r\nTo: bo@example.org\r\nSubject: Re: Plan\r\n\r\nYes.\r\n"
    store.save_draft(marked(content, "18cffffffffffff"), key="one")
    outbox = outbox_of(store, tmp_path, carrier(google))
    approved(outbox.send_draft, outbox.send_draft(call(draft="d1")))
    assert (google.ids(), len(google.mailbox.sent())) == (["messages.send", "messages.send"], 1)


def test_a_large_mail_goes_up_as_a_file(google: FakeGmail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gmail_carrier, "PLAIN_BYTES", 100)
    first = GmailDesk(google, Path()).add(1)
    content = b"To: bo@example.org\r\nSubject: Re: Plan\r\nReferences: <n1@example.org>\r\n\r\n" + b"x" * 400 + b"\r\n"
    left: list[int] = []
    parcel = Parcel("u1", content, ME, ("bo@example.org", "unseen@example.org"), first.thread)
    carrier(google).carry(parcel, on_leaving=lambda: left.append(len(google.requests)))
    [mail] = google.mailbox.sent()
    assert (mail.thread, left) == (first.thread, [0])
    assert "x" * 400 in mail.message.get_content()
    assert str(mail.message["Bcc"]) == "unseen@example.org"
    assert google.requests[0].startswith("/upload/gmail/v1/users/me/messages/send?")


def test_letters_of_an_unknown_kind_go_out_in_the_eight_bits_that_they_are_in(google: FakeGmail) -> None:
    content = b"To: bo@example.org\r\nContent-Type: text/plain; charset=x-foo\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"
    carrier(google).carry(Parcel("u1", content, ME, ("bo@example.org",)), on_leaving=lambda: None)
    [mail] = google.mailbox.sent()
    assert mail.raw.endswith(b"\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n")


def test_nobody_gets_a_mail_whom_the_approval_did_not_name(google: FakeGmail) -> None:
    parcel = Parcel("u1", b"To: bo@example.org\r\nCc: eve@example.org\r\n\r\nx\r\n", ME, ("bo@example.org",))
    left: list[bool] = []
    with pytest.raises(NotSent, match="names eve@example.org, who was not approved"):
        carrier(google).carry(parcel, on_leaving=lambda: left.append(True))
    assert (left, google.requests) == ([], [])


def test_gmail_is_told_who_gets_it_in_words_that_can_be_read_in_one_way_only(google: FakeGmail) -> None:
    """It goes by the head alone: a second line, a semicolon or a comment must name nobody who was not shown."""
    asked = (("To: bo@example.org\r\nTo: eve@example.org", True), ("Cc: bo@example.org\r\ncc: eve@example.org", True))
    for head, is_refused in (*asked, ("To: bo@example.org; eve@example.org\r\nResent-To: eve@example.org", False)):
        parcel = Parcel("u1", f"{head}\r\n\r\nx\r\n".encode(), ME, ("bo@example.org",))
        if is_refused:
            with pytest.raises(NotSent, match="names eve@example.org, who was not approved"):
                carrier(google).carry(parcel, on_leaving=lambda: None)
        else:
            carrier(google).carry(parcel, on_leaving=lambda: None)
    [mail] = google.mailbox.sent()
    assert (mail.message.get_all("To"), b"eve@" in mail.raw) == (["bo@example.org"], False)


def test_whom_a_draft_names_keeps_the_name_that_it_has_there(google: FakeGmail) -> None:
    content = b'To: "Keller, Anna" <anna@example.org>,\r\n =?utf-8?q?J=C3=B6rg?= <bo@example.org>\r\n\r\nx\r\n'
    carrier(google).carry(Parcel("u1", content, ME, ("anna@example.org", "bo@example.org")), on_leaving=lambda: None)
    [mail] = google.mailbox.sent()
    assert str(mail.message["To"]) == '"Keller, Anna" <anna@example.org>, J\u00f6rg <bo@example.org>'


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("=?utf-8?q?Doe=2C_Zo=C3=AB?=", "Doe, Zo\u00eb"),
        ("=?utf-8?q?M=C3=BCller=2C_Johanna_of_the_very_long_name?=\r\n =?utf-8?q?_and_more=2C_and_more?=", "M\u00fcller, Johanna of"),
        ('"Doe, Johanna of the very long name, who is called so by many\r\n people, and by others, too"', "Doe, Johanna of the"),
        (f'"{"a" * 60}, eve@example.org, {"b" * 60}"', "aaaa"),
        (f"=?utf-8?q?{'a' * 40}?=\r\n =?utf-8?q?=2C_eve=40example=2Eorg=2C_?=\r\n =?utf-8?q?{'b' * 40}?=", "aaaa"),
    ],
)
def test_no_part_of_a_name_becomes_somebody_who_gets_it(google: FakeGmail, written: str, name: str) -> None:
    content = redated(f"To: {written} <anna@example.org>\r\n\r\nx\r\n".encode(), datetime(2026, 11, 22, 9, 0, tzinfo=UTC))
    carrier(google).carry(Parcel("u1", content, ME, ("anna@example.org",)), on_leaving=lambda: None)
    [mail] = google.mailbox.sent()
    # As it stands there, and as the library reads it.
    [written_to] = re.findall(r"(?m)^To: ((?:[^\r\n]|\r\n[ \t])*)", mail.raw.decode())
    assert [address for _, address in getaddresses([written_to])] == ["anna@example.org"]
    [(said, address)] = getaddresses([str(mail.message["To"])])
    assert (said.startswith(name), address) == (True, "anna@example.org")


def test_an_address_beyond_ascii_is_refused_before_gmail_is_asked(outbox: Outbox, google: FakeGmail) -> None:
    plan = outbox.send_mail(call(to="j\u00f6rg@example.org, bruno@example.org", body="Yes."))
    assert refused(outbox, plan).endswith("beyond ASCII from here (j\u00f6rg@example.org). Nothing was sent. Send it with Gmail itself.")
    assert (google.mailbox.sent(), google.requests) == ([], [])


def test_any_way_out_that_finds_a_mail_proves_that_it_left(google: FakeGmail, store: MailStore) -> None:
    local = LocalCarrier(store.sent)
    ways = ByAddress({"other@example.org": local, ME: carrier(google)})
    assert ways.was_carried("u1") is None
    assert ByAddress({"other@example.org": local}).was_carried("u1") is False
    carrier(google).carry(Parcel("u1", b"To: bo@example.org\r\n\r\nx\r\n", ME, ("bo@example.org",)), on_leaving=lambda: None)
    assert ways.was_carried("u1") is True
