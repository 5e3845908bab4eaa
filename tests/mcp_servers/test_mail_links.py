"""A link says where it leads, and is told apart where its words say another place."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.message.links import MAX_LINKS, links_of, links_text
from mcp_servers.mailbox.store import MailStore
from mcp_servers.protocol.calls import Call, Outcome
from tests.mcp_servers.calling import call, text_of

HEAD = "From: Anna <anna@example.org>\r\nSubject: News\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"


def told(html: str) -> list[str]:
    return links_text(links_of((HEAD + html).encode())).split("\n")[1:]


@pytest.mark.parametrize(
    ("html", "line"),
    [
        ('<a href="https://good.example/a?key=secret">here</a>', "- here: good.example"),
        ('<a href="https://www.good.example/">good.example</a>', "- good.example: www.good.example"),
        ('<a href="//good.example/x">https://login.good.example/y</a>', "- https://login.good.example/y: good.example"),
        ('<a href="https://x.example/plan">plan.pdf</a>', "- plan.pdf: x.example"),
        ('<a href="https://x.example"><img src="y"></a>', "- a picture: x.example"),
        ('<a href="https://x.example">never <b>ends', "- never ends: x.example"),
        ('<a href="http://evil.example">https://bank.example/login</a>', "- https://bank.example/login: evil.example, {}"),
        ('<a href="http://evil.example">bank.example</a>', "- bank.example: evil.example, {}"),
        ('<a href="http://evil.example">Go to www.bank.example now</a>', "- Go to www.bank.example now: evil.example, {}"),
        ('<a href="https://bank.example@evil.example/">bank.example</a>', "- bank.example: evil.example, {}"),
        ('<a href="https:\\\\evil.example\\bank.example">bank.example</a>', "- bank.example: evil.example, {}"),
        ('<a href="ht\ntps:evil.example">bank.example</a>', "- bank.example: evil.example, {}"),
        ('<a href="https://evilbank.example">bank.example</a>', "- bank.example: evilbank.example, {}"),
        ('<a href="https://b\u0430nk.example">bank.example</a>', "- bank.example: xn--bnk-6cd.example, {}"),
        ('<a href="https://[">bank.example</a>', "- bank.example: nobody knows where, {}"),
        ('<a href="http://evil.example">bank<i hidden>x</i>.example</a>', "- bank.example: evil.example, {}"),
        ('<a href="http://evil.example">bank.example<style>a{}</style></a>', "- bank.example: evil.example, {}"),
        ('<a href="http://evil.example">bank.example<!-- never ends', "- bank.example: evil.example, {}"),
        ('<a href="http://evil.example">bank.example:443</a>', "- bank.example:443: evil.example, {}"),
        ('<a href="\x01http://evil.example">bank.example</a>', "- bank.example: evil.example, {}"),
        ('<a href="http://evil.example">www.example</a>', "- www.example: evil.example, {}"),
        ('<a href="http://evil.example"><p>pay</p><p>now</p></a>', "- pay now: evil.example"),
        (f'<a href="http://{"a." * 5000}evil.example">here</a>', f"- here: ...{('a.' * 300 + 'evil.example')[-253:]}"),
        ('<a href="http://evil.example">bank\u200b.example</a>', "- bank.example: evil.example, {}"),
    ],
)
def test_a_link_is_told_with_its_host_and_whether_it_says_another(html: str, line: str) -> None:
    assert told(html) == [line.format("which is not what it says")]


@pytest.mark.parametrize(
    "html",
    [
        '<a href="mailto:a@b.example">write</a> <a href="javascript:x()">run</a> <a href="#top">up</a> <a name="x">y</a>',
        '<p style="display:none"><a href="https://x.example">do what I say</a></p>',
        "https://x.example",
    ],
)
def test_what_leads_nowhere_or_is_not_shown_is_no_link(html: str) -> None:
    assert told(html) == []


def test_of_very_many_links_those_that_lie_come_first_and_the_others_are_counted() -> None:
    many = "".join(f'<a href="https://x{n}.example">{n}</a> ' for n in range(100))
    lines = told(f'{many}<a href="https://evil.example">bank.example</a>')
    assert lines[0] == "- bank.example: evil.example, which is not what it says"
    assert (len(lines), lines[-1]) == (MAX_LINKS + 1, f"- and {101 - MAX_LINKS} more")
    assert told('<a href="https://x.example">one</a> ' * 50) == ["- one: x.example"]


def test_very_many_links_below_a_long_text_take_no_long_time() -> None:
    begun = time.process_time()
    assert told(f"{'a' * 200_000}{'<a href=//x>zz</a>' * 15_000}") == ["- zz: x"]
    assert time.process_time() - begun < 10


def test_who_reads_the_whole_mail_or_its_conversation_is_told(tmp_path: Path) -> None:
    store = MailStore(tmp_path / "mail")
    html = 'Hello <a href="https://evil.example/x">bank.example</a>'
    store.inbox.add((HEAD + html).encode())
    store.inbox.add(
        f"From: bo@example.org\r\nSubject: Fwd\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n"
        f"--b\r\nContent-Type: message/rfc822\r\n\r\n{HEAD}{html}\r\n--b--\r\n".encode()
    )
    tools: dict[str, Callable[[Call], object]] = dict(MailTools(store).handlers())
    for tool, more in (("read_message", {}), ("read_thread", {}), ("read_attachment", {"attachment": "1"})):
        read = tools[tool](call(mail="Fwd" if more else "News", **more))
        assert isinstance(read, Outcome)
        assert "| Hello bank.example\n| \n| Where its links lead:\n| - bank.example: evil.example, which is not" in read.text.replace(
            "|\n", "| \n"
        )
    # What the small model is shown is the mail alone.
    assert "links lead" not in text_of(MailTools(store).read_mail, mail="News")
    store.close()


@given(st.text(st.sampled_from('<>a ="/:.@#?[]hrefttps\u0430\\\n&;'), max_size=80))
def test_whatever_is_written_is_read(written: str) -> None:
    html = f'<a href="{written}">{written}</a><a href="https://{written}.example">bank.example</a>'
    for line in told(html):
        assert line.startswith("- ")
