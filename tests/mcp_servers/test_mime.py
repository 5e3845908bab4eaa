"""Mails are read as a person would see them, whatever they are made of."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.message import EmailMessage
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_servers.mailbox.message.letters import Letter
from mcp_servers.mailbox.message.mime import compose, parse, thread
from mcp_servers.outside.htmltext import shown_of_html, text_of_html
from mcp_servers.outside.quoting import clean_line, clean_text, fenced, shortened

HIDDEN = [
    '<div style="display:none">secret</div>',
    '<div style="DISPLAY : none !important">secret</div>',
    '<span style="color:red;visibility:hidden">secret</span>',
    "<p hidden>secret</p>",
    '<p aria-hidden="true">secret</p>',
    '<span style="font-size:0px">secret</span>',
    '<span style="font-size:0">secret</span>',
    '<span style="opacity:0">secret</span>',
    '<div style="max-height:0;overflow:hidden">secret</div>',
    '<div style="position:absolute;left:-9999px">secret</div>',
    '<div style="display:/* x */none">secret</div>',
    '<div style="display:none"><div><b>secret</b></div></div>',
    "<style>secret</style>",
    "<script>secret</script>",
    "<template>secret</template>",
    "<noscript>secret</noscript>",
    "<title>secret</title>",
    "<!-- secret -->",
    '<img alt="secret">',
    '<div style="display:none"><p>x</div><p>secret</p>'.replace("</div>", ""),
]


@pytest.mark.parametrize("html", HIDDEN)
def test_hidden_html_is_not_shown(html: str) -> None:
    assert "secret" not in text_of_html(f"<p>before</p>{html}</div></div><p>after</p>").replace("after", "")


@pytest.mark.parametrize(
    "style",
    ["min-width:0", "border-width:0", "line-height:0", "margin-left:-100px", "background-clip:padding-box", "clip-path:inset(0 round 8px)"],
)
def test_styles_that_only_look_like_hiding_hide_nothing(style: str) -> None:
    assert shown_of_html(f"<div style='{style}'>shown</div>") == ("shown", 0)


def test_a_cell_without_size_shows_what_has_one_as_in_newsletters() -> None:
    cell = "<td style='font-size:0px;padding:10px'>{}<div style='font-size:20px'>shown</div></td>"
    assert shown_of_html(f"<table><tr>{cell.format('')}</tr></table>") == ("shown", 0)
    assert shown_of_html(f"<table><tr>{cell.format('secret')}</tr></table>") == ("shown", 1)
    assert shown_of_html("<p style='font-size:0'>secret<b style='font-size:2em'>secret</b></p>") == ("", 1)


def test_html_is_laid_out_in_lines() -> None:
    html = "<html><body><h1>Hi</h1><p>one<br>two &amp; three</p><ul><li>a<li>b</ul><table><tr><td>x</td><td>y</td></tr></table></body>"
    assert text_of_html(html).split("\n\n") == ["Hi", "one\ntwo & three", "a\nb", "x y"]


def test_plain_text_is_preferred_and_html_is_read_where_there_is_none() -> None:
    both = EmailMessage()
    both["From"] = "Anna <anna@example.org>"
    both.set_content("plain")
    both.add_alternative("<p>rich</p>", subtype="html")
    both.add_attachment(b"x", maintype="application", subtype="pdf", filename="a\u202eb.pdf")
    assert (parse(both.as_bytes()).text, parse(both.as_bytes()).attachments) == ("plain", ("ab.pdf",))
    rich = EmailMessage()
    rich.set_content("<p>rich <span style='display:none'>x</span>text</p>", subtype="html")
    assert parse(rich.as_bytes()).text == "rich text"


@pytest.mark.parametrize("blank", ["", "\n", " \u00a0\n\n", "\u200b\n", "&nbsp;\n"])
def test_html_is_read_where_a_blank_stands_beside_it(blank: str) -> None:
    both = EmailMessage()
    both.set_content(blank)
    alone = parse(both.as_bytes())
    both.add_alternative("<p>300 EUR are due</p>", subtype="html")
    assert parse(both.as_bytes()).text == "300 EUR are due"
    assert alone.text.strip() == blank.strip().strip("\u200b")


def test_an_unknown_character_set_is_read_as_utf_8() -> None:
    mail = b"From: a@example.org\nContent-Type: text/plain; charset=florp\nContent-Transfer-Encoding: 8bit\n\n\xc3\xa4\xff"
    assert parse(mail).text == "\u00e4\ufffd"


def test_a_mail_without_date_subject_or_sender_is_still_one() -> None:
    parsed = parse(b"\n\nhello")
    assert (parsed.subject, parsed.sender.address, parsed.sent_at.year, parsed.text) == ("(no subject)", "unknown", 1970, "hello")


HOSTILE = {
    "comments in comments": b"From: " + b"(" * 3000 + b" a@example.org\r\n",
    "a type that never ends": b"Content-Type: " + b"(" * 3000 + b"\r\n",
    "mails in mails": b"Content-Type: message/rfc822\r\n\r\n" * 3000,
    "a charset that cannot replace": b"Content-Type: text/plain; charset=idna\r\n\r\n\xff.x",
    "a thousand recipients a line": b"To: " + b"a@example.org, " * 200_000 + b"\r\n",
    "the last second there is": b"Date: Fri, 31 Dec 9999 23:59:59 +0000\r\n",
}


@pytest.mark.parametrize("trick", HOSTILE.values(), ids=HOSTILE)
def test_a_mail_made_to_break_the_reader_is_one_mail_among_others(trick: bytes) -> None:
    parsed = parse(b"Subject: hello\r\n" + trick + b"\r\nx")
    assert parsed.subject == "hello"
    assert parsed.sent_at.astimezone(ZoneInfo("Pacific/Kiritimati")).year < 9999


def test_tags_that_close_nothing_take_no_time_by_the_square() -> None:
    began = time.process_time()
    assert text_of_html("<b>" * 30_000 + "</i>" * 30_000) == ""
    assert time.process_time() - began < 10  # many times that when every end tag looked through every open one


@given(st.binary(max_size=400))
def test_any_bytes_can_be_read(content: bytes) -> None:
    parse(content)
    parse(b"From: " + content)
    parse(b"Content-Type: multipart/mixed; boundary=x\nSubject: " + content + b"\n\n--x\n" + content + b"\n--x--")


@given(st.text(max_size=200))
def test_any_html_can_be_read(html: str) -> None:
    text_of_html(html)
    text_of_html(f"<div {html}<p>{html}</p></{html}>")


LINES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Co", "Cn"]), max_size=60)


@given(LINES, st.lists(LINES, max_size=5))
def test_what_is_composed_reads_back(subject: str, lines: list[str]) -> None:
    letter = Letter(("anna@example.org",), clean_line(subject) or "x", clean_text("\n".join(lines)))
    at = datetime(2026, 11, 21, 9, 15, tzinfo=UTC)
    parsed = parse(compose(letter, sender="you@home.example", message_id="<id@variet.invalid>", at=at))
    assert (parsed.subject, parsed.sent_at, parsed.message_id) == (letter.subject, at, "<id@variet.invalid>")
    assert parsed.text == letter.body
    assert [person.address for person in parsed.to] == ["anna@example.org"]


def test_a_long_thread_keeps_its_first_mail_and_its_last() -> None:
    chain = thread(tuple(f"<{number}@x>" for number in range(50)), "<parent@x>")
    assert (len(chain), chain[0], chain[-1]) == (20, "<0@x>", "<parent@x>")


def test_characters_that_hide_or_reorder_are_dropped() -> None:
    assert clean_line("a\u200bb\u202ec\U000e0041d\x00e\x1b[31mf\ufeff\u2066g\u00adh\ufe0fi\u3164j") == "abcde[31mfghij"
    assert clean_text("a\r\n\r\n\r\n\r\nb\u2028c\n") == "a\n\nb\nc"


@given(st.text(max_size=300))
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert clean_text(clean_text(text)) == clean_text(text)
    assert fenced(clean_text(text)).split("\n").count("---") == 2
    assert len(shortened(text, 40)) <= 40


def test_recipients_of_several_headers_are_read_as_far_as_those_of_one() -> None:
    content = b"".join(b"To: p%d@example.org\r\n" % number for number in range(40_000)) + b"\r\nx"
    parsed = parse(content)
    assert 100 < len(parsed.to) < 1000
    assert (
        parse(b"To: a@example.org\r\nto: b@example.org\r\nCc: c@example.org\r\nCC: d@example.org\r\n\r\nx").cc[-1].address
        == "d@example.org"
    )
