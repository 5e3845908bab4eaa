"""A login that is refused is told by what it was refused for, in words that hold no secret, and a password may have any letters."""

from __future__ import annotations

import base64
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from mcp_servers.mailbox.accounts import AccountFailed, LoginRefused
from mcp_servers.mailbox.imap.connection import ImapConnection, ImapServer
from mcp_servers.mailbox.maildir import Maildir
from mcp_servers.mailbox.refused_login import LOGIN, why_refused
from mcp_servers.outbox.carriers import NotSent, Parcel
from mcp_servers.outbox.smtp import SmtpCarrier, SmtpServer
from tests.fakes.certificate import make_certificate
from tests.fakes.mail_servers import USER, smtp_server
from tests.fakes.rude_imap import rude_imap
from tests.fakes.slow_mail import SlowServer, slow_imap, slow_smtp

SECRET = "canary-4711"
ANSWERED = (base64.b64encode(b"you")[:4].decode().upper(), base64.b64encode(SECRET.encode())[:4].decode().upper())
"""What a login begins with, as the server reads it."""
STRANGE = "Gr\u00fcn-Wasser"
PARCEL = Parcel("u", b"Message-ID: <a@b>\r\n\r\nHi.\r\n", "you@b.example", ("bo@b.example",))


def logged_in(port: int, password: str = SECRET) -> ImapConnection:
    return ImapConnection(ImapServer("work", "127.0.0.1", port, "you", SecretStr(password), "none"))


def imap_says(answer: str) -> str:
    with rude_imap({"LOGIN": f"%TAG NO {answer}\r\n".encode()}) as port, pytest.raises(LoginRefused) as caught:
        logged_in(port).asked(lambda wire: wire)
    assert SECRET not in f"{caught.value} {caught.value.by_server}"
    return str(caught.value)


def smtp_says(answer: str, tmp_path: Path) -> str:
    with slow_smtp(SlowServer({"AUTH": f"{answer}\r\n".encode()})) as server, pytest.raises(NotSent) as caught:
        way = SmtpServer("work", "127.0.0.1", server.port, "you", SecretStr(SECRET), "none")
        SmtpCarrier(way, Maildir(tmp_path / "Sent")).carry(PARCEL, on_leaving=lambda: None)
    assert SECRET not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        "[ALERT] Too many simultaneous connections. (Failure)",
        "[UNAVAILABLE] Temporary authentication failure.",
        "[LIMIT] slow down",
        "[INUSE] Account is in use",
        "[CONTACTADMIN] call us",
        "[ALERT] Account exceeded command or bandwidth limits. (Failure)",
    ],
)
def test_a_server_that_lets_nobody_in_just_now_does_not_make_the_password_wrong(answer: str) -> None:
    said = imap_says(answer)
    assert said.startswith("work: 127.0.0.1 does not let anybody in just now (")
    assert said.endswith("Try again later, or ask who runs it.")


def test_the_same_over_smtp(tmp_path: Path) -> None:
    said = smtp_says("454 4.7.0 Temporary authentication failure", tmp_path)
    assert said.startswith("127.0.0.1 does not let anybody in just now (4.7.0 Temporary authentication failure). Nothing was sent. Try")
    said = smtp_says("535 5.7.8 No", tmp_path)
    assert said == f"127.0.0.1 did not take the user name and password of work. Nothing was sent. {LOGIN}"
    said = smtp_says("534 5.7.9 App password required", tmp_path)
    assert "password of work (5.7.9 App password required). Nothing was sent." in said


def test_what_a_server_wants_instead_is_told_in_its_words() -> None:
    said = imap_says("[ALERT] Application-specific password required: https://support.example/185833 (Failure)")
    assert "did not take the user name and password (Application-specific password required: https://support.example/185833" in said
    assert imap_says("[AUTHENTICATIONFAILED] no, try again later").endswith(LOGIN)


@pytest.mark.parametrize(
    "words",
    [
        f"no {SECRET} here", SECRET.upper(), "it ends with ary-4711", base64.b64encode(f"\0you\0{SECRET}".encode()).decode(),
        base64.b64encode(SECRET.encode()).decode().rstrip("="), "you wrote canary%2D4711",
    ],
)  # fmt: skip
def test_a_server_that_repeats_the_password_or_some_of_it_is_not_repeated(words: str, tmp_path: Path) -> None:
    assert imap_says(f"[ALERT] {words}") == f"work: 127.0.0.1 did not take the user name and password. {LOGIN}"
    said = smtp_says(f"535 {words}", tmp_path)
    assert said == f"127.0.0.1 did not take the user name and password of work. Nothing was sent. {LOGIN}"


@pytest.mark.parametrize("asked", [base64.b64encode(SECRET.encode()), b"abc"])
def test_a_server_that_asks_on_and_on_or_asks_nothing_is_not_repeated_either(asked: bytes, tmp_path: Path) -> None:
    said = {"EHLO": b"250-hello\r\n250 AUTH LOGIN\r\n"}
    with slow_smtp(SlowServer({**said, "AUTH": b"334 " + asked + b"\r\n", **dict.fromkeys(ANSWERED, b"334 " + asked + b"\r\n")})) as server:
        way = SmtpServer("work", "127.0.0.1", server.port, "you", SecretStr(SECRET), "none")
        with pytest.raises(NotSent, match="gave no answer") as caught:
            SmtpCarrier(way, Maildir(tmp_path / "Sent")).carry(PARCEL, on_leaving=lambda: None)
    assert "Last response" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("imap.gmail.com", "Set an app password: Gmail takes no other"),
        ("SMTP.Mail.Me.com", "iCloud takes no other"),
        ("imap.mail.yahoo.com", "Yahoo takes no other"),
        ("imap.fastmail.com", "Fastmail takes no other"),
        ("imap.gmx.net", "IMAP"),
        ("outlook.office365.com", "Variet has no other way in yet"),
        ("smtp-mail.outlook.com", "Variet has no other way in yet"),
        ("imap.example.org", LOGIN),
        ("notgmail.com", LOGIN),
    ],
)
def test_a_provider_that_wants_something_of_its_own_is_known(host: str, says: str) -> None:
    server = ImapServer("work", host, 993, "you", SecretStr(SECRET))
    assert says in why_refused(server, "[AUTHENTICATIONFAILED] Invalid credentials").advice
    assert why_refused(server, "[UNAVAILABLE] later").advice.startswith("Try again later")


def test_a_password_of_any_letters_is_sent_over_smtp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fakes.mail_servers.PASSWORD", STRANGE)
    certificate = make_certificate(tmp_path / "tls")
    sent, known = Maildir(tmp_path / "Sent"), ssl.create_default_context(cafile=certificate[0])
    with smtp_server(certificate=certificate) as sink:
        server = SmtpServer("work", "127.0.0.1", sink.port, USER, SecretStr(STRANGE), "starttls")
        SmtpCarrier(server, sent, tls=known).carry(PARCEL, on_leaving=lambda: None)
        assert len(sink.mails) == 1
        with pytest.raises(NotSent, match="did not take the user name and password of work"):
            SmtpCarrier(replace(server, password=SecretStr(f"{STRANGE}\u00df")), sent, tls=known).carry(PARCEL, on_leaving=lambda: None)


def test_a_server_that_takes_ascii_alone_is_named_and_the_password_is_not(tmp_path: Path) -> None:
    with slow_smtp(SlowServer({"EHLO": b"250-hello\r\n250 AUTH LOGIN\r\n", "AUTH": b"334 VXNlcm5hbWU6\r\n"})) as server:
        way = SmtpServer("work", "127.0.0.1", server.port, "you", SecretStr(STRANGE), "none")
        with pytest.raises(NotSent, match=r"letters beyond ASCII.*Nothing was sent\. Set another, such as an app password\.$") as caught:
            SmtpCarrier(way, Maildir(tmp_path / "Sent")).carry(PARCEL, on_leaving=lambda: None)
    with rude_imap({}) as port, pytest.raises(LoginRefused, match="letters beyond ASCII") as imap:
        logged_in(port, STRANGE).asked(lambda wire: wire)
    assert "\u00fc" not in f"{caught.value} {imap.value}"


def test_a_password_of_any_letters_is_sent_over_imap() -> None:
    with slow_imap(SlowServer({"CAPABILITY": b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"})) as server:
        account = logged_in(server.port, STRANGE)
        assert account.asked(lambda wire: wire.state) == "AUTH"
        account.close()
    [asked, said] = server.commands[1:3]
    assert (asked.partition(b" ")[2], base64.b64decode(said)) == (b"AUTHENTICATE PLAIN", b"\0you\0Gr\xc3\xbcn-Wasser")


def test_a_password_that_was_set_right_counts_at_the_next_connection(tmp_path: Path) -> None:
    secrets, got = ["old", "old", "new"], list[str]()

    def newest() -> SecretStr:
        return SecretStr(secrets.pop(0))

    def take(said: str) -> bytes:
        got.append(said)
        return b"* OK welcome\r\n" if "new" in said else b"%TAG NO no\r\n"

    with rude_imap({"LOGIN": take}) as port:
        server = ImapServer("work", "127.0.0.1", port, "you", SecretStr("unused"), "none", newest=newest)
        account = ImapConnection(server)
        for _ in range(2):  # the second time nothing is sent: a call that looks into many folders is one wrong login
            with pytest.raises(LoginRefused, match="did not take the user name and password"):
                account.asked(lambda wire: wire)
        account.asked(lambda wire: wire)
        account.close()
    assert got == ['LOGIN you "old"', 'LOGIN you "new"']

    def none() -> SecretStr:
        raise AccountFailed("work: its password is not set. Put it there.")

    way = SmtpCarrier(SmtpServer("work", "127.0.0.1", 1, "you", SecretStr("x"), "none", newest=none), Maildir(tmp_path / "Sent"))
    with pytest.raises(NotSent, match=r"^work: its password is not set\. Put it there\. Nothing was sent\.$"):
        way.carry(PARCEL, on_leaving=lambda: None)
