"""A mail that was made to break its reader, or to keep it busy, is one mail among others, and is never shown as something else."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.message.attachments import attachments_of
from mcp_servers.mailbox.message.mime import parse
from mcp_servers.mailbox.message.opening import MAX_PARTS
from mcp_servers.mailbox.store import MailStore
from mcp_servers.outside.htmltext import shown_of_html
from mcp_servers.outside.pagetree import tree_of
from tests.mcp_servers.calling import text_of

HEAD = b"From: Eve <eve@example.org>\r\nSubject: Hi\r\nDate: Fri, 20 Nov 2026 10:00:00 +0100\r\n"
HTML = HEAD + b"Content-Type: text/html\r\n\r\n"
MIXED = HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
LONG_S = 20.0
"""What took minutes takes less than a second here; a busy machine has its time."""
MAILS = {
    "a declaration that nobody knows": HTML + b"<![florp[x]]>shown",
    "half a declaration": HTML + b"<![]>shown",
    "comments that never end": HTML + b"shown" + b"<!--" * 125_000,
    "tags that never end": HTML + b"shown" + b"<a b='" * 80_000,
    "ends that never end": HTML + b"shown" + b"</a" * 160_000,
    "sections that never end": HTML + b"shown" + b"<![CDATA[" * 55_000,
    "more parts than a person writes": MIXED + b"--b\r\n\r\nshown\r\n" + b"--b\r\n\r\nx\r\n" * 30_000 + b"--b--",
    "a header for each day of a life": HEAD + b"a:b\r\n" * 250_000 + b"\r\nshown",
    "a type of nothing but semicolons": HEAD + b"Content-Type: text/plain" + b";" * 16_000 + b"\r\n\r\nshown",
    "a type of numbered pieces": HEAD + b"Content-Type: text/plain; " + b"; ".join(b"a*%d*=x" % n for n in range(1500)) + b"\r\n\r\nshown",
    "types of many pieces": MIXED + b"--b\r\n\r\nshown\r\n" + b"".join(
        b"--b\r\nContent-Type: text/plain; x=%d; " % n + b"a=b; " * 2000 + b"\r\n\r\nx\r\n" for n in range(20)
    ) + b"--b--",
    "parts in parts": HEAD + b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(1200)),
}  # fmt: skip


@pytest.mark.parametrize("name", MAILS)
def test_it_is_read_soon_and_hides_no_other(name: str, tmp_path: Path) -> None:
    began = time.process_time()
    read = parse(MAILS[name])
    assert len(attachments_of(MAILS[name])) <= MAX_PARTS
    assert time.process_time() - began < LONG_S
    assert (read.sender.address, read.subject) == ("eve@example.org", "Hi")
    assert read.text.startswith("shown") or not read.is_plain
    store = MailStore(tmp_path / "mail")
    store.inbox.add(MAILS[name])
    store.inbox.add(HEAD.replace(b"Hi", b"Tea") + b"\r\nx\r\n")
    assert text_of(MailTools(store).search_mail).startswith("2 mails\n")
    store.close()


def test_parts_that_are_not_read_are_counted() -> None:
    assert parse(MIXED + b"--b\r\n\r\nx\r\n" * (MAX_PARTS + 7) + b"--b--").removed == {"parts": 8}
    assert parse(HEAD + b"\r\n" + b"-- a line of a diff\n" * (MAX_PARTS + 7)).removed == {}


@pytest.mark.parametrize(
    "content",
    [
        HEAD + b"Content-Type:" + b" " * 3000 + b"text/html\r\n\r\n<p hidden>evil</p>",
        HEAD + b"a:b\r\n" * 250_000 + b"Content-Type: text/html\r\n\r\n<p hidden>evil</p>",
        MAILS["parts in parts"],
        MAILS["a type of numbered pieces"],
    ],
)
def test_what_was_cut_is_no_plain_text_that_a_person_saw_whole(content: bytes) -> None:
    assert not parse(content).is_plain


@pytest.mark.parametrize(
    ("html", "text", "hidden"),
    [
        ("a<!-- evil", "a", 1), ("a<!-- -- > evil -->b", "ab", 0), ("a<!-->b", "ab", 0), ("a<!--x--!>b", "ab", 0), ("a<b x='evil", "a", 1),
        ("a<![endif]-->b", "ab", 0), ("a<![CDATA[ evil > b", "a b", 0), ("a <", "a <", 0), ("a </", "a </", 0), ("a &amp", "a &", 0),
        ("a<script>evil", "a", 0), ("a < b", "a < b", 0),
    ],
)  # fmt: skip
def test_what_never_ends_is_read_as_a_browser_shows_it(html: str, text: str, hidden: int) -> None:
    assert shown_of_html(html) == (text, hidden)
    assert " ".join(tree_of(html).text().split()) == " ".join(text.split()) or "script" in html
