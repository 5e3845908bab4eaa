"""A mail goes out through a real SMTP server once, to everybody or to nobody, and what nobody knows is said."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from mcp_servers.errors import Refusal
from mcp_servers.mailbox.store import MailStore
from mcp_servers.outbox.carriers import ByAddress
from mcp_servers.outbox.delivery import UNKNOWN, Delivery
from mcp_servers.outbox.server import Outbox
from mcp_servers.outbox.smtp import SmtpCarrier, SmtpServer
from mcp_servers.protocol.calls import Plan
from tests.fakes.certificate import make_certificate
from tests.fakes.mail_servers import PASSWORD, USER, Sink, smtp_server
from tests.mcp_servers.calling import call
from tests.mcp_servers.granting import KEY, approved

FROM = "you@work.example"


@pytest.fixture
def sink() -> Iterator[Sink]:
    with smtp_server() as sink:
        yield sink


@pytest.fixture
def store(mails: MailStore, tmp_path: Path) -> Iterator[MailStore]:
    mails.close()
    store = MailStore(tmp_path / "mail", addresses={"work": FROM})
    yield store
    store.close()


@pytest.fixture
def outbox(store: MailStore, sink: Sink, tmp_path: Path) -> Iterator[Outbox]:
    server = SmtpServer("work", "127.0.0.1", sink.port, USER, None, "none")
    delivery = Delivery(tmp_path / "mail", ByAddress({FROM: SmtpCarrier(server, store.sent)}))
    yield Outbox(store, delivery, key=KEY)
    delivery.close()


@pytest.fixture
def plan(outbox: Outbox) -> Plan:
    return outbox.send_mail(call(to="bruno, eve@example.org", body="Yes.\n.\nReally.", subject="Dinner"))


def refused(outbox: Outbox, plan: Plan) -> str:
    with pytest.raises(Refusal) as refusal:
        approved(outbox.send_mail, plan)
    return str(refusal.value)


def test_a_mail_goes_out_once_from_the_accounts_address_and_a_copy_is_kept(
    outbox: Outbox, plan: Plan, sink: Sink, store: MailStore
) -> None:
    for _ in range(2):
        assert approved(outbox.send_mail, plan).text.startswith("Sent to bruno@example.org, eve@example.org")
    [(sender, to, content)] = sink.mails
    assert (sender, to) == (FROM, ("bruno@example.org", "eve@example.org"))
    assert content.replace(b"\r\n", b"\n").endswith(b"\n\nYes.\n.\nReally.\n")
    assert b"From: you@work.example" in content
    assert len(store.sent.entries()) == 1


def test_one_recipient_that_is_refused_stops_the_mail_for_all(outbox: Outbox, plan: Plan, sink: Sink, store: MailStore) -> None:
    sink.refuses = "eve@example.org"
    assert refused(outbox, plan) == (
        "127.0.0.1 does not take mail to eve@example.org (nobody of that name here). Nothing was sent, to nobody. Give other addresses."
    )
    assert (sink.mails, store.sent.entries()) == ([], {})
    sink.refuses = ""
    approved(outbox.send_mail, plan)
    assert len(sink.mails) == 1


def test_a_mail_that_the_server_does_not_take_was_not_sent_and_may_be_sent_again(outbox: Outbox, plan: Plan, sink: Sink) -> None:
    sink.data_answer = "451 try later"
    assert (
        refused(outbox, plan)
        == "127.0.0.1 does not take the mail (try later). Nothing was sent. Try again later, or send it with a mail program."
    )
    sink.data_answer = ""
    approved(outbox.send_mail, plan)
    assert len(sink.mails) == 1


def test_a_server_that_hangs_up_before_it_says_yes_leaves_the_mail_unknown_and_it_is_never_sent_again(
    outbox: Outbox, plan: Plan, sink: Sink
) -> None:
    sink.hangs_up = True
    assert refused(outbox, plan) == UNKNOWN
    sink.hangs_up = False
    assert refused(outbox, plan) == UNKNOWN
    assert len(sink.mails) == 1


def test_a_mail_from_an_address_that_no_account_has_is_not_sent(store: MailStore, sink: Sink, tmp_path: Path) -> None:
    server = SmtpServer("other", "127.0.0.1", sink.port, USER, None, "none")
    delivery = Delivery(tmp_path / "mail", ByAddress({"other@work.example": SmtpCarrier(server, store.sent)}))
    outbox = Outbox(store, delivery, key=KEY)
    plan = outbox.send_mail(call(to="bruno", body="Yes."))
    assert refused(outbox, plan).startswith(f'No account sends mail from "{FROM}"; there are other@work.example.')
    assert sink.mails == []
    delivery.close()


def test_it_logs_in_over_tls_only_and_a_wrong_password_is_said_and_not_shown(store: MailStore, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path / "tls")
    known = ssl.create_default_context(cafile=certificate[0])
    with smtp_server(certificate=certificate) as sink:
        good = SmtpServer("work", "127.0.0.1", sink.port, USER, SecretStr(PASSWORD), "starttls")
        for server, tls, sentence in (
            (replace(good, password=SecretStr("canary-4711")), known, "did not take the user name and password of work"),
            (good, None, "CERTIFICATE_VERIFY_FAILED"),
            (replace(good, security="none"), known, "Nothing was sent."),
        ):
            delivery = Delivery(tmp_path / "mail", SmtpCarrier(server, store.sent, tls=tls))
            outbox = Outbox(store, delivery, key=KEY)
            said = refused(outbox, outbox.send_mail(call(to="bruno", body="Yes.")))
            assert sentence in said
            assert "canary" not in said
            delivery.close()
        assert sink.mails == []
        delivery = Delivery(tmp_path / "mail", SmtpCarrier(good, store.sent, tls=known))
        outbox = Outbox(store, delivery, key=KEY)
        approved(outbox.send_mail, outbox.send_mail(call(to="bruno", body="Yes.")))
        assert (len(sink.mails), sink.logins[-1]) == (1, USER.encode())
        delivery.close()
