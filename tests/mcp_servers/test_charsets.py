"""Letters of mails and pages are those that were written, under the labels that programs really give them."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_servers.mailbox.message.mime import parse
from mcp_servers.outside.charsets import codec_of, text_of
from mcp_servers.outside.textof import html_text, plain_text
from mcp_servers.outside.webpage import decoded

WRITTEN = [
    ("iso-8859-1", "5 \u20ac \u2013 \u201cso\u201d", "cp1252"),
    ("Latin1", "5 \u20ac", "cp1252"),
    ("us-ascii", "5 \u20ac", "cp1252"),
    ("us-ascii", "5 \u20ac", "utf-8"),
    ("ansi", "\u00fc", "cp1252"),
    ("x-unknown", "\u00fc", "utf-8"),
    ("'utf-8'", "\u00fc", "utf-8"),
    ("iso-8859-9", "\u0130\u015f \u20ac", "cp1254"),
    ("iso-8859-8-i", "\u05e9\u05dc\u05d5\u05dd", "iso-8859-8"),
    ("iso-8859-15", "5 \u20ac", "iso-8859-15"),
    ("latin-9", "5 \u20ac", "iso-8859-15"),
    ("iso88592", "\u0142", "iso-8859-2"),
    ("windows-874", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u20ac", "cp874"),
    ("tis-620", "\u0e2a \u2026", "cp874"),
    ("cp-850", "\u00fc", "cp850"),
    ("x-cp1251", "\u041f\u0440\u0438", "cp1251"),
    ("x-mac-roman", "\u00fc", "mac-roman"),
    ("gb2312", "\u6731\u9555\u57fa", "gbk"),
    ("x-gbk", "\u9555\u3400", "gb18030"),
    ("big5", "\u4f60\u597d \u55f0", "big5hkscs"),
    ("shift_jis", "\u2460\u3231\u9ad9", "cp932"),
    ("x-sjis", "\u3053\u3093", "cp932"),
    ("windows-31j", "\u2460", "cp932"),
    ("euc-jp", "\u2460\u3053", "euc_jis_2004"),
    ("euc-kr", "\ub618\ubc29", "cp949"),
    ("ks_c_5601-1987", "\ub618", "cp949"),
    ("windows-949", "\ub618", "cp949"),
]
HEAD = b"From: a@example.org\r\nTo: b@example.org\r\n"


def mail(label: str, body: bytes, kind: str = "plain") -> bytes:
    said = f'; charset="{label}"' if label else ""
    return HEAD + f"Content-Type: text/{kind}{said}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n".encode() + body


@pytest.mark.parametrize(("label", "text", "really"), WRITTEN)
def test_what_a_label_stands_for_is_the_same_in_mails_pages_and_heads(label: str, text: str, really: str) -> None:
    content = text.encode(really)
    assert parse(mail(label, content)).text == text
    assert decoded(content, label) == text
    assert decoded(f"<meta charset={label}>".encode() + content, "").endswith(text)
    word = f"=?{label}?B?{b64encode(content).decode()}?="
    hexed = f"=?{label}?q?{''.join(f'={byte:02X}' for byte in content)}?="
    for written in (word, hexed):
        parsed = parse(f"Subject: {written}\r\nFrom: {written} <a@example.org>\r\n\r\nx".encode())
        assert (parsed.subject, parsed.sender.name, parsed.sender.address) == (text, text, "a@example.org")


@pytest.mark.parametrize("really", ["utf-8", "cp1252"])
def test_letters_of_which_nobody_says_what_they_are_are_read_by_how_they_look(really: str) -> None:
    text = "Gr\u00fc\u00dfe, 5 \u20ac"
    content = text.encode(really)
    assert parse(HEAD + b"\r\n" + content).text == text
    assert parse(mail("", content)).text == text
    assert (decoded(content, ""), plain_text(content)) == (text, text)
    parsed = parse(b"Subject: " + content + b"\r\nFrom: J\xfcrg <a@example.org>\r\n\r\nx")
    assert (parsed.subject, parsed.sender.name, parsed.sender.address) == (text, "J\u00fcrg", "a@example.org")


def test_a_text_that_was_cut_within_a_letter_keeps_all_others() -> None:
    assert parse(HEAD + b"\r\n" + "Gr\u00fc\u00dfe \u20ac".encode()[:-1]).text == "Gr\u00fc\u00dfe \ufffd"
    assert plain_text("Gr\u00fc\u00dfe \u20ac".encode()[:-2]) == "Gr\u00fc\u00dfe \ufffd"
    assert plain_text(b"caf\xe9") == "caf\u00e9"


@pytest.mark.parametrize("label", ["iso-8859-1", "windows-1252", "x-unknown", ""])
def test_bytes_that_are_no_letter_are_lost_ones(label: str) -> None:
    assert parse(mail(label, b"a\x81b\x9d\xff")).text == "a\ufffdb\ufffd\u00ff"
    assert parse(f"Subject: =?{label or 'x'}?q?a=81b?=\r\n\r\nx".encode()).subject == "a\ufffdb"


def test_html_says_itself_what_it_is_where_nobody_else_does() -> None:
    content = b"<meta charset=koi8-r><p>" + "\u0436".encode("koi8-r")
    assert parse(mail("", content, "html")).text == parse(mail("us-ascii", content, "html")).text == html_text(content) == "\u0436"
    assert decoded(b"<meta charset=utf-16>" + "\u0436".encode(), "").endswith("\u0436")


def test_a_letter_that_lies_in_two_encoded_words_is_one() -> None:
    for label, really in (("utf-8", "utf-8"), ("gb2312", "gbk")):
        content = "Zhu \u9555\u57fa".encode(really)
        halves = [f"=?{label}?B?{b64encode(half).decode()}?=" for half in (content[:5], content[5:])]
        assert parse(f"Subject: Re: {halves[0]}\r\n {halves[1]} x\r\n\r\nx".encode()).subject == "Re: Zhu \u9555\u57fa x"


def test_a_files_name_is_read_as_it_was_written() -> None:
    name = "\u9555 5 \u20ac.pdf"
    for label, really in (("gb2312", "gb18030"), ("x-unknown", "utf-8")):
        said = f"attachment; filename*={label}''{quote(name.encode(really))}"
        part = f"Content-Type: application/pdf\r\nContent-Disposition: {said}\r\n\r\nx"
        boxed = f"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\n{part}\r\n--b--\r\n"
        assert parse(HEAD + boxed.encode()).attachments == (name,)


@pytest.mark.parametrize("label", ["zlib", "rot13", "idna", "punycode", "unicode-escape", "undefined", "mbcs", "\0", "\ud800", "x" * 5000])
def test_what_is_no_way_to_write_letters_is_no_label(label: str) -> None:
    assert codec_of(label) is None
    assert text_of(b"\\u0041 \xc3\xbc", label) == "\\u0041 \u00fc"


@given(st.binary(max_size=60), st.one_of(st.sampled_from([label for label, _, _ in WRITTEN]), st.text(max_size=20)))
def test_any_bytes_have_letters_under_any_label(content: bytes, label: str) -> None:
    assert isinstance(text_of(content, label), str)
