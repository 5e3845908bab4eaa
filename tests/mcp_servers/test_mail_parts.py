"""Files are found wherever a mail program puts them, and answers go to people other than oneself."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.message.attachments import attachments_of
from mcp_servers.mailbox.message.mime import parse
from mcp_servers.mailbox.message.passing_on import needs_whole
from mcp_servers.mailbox.store import MailStore
from mcp_servers.protocol.calls import Outcome
from tests.mcp_servers.calling import call, text_of

HEAD = "From: Anna <anna@example.org>\r\nTo: you@home.example\r\nSubject: Papers\r\nMIME-Version: 1.0\r\n"
PDF = "Content-Type: application/pdf; name=plan.pdf\r\nContent-Disposition: {}; filename=plan.pdf\r\n\r\n%PDF"
ICS = "Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\nEND:VCALENDAR"
IMAGE = "Content-Type: image/png\r\nContent-ID: <one>\r\nContent-Disposition: inline; filename=logo.png\r\n\r\nx"
PLAIN, HTML = "Content-Type: text/plain\r\n\r\nSee the file.", "Content-Type: text/html\r\n\r\n<p>See the file.</p>"
NESTED = "".join(f'Content-Type: multipart/mixed; boundary="{n}"\r\n\r\n--{n}\r\n' for n in range(1200))


def container(kind: str, *parts: str) -> str:
    name = f"b{sum(part.count('boundary') for part in parts)}-{kind}"
    inner = "".join(f"--{name}\r\n{part}\r\n" for part in parts)
    return f"Content-Type: multipart/{kind}; boundary={name}\r\n\r\n{inner}--{name}--\r\n"


@pytest.mark.parametrize(
    ("content", "files"),
    [
        (container("mixed", PLAIN, PDF.format("attachment")), [("plan.pdf", "application/pdf")]),
        (container("alternative", PLAIN, container("mixed", HTML, PDF.format("inline"), HTML)),
         [("plan.pdf", "application/pdf"), ("attachment 2", "text/html")]),
        (container("alternative", PLAIN, HTML, ICS), [("attachment 1", "text/calendar")]),
        (container("signed", container("mixed", PLAIN, PDF.format("attachment")),
                   "Content-Type: application/pgp-signature; name=signature.asc\r\n\r\nx"),
         [("plan.pdf", "application/pdf"), ("signature.asc", "application/pgp-signature")]),
        (container("mixed", container("related", container("alternative", PLAIN, HTML), IMAGE), PDF.format("attachment")),
         [("plan.pdf", "application/pdf")]),
        (container("alternative", PLAIN, HTML), []),
    ],
    ids=["mixed", "beside one form", "invitation beside the text", "signed", "pictures of the text", "two forms"],
)  # fmt: skip
def test_a_file_is_found_however_deep_it_lies_and_the_text_is_none(content: str, files: list[tuple[str, str]]) -> None:
    mail = (HEAD + content).encode()
    assert [(file.name, file.kind) for file in attachments_of(mail)] == files
    assert parse(mail).text.strip() == "See the file."
    assert len(parse(mail).attachments) == len(files)


@pytest.mark.parametrize(
    ("content", "is_plain"),
    [
        (PLAIN, True),
        (container("mixed", PLAIN, PDF.format("attachment")), True),
        (container("related", PLAIN, IMAGE), False),
        (container("mixed", container("related", PLAIN, IMAGE), PDF.format("attachment")), False),
        (container("alternative", PLAIN, HTML), False),
        (container("mixed", PLAIN, PLAIN.replace("See", "Do not see")), True),
    ],
)
def test_a_mail_is_plain_where_its_one_text_and_the_names_of_its_files_are_all_there_is(content: str, is_plain: bool) -> None:
    parsed = parse((HEAD + content).encode())
    assert parsed.is_plain is is_plain
    if is_plain and "multipart" in content:
        assert len(parsed.attachments) == 1


def test_an_invitation_beside_the_text_is_read(mails: MailStore) -> None:
    mails.mails()
    event = "BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Dinner\r\nDTSTART:20261127T190000Z\r\nEND:VEVENT"
    invitation = f"Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{event}\r\nEND:VCALENDAR"
    (mails.inbox.folder / "new" / "a").write_bytes((HEAD + container("alternative", PLAIN, HTML, invitation)).encode())
    tools: dict[str, Any] = MailTools(mails).handlers()
    assert "| Summary: Dinner" in text_of(tools["read_attachment"], mail="m4", attachment="1")


LIST = "Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: attachment; filename=list.txt\r\n\r\nOne, two"
SEALED = "Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBE\r\n"


@pytest.mark.parametrize(
    ("content", "file"),
    [
        (PDF.format("attachment"), ("plan.pdf", "application/pdf", b"%PDF")),
        (PDF.format("inline"), ("plan.pdf", "application/pdf", b"%PDF")),
        (ICS, ("attachment 1", "text/calendar", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR")),
        (LIST, ("list.txt", "text/plain", b"One, two")),
        (SEALED, ("smime.p7m", "application/pkcs7-mime", b"%PD")),
    ],
)
def test_a_mail_that_is_nothing_but_a_file_has_that_file_and_is_passed_on_whole(content: str, file: tuple[str, str, bytes]) -> None:
    mail = (HEAD + content).encode()
    assert [(one.name, one.kind, one.content) for one in attachments_of(mail)] == [file]
    parsed = parse(mail)
    assert (parsed.text, len(parsed.attachments), needs_whole(mail)) == ("", 1, True)


@pytest.mark.parametrize(
    "content", ["\r\nHi", PLAIN, HTML, "Content-Type: nonsense\r\n\r\nHi", "Content-Type: multipart/mixed\r\n\r\nHi", NESTED]
)
def test_a_text_and_what_nobody_can_take_apart_are_no_file(content: str) -> None:
    assert attachments_of((HEAD + content).encode()) == ()


def test_an_invitation_that_is_the_whole_mail_is_listed_and_read(mails: MailStore) -> None:
    mails.mails()
    event = "BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Dinner\r\nDTSTART:20261127T190000Z\r\nSTATUS:CANCELLED\r\nEND:VEVENT"
    cancelled = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nMETHOD:CANCEL\r\n{event}\r\nEND:VCALENDAR\r\n"
    mail = HEAD + "Content-Type: text/calendar; method=CANCEL; charset=utf-8\r\n\r\n" + cancelled
    (mails.inbox.folder / "new" / "a").write_bytes(mail.encode())
    tools: dict[str, Any] = MailTools(mails).handlers()
    size = f"{len(cancelled)} bytes"
    assert text_of(tools["list_attachments"], mail="m4") == f"m4 has 1 attachment\n1. attachment 1 (text/calendar, {size})"
    assert "| Summary: Dinner" in text_of(tools["read_attachment"], mail="m4", attachment="1")
    assert "1 file with it: list_attachments" in text_of(tools["read_message"], mail="m4")


@pytest.fixture
def store(tmp_path: Path) -> MailStore:
    addresses = {"home": "me@home.example", "work": "Me@work.example"}
    return MailStore(tmp_path / "mail", addresses=addresses)


def answered(store: MailStore, tool: str, **headers: str) -> EmailMessage:
    given = {"Subject": "Plan", "Message-ID": "<n1@example.org>", "Date": "Fri, 20 Nov 2026 10:00:00 +0100", **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in given.items()]
    store.inbox.add("\r\n".join([*lines, "", "x", ""]).encode(), key="k")
    plan: Any = MailTools(store).handlers()[tool](call(mail="Plan", body="Fine."))
    plan.execute()
    [entry] = store.drafts.entries().values()
    return message_from_bytes(entry.path.read_bytes(), policy=policy.default)


def test_an_answer_to_everyone_leaves_out_all_of_ones_own_addresses(store: MailStore) -> None:
    draft = answered(
        store, "draft_reply_all", From="anna@example.org", To="me@home.example, bo@example.org", Cc="me@WORK.example, cleo@example.org"
    )
    assert (str(draft["To"]), str(draft["Cc"])) == ("anna@example.org", "bo@example.org, cleo@example.org")
    assert (draft["In-Reply-To"], draft["References"]) == ("<n1@example.org>", "<n1@example.org>")


def test_what_goes_on_from_a_mail_of_ones_own_goes_to_whom_that_went_to(store: MailStore) -> None:
    draft = answered(store, "draft_reply_all", From="me@work.example", To="anna@example.org, bo@example.org", Cc="cleo@example.org")
    assert (str(draft["To"]), str(draft["Cc"])) == ("anna@example.org, bo@example.org", "cleo@example.org")
    assert draft["In-Reply-To"] == "<n1@example.org>"


def test_a_note_to_oneself_is_answered_to_oneself(store: MailStore) -> None:
    assert str(answered(store, "draft_reply", From="me@home.example", To="me@home.example")["To"]) == "me@home.example"


@pytest.mark.parametrize(("said", "kept"), [("iso-8859-1", "iso-8859-1"), ('"x; y=z"', None), ("", None)])
def test_a_text_that_is_passed_on_is_still_read_as_it_was_written(tmp_path: Path, said: str, kept: str | None) -> None:
    store = MailStore(tmp_path / "mail")
    charset = f"; charset={said}" if said else ""
    text = f"Content-Type: text/plain{charset}\r\nContent-Disposition: attachment; filename=note.txt\r\n\r\nGr\u00fc\u00dfe"
    (store.inbox.folder / "new" / "a").write_bytes((HEAD + container("mixed", PLAIN, text)).encode("latin-1"))
    text_of(MailTools(store).handlers()["draft_forward"], mail="papers", to="bo@example.org")
    [key] = store.drafts.entries()
    [file] = message_from_bytes(store.drafts.read(key) or b"", policy=policy.default).iter_attachments()
    assert (file.get_param("charset"), file.get_payload(decode=True)) == (kept, "Gr\u00fc\u00dfe".encode("latin-1"))
    store.close()


@pytest.mark.parametrize("kind", ["message/rfc822", "application/octet-stream; name=Old.eml"])
def test_a_mail_that_is_a_file_is_read_as_a_mail(tmp_path: Path, kind: str) -> None:
    store = MailStore(tmp_path / "mail")
    inner = HEAD + "Date: Fri, 20 Nov 2026 10:00:00 +0100\r\nCc: bo@example.org\r\nBcc: eve@example.org\r\n"
    inner += container("mixed", "Content-Type: text/plain\r\n\r\nSee the \u200bfile.", PDF.format("attachment"))
    part = f"Content-Type: {kind}\r\nContent-Disposition: attachment\r\n\r\n{inner}"
    (store.inbox.folder / "new" / "a").write_bytes((HEAD + container("mixed", PLAIN, part)).encode())
    read = MailTools(store).handlers()["read_attachment"](call(mail="papers", attachment="1"))
    assert isinstance(read, Outcome)
    assert read.structured is not None
    assert read.structured["attachment"]["untrusted_text"].split("\n") == [
        "From: Anna <anna@example.org>", "Date: Fri 20 Nov 2026 10:00", "Subject: Papers", "To: you@home.example", "Cc: bo@example.org",
        "Files: plan.pdf", "", "See the file.",
    ]  # fmt: skip
    assert read.structured["attachment"]["removed"] == {"zero-width": 1}
    store.close()
