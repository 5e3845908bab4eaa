"""A mail is sent once, to whom it was shown for, as it was shown."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from mcp_servers.errors import Refusal, Stale
from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.store import MailStore
from mcp_servers.outbox.carriers import ByAddress, Carrier, Closed
from mcp_servers.outbox.delivery import Delivery
from mcp_servers.outbox.server import Outbox
from mcp_servers.outbox.shape import STAYS_HERE
from mcp_servers.outbox.smtp import SmtpCarrier, SmtpServer
from mcp_servers.protocol.calls import Plan
from tests.mcp_servers.calling import call, refusal_of
from tests.mcp_servers.granting import KEY, approved, sealed_call


def sent(mails: MailStore) -> list[EmailMessage]:
    return [message_from_bytes(entry.path.read_bytes(), policy=policy.default) for entry in mails.sent.entries().values()]


def test_a_mail_goes_out_as_it_was_planned(outbox: Outbox, mails: MailStore) -> None:
    plan = outbox.send_mail(call(to="bruno", body="Yes, gladly.\nSee you.", subject="Dinner"))
    assert dict(plan.arguments) == {"to": "bruno@example.org", "body": "Yes, gladly.\nSee you.", "subject": "Dinner"}
    assert plan.summary == 'Send to bruno@example.org, subject "Dinner": Yes, gladly. See you.'
    assert plan.lines == (("To", "bruno@example.org"), STAYS_HERE, ("Subject", "Dinner"), ("Text", "Yes, gladly.\nSee you."))
    assert sent(mails) == []
    assert approved(outbox.send_mail, plan).text == 'Sent to bruno@example.org, subject "Dinner": Yes, gladly. See you.'
    [mail] = sent(mails)
    assert (str(mail["To"]), str(mail["From"]), str(mail["Subject"])) == ("bruno@example.org", "you@home.example", "Dinner")


def test_whoever_is_asked_is_told_that_without_an_account_a_mail_reaches_nobody(outbox: Outbox, mails: MailStore) -> None:
    label, told = STAYS_HERE
    assert (label, "no mail account is set up" in told, "reaches nobody" in told) == ("Stays here", True, True)
    plan = outbox.send_mail(call(to="bruno", body="Yes."))
    assert STAYS_HERE in plan.lines
    assert "account" not in plan.summary + approved(outbox.send_mail, plan).text
    MailTools(mails).draft_mail(call(to="bruno", body="Yes.")).execute()
    draft = outbox.send_draft(call(draft="last"))
    assert STAYS_HERE in draft.lines
    approved(outbox.send_draft, draft)
    assert STAYS_HERE in outbox.send_draft(sealed_call("send_draft", draft.arguments, draft.host)).lines


@pytest.mark.parametrize("kind", ["an account", "several", "none that sends"])
def test_where_a_mail_leaves_or_is_refused_nothing_says_that_it_stays(mails: MailStore, tmp_path: Path, kind: str) -> None:
    smtp = SmtpCarrier(SmtpServer("work", "127.0.0.1", 9, "", None, "none"), mails.sent)
    closed = Closed("No account sends mail.", mails.sent)
    carriers: dict[str, Carrier] = {"an account": smtp, "several": ByAddress({"you@work.example": smtp}), "none that sends": closed}
    delivery = Delivery(tmp_path / "mail", carriers[kind])
    lines = Outbox(mails, delivery, key=KEY).send_mail(call(to="bruno", body="Yes.")).lines
    delivery.close()
    assert [name for name, _ in lines] == ["To", "Subject", "Text"]


def test_an_approved_mail_that_comes_twice_goes_out_once(outbox: Outbox, mails: MailStore) -> None:
    plan = outbox.send_mail(call(to="bruno", body="Yes."))
    assert approved(outbox.send_mail, plan).text == approved(outbox.send_mail, plan).text
    assert len(sent(mails)) == 1


def test_one_approval_sends_no_other_letter(outbox: Outbox, mails: MailStore) -> None:
    plan = outbox.send_mail(call(to="bruno", body="Yes."))
    approved(outbox.send_mail, plan)
    with pytest.raises(Refusal, match="Another letter was sent under this approval"):
        outbox.send_mail(sealed_call("send_mail", {**plan.arguments, "to": "eve@example.org"}, plan.host)).execute()
    assert len(sent(mails)) == 1


def test_a_draft_is_sent_once_and_is_no_draft_any_more(outbox: Outbox, mails: MailStore) -> None:
    MailTools(mails).draft_reply(call(mail="m3", body="I agree.")).execute()
    plan = outbox.send_draft(call(draft="last"))
    assert dict(plan.arguments) == {"draft": "d1"}
    text = 'Sent to anna@example.org, subject "Re: Budget for March": I agree.'
    assert approved(outbox.send_draft, plan).text == text
    assert mails.drafts.entries() == {}
    assert approved(outbox.send_draft, plan).text == text
    [mail] = sent(mails)
    assert str(mail["In-Reply-To"]).endswith("@variet.invalid>")
    assert refusal_of(outbox.send_draft, draft="d1") == 'No draft matches "d1".'


@pytest.mark.parametrize("said", ["d2", "D2", "2", "draft d2", "last", "the last draft", "latest"])
def test_a_draft_is_named_by_its_id_or_as_the_last(outbox: Outbox, mails: MailStore, said: str) -> None:
    for body in ("one", "two"):
        MailTools(mails).draft_mail(call(to="bruno", body=body)).execute()
    assert dict(outbox.send_draft(call(draft=said)).arguments) == {"draft": "d2"}


def test_a_draft_that_is_not_there_is_named(outbox: Outbox) -> None:
    assert refusal_of(outbox.send_draft, draft="d9") == 'No draft matches "d9".'
    assert refusal_of(outbox.send_draft, draft="last") == 'No draft matches "last".'
    assert refusal_of(outbox.send_mail, to="Bob", body="x") == 'No address is known for "Bob". Give an address.'


def test_a_draft_that_was_changed_after_it_was_shown_is_not_sent(outbox: Outbox, mails: MailStore) -> None:
    MailTools(mails).draft_mail(call(to="bruno", body="Yes.")).execute()
    plan = outbox.send_draft(call(draft="d1"))
    [entry] = mails.drafts.entries().values()
    entry.path.write_bytes(entry.path.read_bytes().replace(b"bruno@", b"eve@"))
    with pytest.raises(Stale, match="The draft has changed since. Look again."):
        approved(outbox.send_draft, plan)
    assert sent(mails) == []


def test_a_draft_of_another_program_shows_everyone_it_goes_to_and_what_it_carries(outbox: Outbox, mails: MailStore) -> None:
    draft = EmailMessage()
    draft["To"], draft["Cc"], draft["Bcc"], draft["Subject"] = "a@example.org", "b@example.org", "c@example.org", "Plan"
    draft.set_content("See below.")
    draft.add_attachment(b"x", maintype="application", subtype="pdf", filename="plan.pdf")
    mails.drafts.add(draft.as_bytes(), flags="D")
    plan = outbox.send_draft(call(draft="d1"))
    assert plan.lines[0] == ("To", "a@example.org, b@example.org, c@example.org")
    assert plan.lines[-1] == ("Attached", "plan.pdf")
    approved(outbox.send_draft, plan)
    assert sent(mails)[0]["Bcc"] is None


def test_a_header_that_stands_twice_hides_nobody(outbox: Outbox, mails: MailStore) -> None:
    mails.drafts.add(b"To: a@example.org\nTo: b@example.org\nCc: c@example.org\ncc: d@example.org\nSubject: x\n\ny", flags="D")
    plan = outbox.send_draft(call(draft="d1"))
    assert plan.lines[0] == ("To", "a@example.org, b@example.org, c@example.org, d@example.org")


@pytest.mark.parametrize(
    "twice",
    ["Subject: a\nSubject: b", "From: a@example.org\nFrom: b@example.org", "Content-Type: text/plain\nContent-Type: text/html"],
)
def test_a_draft_that_can_be_read_in_two_ways_is_not_sent(outbox: Outbox, mails: MailStore, twice: str) -> None:
    mails.drafts.add(f"To: a@example.org\n{twice}\n\ny".encode(), flags="D")
    assert "cannot be shown whole" in refusal_of(outbox.send_draft, draft="d1")


@pytest.mark.parametrize("name", ["To", "Bcc"])
def test_a_draft_to_more_people_than_are_read_is_not_sent_to_some_of_them(outbox: Outbox, mails: MailStore, name: str) -> None:
    people = ",\r\n ".join(f"person{number}@example.org" for number in range(1000))
    mails.drafts.add(f"{name}: {people}\r\nSubject: x\r\n\r\ny".encode(), flags="D")
    assert "cannot be shown whole" in refusal_of(outbox.send_draft, draft="d1")


@pytest.mark.parametrize("to", ["=?utf-8?q?a=40example=2Eorg=2C_b=40example=2Eorg?=", "Anna"])
def test_a_draft_to_what_is_no_address_is_not_sent(outbox: Outbox, mails: MailStore, to: str) -> None:
    mails.drafts.add(f"To: {to}\nSubject: x\n\ny".encode(), flags="D")
    assert "is no address of one person" in refusal_of(outbox.send_draft, draft="d1")


@pytest.mark.parametrize("to", ['"anna b"@example.org', "j\u00f6rg@ex\u00e4mple.org", "anna@[192.0.2.1]"])
def test_a_draft_to_a_rare_kind_of_address_is_shown_with_it(outbox: Outbox, mails: MailStore, to: str) -> None:
    mails.drafts.add(f"To: {to}\nSubject: x\n\ny".encode(), flags="D")
    assert outbox.send_draft(call(draft="d1")).lines[0] == ("To", to)


def test_a_draft_that_says_more_than_can_be_shown_is_not_sent(outbox: Outbox, mails: MailStore) -> None:
    draft = EmailMessage()
    draft["To"], draft["Subject"] = "a@example.org", "Plan"
    draft.set_content("Yes.")
    draft.add_alternative("<p>Pay 900 euros.</p>", subtype="html")
    mails.drafts.add(draft.as_bytes(), flags="D")
    assert "cannot be shown whole" in refusal_of(outbox.send_draft, draft="d1")
    assert sent(mails) == []


def test_where_answers_to_a_draft_go_is_shown(outbox: Outbox, mails: MailStore) -> None:
    mails.drafts.add(b"To: a@example.org\nReply-To: eve@example.net\nSubject: x\n\ny", flags="D")
    assert ("Answers go to", "eve@example.net") in outbox.send_draft(call(draft="d1")).lines


def test_a_draft_to_nobody_is_not_sent(outbox: Outbox, mails: MailStore) -> None:
    mails.drafts.add(b"Subject: x\n\ny", flags="D")
    assert refusal_of(outbox.send_draft, draft="d1") == "Draft d1 has no recipient. Write it again with one."


@pytest.mark.parametrize("dies_after", ["before delivery", "after delivery"])
def test_a_crash_while_sending_leaves_neither_none_nor_two(
    outbox: Outbox, mails: MailStore, delivery: Delivery, monkeypatch: pytest.MonkeyPatch, dies_after: str
) -> None:
    plan = outbox.send_mail(call(to="bruno", body="Yes."))
    add = mails.sent.add

    def dying(content: bytes, *, key: str = "", flags: str = "S") -> str:
        if dies_after == "after delivery":
            add(content, key=key, flags=flags)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(mails.sent, "add", dying)
        approved(outbox.send_mail, plan)
    assert approved(outbox.send_mail, plan).text.startswith("Sent to bruno@example.org")
    assert len(sent(mails)) == 1


def crash_before_the_draft_is_removed(outbox: Outbox, mails: MailStore, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A draft that was sent and is still there, as a crash between the two leaves it; and its plan."""
    MailTools(mails).draft_mail(call(to="bruno", body="Yes.")).execute()
    plan = outbox.send_draft(call(draft="d1"))

    def dying(_: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(mails.drafts, "remove", dying)
        approved(outbox.send_draft, plan)
    assert len(mails.drafts.entries()) == len(sent(mails)) == 1
    return plan


def test_a_draft_that_a_crash_left_behind_is_gone_when_the_call_comes_again(
    outbox: Outbox, mails: MailStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = crash_before_the_draft_is_removed(outbox, mails, monkeypatch)
    assert approved(outbox.send_draft, plan).text.startswith("Sent to bruno@example.org")
    assert mails.drafts.entries() == {}
    assert len(sent(mails)) == 1


def test_a_draft_that_a_crash_left_behind_is_not_sent_by_another_call(
    outbox: Outbox, mails: MailStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash_before_the_draft_is_removed(outbox, mails, monkeypatch)
    assert refusal_of(outbox.send_draft, draft="d1") == 'No draft matches "d1".'
    assert mails.drafts.entries() == {}
    assert len(sent(mails)) == 1


def test_what_was_saved_under_the_key_of_a_sent_draft_since_stays(
    outbox: Outbox, mails: MailStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash_before_the_draft_is_removed(outbox, mails, monkeypatch)
    [entry] = mails.drafts.entries().values()
    entry.path.write_bytes(entry.path.read_bytes().replace(b"Yes.", b"No."))
    outbox.clear_sent_drafts()
    assert len(mails.drafts.entries()) == 1
    assert dict(outbox.send_draft(call(draft="d1")).lines)["Text"] == "No."


def test_without_a_hosts_id_every_call_is_a_mail_of_its_own(outbox: Outbox, mails: MailStore) -> None:
    for _ in range(2):
        outbox.send_mail(sealed_call("send_mail", {"to": "bruno", "body": "Again."}, {})).execute()
    assert len(sent(mails)) == 2


def test_the_outbox_shows_nothing_of_the_mail(outbox: Outbox) -> None:
    assert list(outbox.handlers()) == ["send_mail", "send_draft"]
