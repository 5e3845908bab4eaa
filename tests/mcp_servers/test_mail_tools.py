"""What a person asks of their mail is found, shown and drafted as agreed."""

from __future__ import annotations

from email import message_from_bytes, policy
from pathlib import Path

from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.maildir import Maildir
from mcp_servers.mailbox.store import MailStore
from tests.mcp_servers.calling import call, carried_out, refusal_of, text_of

NEWEST = "m3 Sat 21 Nov 2026 09:12 from Anna Keller: Budget for March (unread)"
INVOICE = "m2 Wed 18 Nov 2026 08:00 from Anna Brandt: Invoice"
ONE_LINE = "must be one line. Leave out the line breaks."
DINNER = "m1 Mon 16 Nov 2026 19:00 from Bruno Rossi: Dinner on Friday"


def deliver(store: MailStore, content: str, key: str = "another") -> None:
    (store.inbox.folder / "new" / key).write_bytes(content.encode())


def test_the_newest_mails_come_first_when_nothing_is_said(mail_tools: MailTools) -> None:
    assert text_of(mail_tools.search_mail) == f"3 mails\n{NEWEST}\n{INVOICE}\n{DINNER}"


def test_mails_are_found_by_sender_words_time_and_whether_they_were_read(mail_tools: MailTools) -> None:
    assert text_of(mail_tools.search_mail, sender="anna") == f"2 mails\n{NEWEST}\n{INVOICE}"
    assert text_of(mail_tools.search_mail, sender="anna keller") == f"1 mail\n{NEWEST}"
    assert text_of(mail_tools.search_mail, sender="brandt@example.org") == f"1 mail\n{INVOICE}"
    assert text_of(mail_tools.search_mail, sender="Brunno") == f"1 mail\n{DINNER}"
    assert text_of(mail_tools.search_mail, query="the numbers") == f"1 mail\n{NEWEST}"
    assert text_of(mail_tools.search_mail, query="invoices") == f"1 mail\n{INVOICE}"
    assert text_of(mail_tools.search_mail, when="monday") == f"1 mail\n{DINNER}"
    assert text_of(mail_tools.search_mail, when="since wednesday") == f"2 mails\n{NEWEST}\n{INVOICE}"
    assert text_of(mail_tools.search_mail, unread=True) == f"1 mail\n{NEWEST}"
    assert text_of(mail_tools.search_mail, unread=False).startswith("3 mails\n")
    assert text_of(mail_tools.search_mail, sender="nobody") == "No mails found"


def test_more_than_eight_mails_are_counted(mails: MailStore) -> None:
    for number in range(9):
        deliver(mails, f"From: a@example.org\nSubject: n{number}\nDate: Fri, 20 Nov 2026 10:00:00 +0100\n\nx", f"k{number}")
    lines = text_of(MailTools(mails).search_mail).split("\n")
    assert (lines[0], len(lines), lines[-1]) == ("12 mails", 10, "and 4 more")


def test_a_mail_is_read_by_id_or_by_words_and_stays_unread(mail_tools: MailTools) -> None:
    shown = (
        "m3 from Anna Keller <anna@example.org>, Sat 21 Nov 2026 09:12\nSubject: Budget for March\n"
        "---\nThe numbers are ready.\n- - -\nAnna\n---"
    )
    for words in ("m3", "M3", "3", "budget", "Anna Keller", "the mail from Anna", "latest", "the newest mail", "anna's mail"):
        assert text_of(mail_tools.read_mail, mail=words) == shown
    assert text_of(mail_tools.search_mail, unread=True).startswith("1 mail")
    assert refusal_of(mail_tools.read_mail, mail="m99") == 'No mail matches "m99".'
    assert refusal_of(mail_tools.read_mail, mail='Zoe "x"') == 'No mail matches "Zoe x".'


def test_what_is_read_is_marked_as_untrusted_and_has_every_field(mail_tools: MailTools) -> None:
    structured = mail_tools.read_mail(call(mail="m3")).structured
    assert structured["untrusted"] is True
    assert structured["mail"]["from"] == {"name": "Anna Keller", "address": "anna@example.org"}
    assert structured["mail"]["text"] == "The numbers are ready.\n---\nAnna"
    assert mail_tools.search_mail(call()).structured["untrusted"] is True


def test_ids_stay_when_mails_are_read_moved_and_join(mails: MailStore, tmp_path: Path) -> None:
    tools = MailTools(mails)
    assert text_of(tools.search_mail).count("\n") == 3
    deliver(mails, "From: Old <old@example.org>\nSubject: late\nDate: Sun, 1 Nov 2026 10:00:00 +0100\n\nx")
    assert text_of(tools.search_mail, query="late") == "1 mail\nm4 Sun 1 Nov 2026 10:00 from Old: late (unread)"
    another = mails.inbox.folder / "new" / "another"
    another.rename(mails.inbox.folder / "cur" / "another:2,S")
    mails.inbox.remove(mails.mails()[0].key)
    again = MailTools(MailStore(tmp_path / "mail"))
    assert text_of(again.search_mail) == f"3 mails\n{INVOICE}\n{DINNER}\nm4 Sun 1 Nov 2026 10:00 from Old: late"


def test_a_draft_goes_to_an_address_or_to_someone_who_has_written(mails: MailStore) -> None:
    tools = MailTools(mails)
    assert text_of(tools.draft_mail, to="Bruno", body="Yes, gladly. See you.", subject="Dinner") == (
        'Draft d1 to bruno@example.org, subject "Dinner": Yes, gladly. See you.'
    )
    assert text_of(tools.draft_mail, to="new@example.net", body="Hello there. How are you?") == (
        'Draft d2 to new@example.net, subject "Hello there": Hello there. How are you?'
    )
    assert refusal_of(tools.draft_mail, to="Bob", body="x") == 'No address is known for "Bob". Give an address.'
    assert refusal_of(tools.draft_mail, to="anna", body="x").startswith('2 people match "anna": Anna Keller <anna@example.org>;')


def test_a_prepared_draft_changes_nothing_and_is_saved_once(mails: MailStore) -> None:
    tools = MailTools(mails)
    plan = tools.draft_mail(call(to="bruno", body="Yes."))
    assert dict(plan.arguments) == {"to": "bruno@example.org", "body": "Yes.", "subject": "Yes"}
    assert plan.summary == 'Save a draft to bruno@example.org, subject "Yes": Yes.'
    assert plan.lines == (("To", "bruno@example.org"), ("Subject", "Yes"), ("Text", "Yes."))
    assert mails.drafts.entries() == {}
    assert carried_out(tools.draft_mail, plan).text == carried_out(tools.draft_mail, plan).text
    assert len(mails.drafts.entries()) == 1


def test_a_reply_keeps_the_thread_and_goes_where_answers_are_wanted(mails: MailStore) -> None:
    deliver(
        mails,
        "From: List <list@example.org>\nReply-To: desk@example.org\nSubject: RE: Ticket\nDate: Sat, 21 Nov 2026 08:00:00 +0000\n"
        "Message-ID: <c@x>\nReferences: <a@x> <b@x>\nIn-Reply-To: <b@x>\n\nBody",
    )
    tools = MailTools(mails)
    outcome = tools.draft_reply(call(mail="ticket", body="I agree.")).execute()
    assert outcome.text == 'Draft d1 to desk@example.org, subject "Re: Ticket": I agree.'
    [entry] = mails.drafts.entries().values()
    draft = message_from_bytes(entry.path.read_bytes(), policy=policy.default)
    assert (str(draft["In-Reply-To"]), str(draft["References"])) == ("<c@x>", "<a@x> <b@x> <c@x>")
    assert (str(draft["From"]), str(draft["To"])) == ("you@home.example", "desk@example.org")


def test_a_line_break_in_a_header_is_refused(mail_tools: MailTools) -> None:
    assert refusal_of(mail_tools.draft_mail, to="a@example.org\r\nBcc: x@example.org", body="x") == f"The recipient {ONE_LINE}"
    assert refusal_of(mail_tools.draft_mail, to="a@example.org", body="x", subject="a\nBcc: b@example.org") == f"The subject {ONE_LINE}"


def test_headers_of_a_hostile_mail_make_no_header_of_the_reply(mails: MailStore) -> None:
    deliver(
        mails,
        "From: Eve <eve@example.org>\nSubject: =?utf-8?q?x=0D=0ABcc=3A_victim=40example=2Eorg?=\nMessage-ID: <e@x>\n"
        "Reply-To: =?utf-8?q?a=0ABcc=3A?= <eve@example.org>\n\nhi",
    )
    MailTools(mails).draft_reply(call(mail="eve", body="No.")).execute()
    [entry] = mails.drafts.entries().values()
    draft = message_from_bytes(entry.path.read_bytes(), policy=policy.default)
    assert draft["Bcc"] is None
    assert str(draft["To"]) == "eve@example.org"


def test_garbage_in_the_mailbox_is_a_mail_like_any_other(mails: MailStore) -> None:
    (mails.inbox.folder / "new" / "garbage").write_bytes(bytes(range(256)) * 20)
    (mails.inbox.folder / "new" / "empty").write_bytes(b"")
    tools = MailTools(mails)
    assert text_of(tools.search_mail).startswith("5 mails\n")
    assert all(text_of(tools.read_mail, mail=f"m{number}") for number in range(1, 6))


def test_a_maildir_of_another_program_is_the_inbox_itself(tmp_path: Path) -> None:
    Maildir(tmp_path).add(b"From: a@example.org\nSubject: Here\n\nx", flags="")
    assert "Here (unread)" in text_of(MailTools(MailStore(tmp_path)).search_mail)


def test_a_mail_that_goes_away_while_it_is_looked_for_is_not_found(mails: MailStore) -> None:
    tools = MailTools(mails)
    known = mails.mails()
    for mail in known:
        mails.inbox.remove(mail.key)
    assert mails.read(known[0]) is None
    assert refusal_of(tools.read_mail, mail="m1") == 'No mail matches "m1".'
