"""A mail account's servers are trusted by the certificate file that its settings name, and by no other then."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.load import load_agent
from config.shapes.google import GoogleSection
from config.shapes.mail import MailAccountEntry
from mcp_servers.mail.__main__ import _account  # pyright: ignore[reportPrivateUsage]
from mcp_servers.mailbox.accounts import AccountFailed
from mcp_servers.mailbox.imap.account import ImapAccount
from mcp_servers.mailbox.maildir import Maildir
from mcp_servers.mailbox.unfiled import Unfiled
from mcp_servers.outbox.__main__ import _smtp  # pyright: ignore[reportPrivateUsage]
from mcp_servers.outbox.carriers import Carrier, NotSent, Parcel
from tests.fakes.certificate import make_certificate
from tests.fakes.mail_servers import PASSWORD, USER, Sink, imap_server, smtp_server

PARCEL = Parcel("u1", b"Subject: x\r\n\r\ny\r\n", "you@work.example", ("bo@example.org",))


@pytest.fixture(autouse=True)
def passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VARIET_IMAP_WORK_PASSWORD", PASSWORD)
    monkeypatch.setenv("VARIET_SMTP_WORK_PASSWORD", PASSWORD)


def entry(port: int, ca: Path | None) -> MailAccountEntry:
    return MailAccountEntry(
        address="you@work.example", user=USER, ca_file=ca, imap_host="127.0.0.1", imap_port=port, imap_security="starttls",
        smtp_host="127.0.0.1", smtp_port=port, smtp_security="starttls",
    )  # fmt: skip


def way(sink: Sink, ca: Path | None, tmp_path: Path) -> Carrier:
    return _smtp("work", entry(sink.port, ca), Maildir(tmp_path / "Sent"), Unfiled(tmp_path))


def test_the_file_vouches_for_the_server_that_is_read_from(tmp_path: Path) -> None:
    certificate, _ = pair = make_certificate(tmp_path / "tls")
    other, _ = make_certificate(tmp_path / "other")
    with imap_server(tmp_path / "imap", certificate=pair) as port:
        known = _account("work", entry(port, certificate), GoogleSection())
        assert isinstance(known, ImapAccount)
        assert "Inbox" in known.folders()
        known.close()
        for unknown in (None, other):
            with pytest.raises(AccountFailed, match="certificate"):
                _account("work", entry(port, unknown), GoogleSection()).folders()


def test_the_file_vouches_for_the_server_that_is_sent_through(tmp_path: Path) -> None:
    certificate, _ = pair = make_certificate(tmp_path / "tls")
    with smtp_server(certificate=pair) as sink:
        with pytest.raises(NotSent, match="certificate"):
            way(sink, None, tmp_path).carry(PARCEL, on_leaving=lambda: None)
        way(sink, certificate, tmp_path).carry(PARCEL, on_leaving=lambda: None)
        assert len(sink.mails) == 1


def test_a_file_without_a_certificate_is_said_and_nothing_is_asked_or_sent(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    with pytest.raises(AccountFailed, match=f"work: {empty} holds no certificate"):
        _account("work", entry(1, empty), GoogleSection()).folders()
    with pytest.raises(NotSent, match=r"holds no certificate in PEM\. Nothing was sent\."):
        _smtp("work", entry(1, empty), Maildir(tmp_path / "Sent"), Unfiled(tmp_path)).carry(PARCEL, on_leaving=lambda: None)


def test_the_file_is_found_beside_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text('[mail.accounts.work]\naddress = "a@b"\nimap_host = "mail.example.org"\nca_file = "house.pem"\n')
    assert load_agent(file, environ={}).mail.accounts["work"].ca_file == tmp_path / "house.pem"


@pytest.mark.parametrize(
    ("host", "said", "is_filed"),
    [
        ("smtp.gmail.com", None, True),
        ("SMTP.Office365.com", None, True),
        ("smtp.example.org", None, False),
        ("smtp.gmail.com", False, False),
    ],
)
def test_servers_that_are_known_to_file_what_was_sent_are_left_to_it(host: str, said: bool | None, is_filed: bool) -> None:
    assert MailAccountEntry(address="a@b", smtp_host=host, files_sent=said).is_filed_by_its_servers is is_filed
