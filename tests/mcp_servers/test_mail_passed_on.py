"""A mail that is passed on arrives whole: its HTML, the pictures within and its headers, whatever a stranger wrote into them."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from mcp_servers.mail import drafting
from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.imap.account import ImapAccount
from mcp_servers.mailbox.imap.connection import ImapServer
from mcp_servers.mailbox.message.attachments import attachments_of
from mcp_servers.mailbox.message.letters import Letter
from mcp_servers.mailbox.message.mime import MAIL_KIND, compose, parse, redated
from mcp_servers.mailbox.message.opening import MAX_PARTS
from mcp_servers.mailbox.message.passing_on import enclosed, needs_whole
from mcp_servers.mailbox.message.writing import with_headers
from mcp_servers.mailbox.store import MailStore
from mcp_servers.outbox.carriers import ByAddress
from mcp_servers.outbox.delivery import Delivery
from mcp_servers.outbox.server import Outbox
from mcp_servers.outbox.smtp import SmtpCarrier, SmtpServer
from mcp_servers.protocol.calls import Plan
from tests.fakes.mail_servers import PASSWORD, USER, clear_imap, imap_server, smtp_server
from tests.mcp_servers.calling import NOW, call, carried_out, refusal_of
from tests.mcp_servers.granting import KEY, approved

FROM = "you@work.example"
HEAD = b"From: Eve <eve@example.org>\r\nTo: you@work.example\r\nSubject: Papers\r\nDate: Fri, 20 Nov 2026 10:00:00 +0100\r\n"
RICH = b"Content-Type: text/html\r\n\r\n<p>Hello</p>\r\n"


def newsletter(bcc: str = "") -> EmailMessage:
    """Text and HTML with a picture within it, and a file."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"], message["To"], message["Subject"] = "Anna <anna@example.org>", FROM, "Papers"
    message["Date"], message["Message-ID"] = "Fri, 20 Nov 2026 10:00:00 +0100", "<n1@example.org>"
    if bcc:
        message["Bcc"] = bcc
    message.set_content("See the file.")
    message.add_alternative('<p>See <img src="cid:logo"> the file.</p>', subtype="html")
    forms: Any = message.get_payload()
    forms[1].add_related(b"\x89PNG", maintype="image", subtype="png", cid="<logo>")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="plan.pdf")
    return message


@pytest.fixture
def store(tmp_path: Path) -> MailStore:
    return MailStore(tmp_path / "mail", addresses={"work": FROM})


def forwarded(store: MailStore, content: bytes) -> tuple[Plan, bytes]:
    store.inbox.add(content)
    tool = MailTools(store).handlers()["draft_forward"]
    plan = tool(call(mail="m1", to="bo@example.org", body="For you."))
    assert isinstance(plan, Plan)
    carried_out(tool, plan)  # pyright: ignore[reportArgumentType]
    [key] = store.drafts.entries()
    return plan, store.drafts.read(key) or b""


def mail_within(content: bytes) -> EmailMessage:
    parts = message_from_bytes(content, policy=policy.default).iter_attachments()
    [part] = [part for part in parts if part.get_content_type() == MAIL_KIND]
    [inner] = part.iter_parts()
    assert isinstance(inner, EmailMessage)
    return inner


def test_the_whole_mail_goes_on_and_the_person_is_shown_its_name(store: MailStore) -> None:
    original = newsletter().as_bytes()
    plan, draft = forwarded(store, original)
    assert plan.lines[-1] == ("Attached", "plan.pdf, Papers.eml")
    parsed = parse(draft)
    assert (parsed.is_plain, parsed.attachments) == (True, ("plan.pdf", "Papers.eml"))
    assert parsed.text.startswith("For you.\n\n---------- Forwarded message ----------\nFrom: Anna")
    assert original in draft
    inner = mail_within(draft)
    kinds = [part.get_content_type() for part in inner.walk() if not part.is_multipart()]
    assert kinds == ["text/plain", "text/html", "image/png", "application/pdf"]
    assert draft.isascii()


def test_a_mail_of_text_and_files_goes_on_as_these(store: MailStore) -> None:
    message = EmailMessage(policy=policy.SMTP)
    message["Subject"] = "Papers"
    message.set_content("See the file.")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="plan.pdf")
    plan, _ = forwarded(store, message.as_bytes())
    assert plan.lines[-1] == ("Attached", "plan.pdf")


def test_a_mail_that_is_a_file_itself_goes_on_as_that_and_whole(store: MailStore) -> None:
    original = HEAD + b"Content-Type: text/plain\r\nContent-Disposition: attachment; filename=plan.txt\r\n\r\nOne, two\r\n"
    plan, draft = forwarded(store, original)
    assert plan.lines[-1] == ("Attached", "plan.txt, Papers.eml")
    assert original in draft


def test_what_is_signed_goes_on_whole() -> None:
    parts = b"--b\r\n\r\nHi\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--b--\r\n"
    signed = b'Content-Type: multipart/signed; boundary="b"\r\n\r\n' + parts
    assert needs_whole(HEAD + signed)
    assert not needs_whole(HEAD + b"\r\nHi\r\n")


def test_nobody_learns_who_else_got_it_unseen_or_what_we_note(store: MailStore) -> None:
    hidden = b"bcc: eve@example.org,\r\n zoe@example.org\r\nResent-Bcc: ida@example.org\r\nX-Variet-Thread: 18c\r\n"
    _, draft = forwarded(store, hidden + newsletter(bcc="carl@example.org").as_bytes())
    for word in (b"eve@", b"zoe@", b"ida@", b"carl@", b"X-Variet"):
        assert word not in draft
    assert mail_within(draft)["Subject"] == "Papers"


def test_a_head_that_ends_with_the_mail_tells_nobody_either() -> None:
    for end in (b"", b"\n", b"\r\n\r\n"):
        assert b"eve@" not in enclosed(b"Subject: x\nBcc: zoe@example.org,\n\teve@example.org" + end, "x").content


TRICKS = {
    "a name with a path and line breaks": b"Subject: =?utf-8?q?=2E=2E/=2E=2E=0D=0ABcc:_eve@example=2Eorg?=\r\n" + RICH,
    "a name that hides": "Subject: pl\u202ean\u200b\r\n".encode() + RICH,
    "a header that never ends": HEAD + b"X-A: " + b"a " * 50_000 + b"\r\n" + RICH,
    "a header that breaks the reader": HEAD + b"From: " + b"(" * 3000 + b"\r\n" + RICH,
    "headers and nothing else": HEAD + b"Content-Type: text/html\r\n",
    "a line without a colon": HEAD + RICH.replace(b"\r\n\r\n", b"\r\nflorp\r\n\r\n"),
    "zero bytes": HEAD + RICH + b"\0\0\r\n",
    "lone carriage returns": HEAD + RICH + b"a\rb\r\n",
    "a line longer than any": HEAD + RICH + b"x" * 5000 + b"\r\n",
    "letters in eight bits": HEAD + "Content-Type: text/html; charset=x-foo\r\n\r\nGr\u00fc\u00dfe\r\n".encode(),
    "headers in eight bits": HEAD + "X-A: Gr\u00fc\u00dfe\r\n".encode() + RICH,
    "ends that are not its own": HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b--\r\n--' + b"0" * 64 + b"--\r\n--=\r\n",
    "mails in mails": HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 300,
    "more parts than anybody reads": HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n\r\nx\r\n" * (MAX_PARTS + 7),
    "the file's own ending": b"Subject: " + b"a" * 300 + b".exe\r\n" + RICH,
}  # fmt: skip


@pytest.mark.parametrize("name", TRICKS)
def test_nothing_that_a_stranger_wrote_gets_out_of_its_place(store: MailStore, name: str) -> None:
    original = TRICKS[name]
    plan, draft = forwarded(store, original)
    sent = redated(draft, NOW)
    for content in (draft, sent):
        message = message_from_bytes(content, policy=policy.default)
        assert (str(message["To"]), message["Bcc"], message["From"]) == ("bo@example.org", None, FROM)
        assert not message.defects
        parsed = parse(content)
        assert parsed.is_plain
        assert ", ".join(parsed.attachments) == dict(plan.lines)["Attached"]
        [file] = [one for one in attachments_of(content) if one.name.endswith(".eml")]
        assert not {*file.name} & {*'/\\:"\u202e\u200b\r\n'}
        assert len(file.name) < 70
        if file.kind != MAIL_KIND:
            assert file.content == original
        else:
            assert original.rstrip(b"\r\n") in content
            assert content.isascii() or message["Content-Transfer-Encoding"] == "8bit"


@given(st.binary(max_size=400))
def test_any_bytes_can_be_passed_on(written: bytes) -> None:
    one = enclosed(written, "x")
    letter = Letter(("bo@example.org",), "Fwd: x", "y")
    content = compose(letter, sender=FROM, message_id="<x@y>", at=NOW, enclosures=[one])
    for passed in (content, redated(content, NOW)):
        message = message_from_bytes(passed, policy=policy.default)
        assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", one.kind]
        assert parse(passed).text == "y"
        assert one.content in passed or one.kind != MAIL_KIND


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=80))
def test_the_head_is_changed_and_what_is_below_it_stays_as_it_is(subject: str) -> None:
    letter = Letter(("bo@example.org",), parse(f"Subject: {subject}".encode()).subject, "y\n.\nFrom z")
    content = compose(letter, sender=FROM, message_id="<x@y>", at=NOW, enclosures=[enclosed(newsletter().as_bytes(), "x")])
    changed = with_headers(content, lambda message: message.add_header("X-One", "1"))
    assert changed.partition(b"\r\n\r\n")[2] == content.partition(b"\r\n\r\n")[2]
    assert parse(changed).subject == parse(content).subject


def test_what_does_not_fit_twice_goes_once_and_what_does_not_fit_at_all_is_refused(
    store: MailStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafting, "MAX_PASSED_ON_BYTES", len(newsletter().as_bytes()) + 700)
    plan, _ = forwarded(store, newsletter().as_bytes())
    assert plan.lines[-1] == ("Attached", "plan.pdf, Papers.eml")
    large = newsletter()
    large.add_attachment(b"x" * 9000, maintype="application", subtype="pdf", filename="more.pdf")
    monkeypatch.setattr(drafting, "MAX_PASSED_ON_BYTES", len(large.as_bytes()) + 2000)
    store.inbox.add(large.as_bytes())
    store.mails()
    tool = MailTools(store).handlers()["draft_forward"]
    again = tool(call(mail="m2", to="bo@example.org"))
    assert isinstance(again, Plan)
    assert again.lines[-1] == ("Attached", "Papers.eml")
    monkeypatch.setattr(drafting, "MAX_PASSED_ON_BYTES", 5000)
    assert refusal_of(tool, mail="m2", to="bo@example.org") == "m2 and its files are too big to be passed on. Send it with a mail program."


def test_a_mail_of_a_real_imap_server_leaves_over_a_real_smtp_server_as_it_came(tmp_path: Path) -> None:
    original = newsletter().as_bytes()
    with imap_server(tmp_path / "imap") as port, smtp_server() as sink:
        wire = clear_imap(port)
        wire.append("INBOX", "", None, original)  # pyright: ignore[reportArgumentType]
        wire.shutdown()
        account = ImapAccount(ImapServer("work", "127.0.0.1", port, USER, SecretStr(PASSWORD), "none"))
        store = MailStore(tmp_path / "mail", [account], addresses={"work": FROM})
        tool = MailTools(store).handlers()["draft_forward"]
        carried_out(tool, tool(call(mail="Papers", to="bo@example.org")))  # pyright: ignore[reportArgumentType]
        out = SmtpCarrier(SmtpServer("work", "127.0.0.1", sink.port, USER, None, "none"), store.sent)
        delivery = Delivery(tmp_path / "mail", ByAddress({FROM: out}))
        outbox = Outbox(store, delivery, key=KEY)
        plan = outbox.send_draft(call(draft="last"))
        assert plan.lines[-1] == ("Attached", "plan.pdf, Papers.eml")
        approved(outbox.send_draft, plan)
        [(_, recipients, content)] = sink.mails
        assert (recipients, original in content) == (("bo@example.org",), True)
        delivery.close()
        store.close()
        account.close()
