"""A large mail goes out over a line that is slow but goes on, and one that was cut off before its end was not sent, and is told so."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from mcp_servers.mailbox.imap import connection
from mcp_servers.mailbox.imap.connection import ImapConnection, ImapServer
from mcp_servers.mailbox.imap.keeping import ImapKeeping
from mcp_servers.mailbox.maildir import Maildir
from mcp_servers.outbox import smtp
from mcp_servers.outbox.carriers import NotSent, Parcel, TurnedDown, Unsure
from mcp_servers.outbox.smtp import SmtpCarrier, SmtpServer
from tests.fakes.slow_mail import SlowServer, slow_imap, slow_smtp

HEAD = b"Message-ID: <a@b.example>\r\nSubject: Photos\r\n\r\n"
LARGE = HEAD + (b"." + b"a" * 75 + b"\r\n") * 90_000
BOUND_S = 0.8
RATE = 3_000_000
"""The large mail takes several times the bound, also where the system's buffers take a half of it."""


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (smtp, connection):
        monkeypatch.setattr(module, "ANSWER_TIMEOUT_S", BOUND_S)


def carry(server: SlowServer, folder: Path, content: bytes = HEAD + b"Hi.", *recipients: str) -> list[str]:
    way = SmtpCarrier(SmtpServer("work", "127.0.0.1", server.port, "you", None, "none"), Maildir(folder / "Sent"))
    left: list[str] = []
    way.carry(Parcel("u", content, "you@b.example", recipients or ("bo@b.example",)), on_leaving=lambda: left.append("left"))
    return left


def test_a_mail_goes_out_that_takes_far_longer_than_one_answer(tmp_path: Path) -> None:
    with slow_smtp(SlowServer(bytes_a_second=RATE)) as server:
        assert carry(server, tmp_path, LARGE) == ["left"]
    assert server.mails == [LARGE.replace(b"\n.", b"\n..") + b".\r\n"]
    assert Maildir(tmp_path / "Sent").entries()


def test_a_line_that_is_cut_before_the_mails_end_has_sent_nothing_and_it_may_be_tried_again(tmp_path: Path) -> None:
    with slow_smtp(SlowServer(cut_after=1_000_000)) as server:
        with pytest.raises(NotSent, match=r"^127\.0\.0\.1 broke off in the middle of the mail.*Nothing was sent\. Try again later"):
            carry(server, tmp_path, LARGE)
        assert (server.mails, Maildir(tmp_path / "Sent").entries()) == ([], {})
        server.cut_after = 0
        carry(server, tmp_path)
    assert server.mails == [HEAD + b"Hi.\r\n.\r\n"]


def test_where_a_whole_mail_is_not_answered_nobody_knows(tmp_path: Path) -> None:
    server = SlowServer()
    with slow_smtp(server), pytest.raises(Unsure):
        server.cut_after = len(HEAD) + 6
        carry(server, tmp_path)


def test_what_the_answer_to_a_whole_mail_says_is_told_by_its_first_digit(tmp_path: Path) -> None:
    said = {b"251 will be forwarded": None, b"451 later": TurnedDown, b"554 no": TurnedDown, b"hm": Unsure, b"354 go on": Unsure}
    for answer, raised in said.items():
        with slow_smtp(SlowServer({".": answer + b"\r\n"})) as server:
            if raised is None:
                carry(server, tmp_path)
                continue
            with pytest.raises(raised):
                carry(server, tmp_path)


def test_a_copy_is_put_into_the_account_that_takes_far_longer_than_one_answer() -> None:
    with slow_imap(SlowServer(bytes_a_second=RATE)) as server:
        keeping = ImapKeeping(ImapConnection(ImapServer("work", "127.0.0.1", server.port, "you", SecretStr("x"), "none")))
        keeping.file_sent(LARGE)
        keeping.close()
    assert server.mails == [LARGE + b"\r\n"]


@pytest.mark.parametrize(
    ("command", "answer", "ends"),
    [
        ("RCPT", b"451 4.7.1 Greylisted, please try again in 300 seconds\r\n", smtp.LATER),
        ("RCPT", b"550 nobody of that name here\r\n", "Give other addresses."),
        ("MAIL", b"432 4.3.2 too many concurrent connections\r\n", smtp.LATER),
        ("MAIL", b"550 not yours\r\n", "Set the account's address right in the settings."),
    ],
)
def test_what_a_server_does_not_take_for_now_is_told_apart_from_what_it_never_takes(
    tmp_path: Path, command: str, answer: bytes, ends: str
) -> None:
    with slow_smtp(SlowServer({command: answer})) as server, pytest.raises(TurnedDown) as caught:
        carry(server, tmp_path)
    assert str(caught.value).endswith(ends)
    assert ("just now" in str(caught.value), "Nothing was sent" in str(caught.value)) == (ends == smtp.LATER, True)
