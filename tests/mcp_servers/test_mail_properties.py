"""Whatever mails say of themselves, conversations, pages and headers keep their promises."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_servers.errors import Refusal
from mcp_servers.mail.threads import newest_first, page_of, threads_of
from mcp_servers.mailbox.imap.wire import decoded_name, encoded_name, fetched, listed_folders, roles_of
from mcp_servers.mailbox.message.attachments import attachments_of
from mcp_servers.mailbox.message.letters import Letter, one_line, reply_subject
from mcp_servers.mailbox.message.mime import Enclosure, compose, parse, thread

NAMES = st.sampled_from([f"<{letter}@example.org>" for letter in "abcdefgh"])
UNSEEN = [*"\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5", *map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))]
"""Letters that show nothing: they are taken out of what is read."""
SHOWN = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Cf", "Co", "Cn", "Zl", "Zp", "Zs"), exclude_characters=UNSEEN),
    min_size=1,
    max_size=200,
)


@dataclass(frozen=True)
class Linked:
    number: int
    sent_at: datetime
    message_id: str
    references: tuple[str, ...]


@st.composite
def mailboxes(draw: st.DrawFn) -> list[Linked]:
    times = draw(st.lists(st.integers(0, 5), max_size=12))
    return [
        Linked(
            number,
            datetime.fromtimestamp(1_700_000_000 + time, UTC),
            draw(st.one_of(NAMES, st.just(""))),
            tuple(draw(st.lists(NAMES, max_size=4))),
        )
        for number, time in enumerate(times, 1)
    ]


@given(mailboxes(), st.randoms())
def test_each_mail_is_in_one_conversation_whatever_order_they_come_in(mails: list[Linked], order: random.Random) -> None:
    threads = threads_of(mails)
    assert sorted(mail.number for thread in threads for mail in thread) == [mail.number for mail in mails]
    shuffled = list(mails)
    order.shuffle(shuffled)
    assert threads_of(shuffled) == threads
    for one in threads:
        assert one == newest_first(one)
    heads = [one[0] for one in threads]
    assert heads == list(newest_first(heads))
    place = {mail.number: index for index, one in enumerate(threads) for mail in one}
    by_name = {mail.message_id: mail.number for mail in mails if mail.message_id}
    for mail in mails:
        for name in mail.references:
            if name in by_name:
                assert place[by_name[name]] == place[mail.number]


@given(mailboxes(), st.integers(1, 5))
def test_pages_show_everything_once_and_in_order_and_say_what_is_left(mails: list[Linked], size: int) -> None:
    listed = newest_first(mails)
    seen: list[Linked] = []
    cursor = ""
    while True:
        page = page_of(listed, listed, cursor, size)
        seen += page.items
        assert page.left == len(listed) - len(seen)
        if not page.cursor:
            break
        cursor = page.cursor
    assert (tuple(seen), page.left) == (listed, 0)


@given(st.text(max_size=30).filter(lambda text: text.strip() != ""))
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    try:
        page_of([], [], cursor)
    except Refusal as refusal:
        assert "Ask again without it" in str(refusal)
    else:
        assert cursor.replace("-", "").isdigit()


@given(st.lists(NAMES, max_size=40), NAMES)
def test_an_answers_references_end_with_its_parent_name_each_once_and_keep_the_first(chain: list[str], parent: str) -> None:
    made = thread(tuple(chain), parent)
    assert made[-1] == parent
    assert len(made) == len(set(made)) <= 20
    if others := [name for name in chain if name != parent]:
        assert made[0] == others[0]


@given(SHOWN, SHOWN, st.lists(NAMES, max_size=30, unique=True), NAMES)
def test_a_letter_comes_back_as_it_was_written_and_no_word_of_it_becomes_a_header(
    subject: str, body: str, references: list[str], parent: str
) -> None:
    letter = Letter(("a@example.org",), reply_subject(subject), f"{body}\n.\nFrom here", parent, tuple(references), ("b@example.org",))
    content = compose(letter, sender="me@example.org", message_id="<x@example.org>", at=datetime(2026, 11, 21, tzinfo=UTC))
    message = message_from_bytes(content, policy=policy.default)
    assert set(message.keys()) <= {
        "From", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To", "References",
        "Content-Type", "Content-Transfer-Encoding", "MIME-Version",
    }  # fmt: skip
    parsed = parse(content)
    assert (parsed.text, parsed.in_reply_to, parsed.message_id) == (letter.body, parent, "<x@example.org>")
    assert parsed.references == thread(tuple(references), parent)
    assert parsed.subject.replace(" ", "") == letter.subject.replace(" ", "")
    assert [person.address for person in (*parsed.to, *parsed.cc)] == ["a@example.org", "b@example.org"]


@pytest.mark.parametrize("text", ["a\r\nBcc: eve@example.org", "a\nX: y", "a\x00b", "a\u2028b", "a\x0bb", "a\x85b"])
def test_a_header_takes_no_second_line(text: str) -> None:
    with pytest.raises(Refusal):
        one_line(text, "subject")


@given(st.binary(max_size=600))
def test_any_bytes_can_be_read_as_a_mail(content: bytes) -> None:
    parse(content)
    for file in attachments_of(content):
        assert "/" not in file.name
        assert file.name.strip()


@given(st.binary(max_size=200))
def test_a_file_goes_with_a_mail_and_comes_out_as_it_was(content: bytes) -> None:
    letter = Letter(("a@example.org",), "x", "y")
    at = datetime(2026, 11, 21, tzinfo=UTC)
    sent = Enclosure("f.bin", "application/octet-stream", content)
    [file] = attachments_of(compose(letter, sender="", message_id="<x@y>", at=at, enclosures=[sent]))
    assert (file.name, file.content) == ("f.bin", content)
    again = compose(letter, sender="", message_id="<x@y>", at=at, enclosures=[file.enclosure])
    assert [one.content for one in attachments_of(again)] == [content]


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=40))
def test_a_folders_name_survives_the_wire(name: str) -> None:
    assert encoded_name(name).isascii()
    assert decoded_name(encoded_name(name)) == name


@given(st.lists(st.one_of(st.binary(max_size=60), st.tuples(st.binary(max_size=60), st.binary(max_size=60))), max_size=6))
def test_whatever_an_imap_server_answers_is_read_without_a_crash(lines: list[object]) -> None:
    roles_of(listed_folders(lines))
    fetched(lines)


def test_folders_have_the_role_that_the_server_says_or_that_their_name_tells() -> None:
    said = [rb'(\HasNoChildren \Sent) "/" "Gesendete Objekte"', rb'(\HasNoChildren) "/" "Deleted Items"', rb'(\Noselect) "/" "[Mail]"',
            rb'(\HasNoChildren) "." INBOX', rb'(\HasNoChildren) "/" "Entw&APw-rfe"']  # fmt: skip
    listed = listed_folders(said)
    assert [folder.name for folder in listed] == ["Gesendete Objekte", "Deleted Items", "INBOX", "Entw\u00fcrfe"]
    assert roles_of(listed) == {"Inbox": "INBOX", "Sent": "Gesendete Objekte", "Trash": "Deleted Items"}
