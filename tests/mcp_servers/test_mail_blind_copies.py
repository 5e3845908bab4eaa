"""Who got a mail unseen stays unknown to whom it is passed on to, wherever in it that stands; all else of it keeps its bytes."""

from __future__ import annotations

import base64
import quopri
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_servers.mail.drafting import SEAL_BROKEN
from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.message.attachments import attachments_of
from mcp_servers.mailbox.message.blind_copies import without_blind_copies
from mcp_servers.mailbox.message.mime import MAIL_KIND, parse, redated
from mcp_servers.mailbox.message.opening import BOM, MAX_PARTS
from mcp_servers.mailbox.store import MailStore
from mcp_servers.protocol.calls import Plan
from tests.mcp_servers.calling import NOW, call, carried_out

HEAD = b"From: Anna <anna@example.org>\r\nSubject: Papers\r\n"
BLIND = b"Bcc: eve@example.org,\r\n\teve2@example.org\r\n"
INNER = HEAD + b"%s\r\nSee the plan: 1=2.\r\nBcc: is what Zoe asked about.\r\n"
"""A mail with a place for a header; the line in its text is none."""


@pytest.fixture
def store(tmp_path: Path) -> MailStore:
    return MailStore(tmp_path / "mail", addresses={"work": "you@work.example"})


def forwarded(store: MailStore, content: bytes) -> tuple[Plan, str, bytes]:
    """The plan, what the tool says at its end, and the draft."""
    store.inbox.add(content)
    tool = MailTools(store).handlers()["draft_forward"]
    plan = tool(call(mail="m1", to="bo@example.org"))
    assert isinstance(plan, Plan)
    done = carried_out(tool, plan)  # pyright: ignore[reportArgumentType]
    [key] = store.drafts.entries()
    return plan, done.text, store.drafts.read(key) or b""


def mixed(*parts: bytes, kind: bytes = b"multipart/mixed", boundary: bytes = b"b", end: bytes = b"\r\n") -> bytes:
    """The lower end of a head, and a body of these parts, each with its own head."""
    whole = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
    return b"Content-Type: " + kind + b"; boundary=" + boundary + b"\r\n\r\n" + whole + b"--" + boundary + b"--" + end


def attached(mail: bytes, kind: bytes = b"message/rfc822", encoding: str = "8bit") -> bytes:
    """A part that is a mail."""
    written = {
        "8bit": mail,
        "base64": base64.encodebytes(mail).replace(b"\n", b"\r\n").rstrip(),
        "quoted-printable": quopri.encodestring(mail),
    }[encoding]
    return b"Content-Type: " + kind + b"\r\nContent-Transfer-Encoding: " + encoding.encode() + b"\r\n\r\n" + written


TEXT = b"Content-Type: text/plain\r\n\r\nSee the mail.\r\nBcc: is a word.\r\n"
EML = b'application/octet-stream; name="Old.eml"'
HEADERS_ONLY = b"text/rfc822-headers"
PLACES: dict[str, Callable[[bytes], bytes]] = {
    "its head": lambda blind: blind + INNER % b"",
    "below a mark of some programs": lambda blind: BOM + blind + INNER % b"",
    "below a line that is no header": lambda blind: b"florp\r\n" + INNER % blind,
    "a mail within it": lambda blind: HEAD + mixed(TEXT, attached(INNER % blind)),
    "a mail within that begins with a mark": lambda blind: HEAD + mixed(TEXT, attached(BOM + blind + INNER % b"")),
    "a mail within a mail": lambda blind: HEAD + mixed(TEXT, attached(HEAD + mixed(TEXT, attached(INNER % blind), boundary=b"c"))),
    "a mail in base64": lambda blind: HEAD + mixed(TEXT, attached(INNER % blind, encoding="base64")),
    "a mail as quoted text": lambda blind: HEAD + mixed(TEXT, attached(INNER % blind, encoding="quoted-printable")),
    "a mail that is a file": lambda blind: HEAD + mixed(TEXT, attached(INNER % blind, EML, encoding="base64")),
    "a mail that is a file as it is": lambda blind: HEAD + mixed(TEXT, attached(INNER % blind, EML)),
    "the head of one that came back": lambda blind: HEAD + mixed(TEXT, attached(HEAD + blind, HEADERS_ONLY), kind=b"multipart/report"),
    "a collection of mails": lambda blind: HEAD + mixed(b"\r\n" + INNER % blind, b"\r\n" + INNER % blind, kind=b"multipart/digest"),
    "all of it": lambda blind: HEAD + b"Content-Type: message/rfc822\r\n\r\n" + INNER % blind,
    "below one that is closed": lambda blind: HEAD + mixed(mixed(TEXT, boundary=b"c"), attached(INNER % blind)),
}  # fmt: skip
NAMES = (b"Bcc", b"BCC ", b"Resent-Bcc", b"X-Gm-Bcc", b"X-Bcc-Recipients", b"X-Variet-Thread")


@pytest.mark.parametrize("place", PLACES)
def test_what_is_passed_on_is_the_same_without_the_blind_copies(place: str) -> None:
    made = PLACES[place]
    for name in NAMES:
        lines = name + b": eve@example.org,\r\n eve2@example.org\r\n"
        assert without_blind_copies(made(lines)) == (made(b""), False)
        # Where the lines of a mail end as they are kept on a disk.
        content, _ = without_blind_copies(made(lines).replace(b"\r\n", b"\n"))
        assert content == made(b"").replace(b"\r\n", b"\n")


@pytest.mark.parametrize("place", PLACES)
def test_nobody_reads_them_in_the_draft(store: MailStore, place: str) -> None:
    _, _, draft = forwarded(store, PLACES[place](BLIND))
    files = [one.content for one in attachments_of(draft)]
    parts = [bytes(part.get_payload(decode=True) or b"") for part in message_from_bytes(draft).walk() if not part.is_multipart()]
    assert b"eve" not in b"".join([draft, *files, *parts])
    assert b"See the plan" in b"".join([draft, *parts]) or "came back" in place


def test_a_mail_that_begins_with_a_mark_is_read_and_passed_on_like_any_other(store: MailStore) -> None:
    content = BOM + BLIND + HEAD + b"Content-Type: text/html\r\n\r\n<p>Hello</p>\r\n"
    parsed = parse(content)
    assert (parsed.sender.address, parsed.subject, parsed.text) == ("anna@example.org", "Papers", "Hello")
    _, _, draft = forwarded(store, content)
    [file] = attachments_of(draft)
    assert (file.name, file.kind, parse(file.content).subject) == ("Papers.eml", MAIL_KIND, "Papers")
    assert BOM not in draft


def test_what_is_signed_beside_it_keeps_every_byte(store: MailStore) -> None:
    signed = mixed(b"\r\nHi\r\n", b"Content-Type: application/pgp-signature\r\n\r\nx\r\n", kind=b"multipart/signed", boundary=b"s")
    plan, said, draft = forwarded(store, HEAD + BLIND + mixed(signed, attached(INNER % BLIND)))
    assert signed.partition(b"\r\n\r\n")[2] in draft
    assert b"eve" not in draft
    assert "Careful" not in dict(plan.lines)
    assert SEAL_BROKEN not in said


def test_a_person_is_told_which_signature_cannot_hold(store: MailStore) -> None:
    inner = mixed(TEXT, attached(INNER % BLIND), boundary=b"c")
    signed = mixed(inner, b"Content-Type: application/pgp-signature\r\n\r\nx\r\n", kind=b"multipart/signed")
    plan, said, draft = forwarded(store, HEAD + signed)
    assert b"eve" not in draft
    assert plan.lines[-1] == ("Careful", SEAL_BROKEN)
    assert said.endswith(SEAL_BROKEN)


def test_a_mail_within_that_some_program_encoded_is_read_and_passed_on_as_a_mail() -> None:
    for encoding in ("base64", "quoted-printable"):
        [file] = attachments_of(HEAD + mixed(TEXT, attached(INNER % b"", encoding=encoding)))
        assert (file.content, file.enclosure.kind) == (INNER % b"", MAIL_KIND)


def test_what_is_sent_says_of_nobody_that_it_went_to_them_unseen() -> None:
    draft = b"To: bo@example.org\r\nResent-Bcc: eve@example.org\r\n" + BLIND + b"X-Gm-Bcc: eve@example.org\r\nX-Abc: 1\r\n\r\nHi\r\n"
    for content in (draft, BOM + draft):
        sent = redated(content, NOW)
        assert b"eve" not in sent
        assert sent.startswith(b"To: bo@example.org\r\nX-Abc: 1\r\n")


HOSTILE = {
    "mails in mails": HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 3000 + BLIND,
    "parts in parts": b"".join(b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (n, n) for n in range(3000)) + BLIND,
    "more parts than anybody reads": HEAD + mixed(*[attached(BLIND)] * (MAX_PARTS + 7)),
    "a boundary of everything": HEAD + b"Content-Type: multipart/mixed; boundary=\"-\"\r\n\r\n" + b"-" * 100_000 + b"\r\n" + BLIND,
    "a name that never ends": b"bcc-" * 100_000 + b"\r\n" + BLIND + b"\r\n",
    "letters that are no base64": HEAD + mixed(attached(b"", encoding="base64") + b"\xff=\xff=A\r\n" * 1000),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_stranger_makes_to_keep_the_reader_busy_is_read_once(name: str) -> None:
    content = HOSTILE[name]
    assert b"eve@" not in without_blind_copies(content).content or name == "a boundary of everything"


def test_encodings_within_each_other_hide_nothing_either() -> None:
    inner = INNER % BLIND
    for _ in range(9):
        inner = HEAD + mixed(attached(inner, encoding="quoted-printable"))
    content = without_blind_copies(inner).content
    for _ in range(10):
        assert b"eve@" not in content
        content = quopri.decodestring(content)


PIECES = st.sampled_from([
    b"Bcc: eve@example.org\r\n", b"Subject: x\r\n", b"\r\n", b"--b\r\n", b"--c\r\n", b"--b--\r\n", b"--c--\r\n", b"words\r\n", BOM,
    b"Content-Type: message/rfc822\r\n", b"Content-Type: multipart/mixed; boundary=b\r\n",
    b"Content-Type: multipart/digest; boundary=c\r\n", b"Content-Type: multipart/signed; boundary=c\r\n",
    b"Content-Type: text/plain\r\n", b" folded\r\n", b"\tfolded\r\n",
])  # fmt: skip


@given(st.lists(PIECES, max_size=30))
def test_however_it_is_put_together_no_part_says_it_to_who_reads_it_as_the_library_does(pieces: list[bytes]) -> None:
    content = without_blind_copies(b"".join(pieces)).content
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert all(part["Bcc"] is None for part in message.walk())
    assert without_blind_copies(content).content == content


@given(st.binary(max_size=400))
def test_any_bytes_can_be_looked_through(written: bytes) -> None:
    content = without_blind_copies(written).content
    assert b"bcc" in written.lower() or b"x-variet-" in written.lower() or content == written
