"""Nothing leaves without the agent service's grant for exactly this call, and a grant counts once."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from mcp_servers.errors import Refusal
from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.store import MailStore
from mcp_servers.outbox import grants
from mcp_servers.outbox.carriers import LocalCarrier
from mcp_servers.outbox.delivery import Delivery
from mcp_servers.outbox.keys import KEY_VARIABLE, take_key
from mcp_servers.outbox.ledger import Ledger
from mcp_servers.outbox.server import Outbox
from mcp_servers.protocol.calls import Call, Plan, digest_of
from tests.mcp_servers.calling import NOW, call
from tests.mcp_servers.granting import KEY, approved, sealed_call

KEPT = (
    "Not sent: a mail leaves only after a person has seen and approved it. It is kept as draft d1. "
    'To send it, a person says "send draft d1" in `variet chat`.'
)


@pytest.fixture
def plan(outbox: Outbox) -> Plan:
    return outbox.send_mail(call(to="bruno", body="Yes."))


def refused(tool: Callable[[Call], Plan], made: Call) -> str:
    with pytest.raises(Refusal) as refusal:
        tool(made).execute()
    return str(refusal.value)


def test_without_a_grant_a_mail_stays_a_draft_and_the_answer_says_how_it_is_sent(outbox: Outbox, mails: MailStore, plan: Plan) -> None:
    unsealed = Call(plan.arguments, NOW, plan.host, digest_of("send_mail", plan.arguments, plan.host))
    for _ in range(2):
        outcome = outbox.send_mail(unsealed).execute()
        assert (outcome.text, dict(outcome.structured)) == (KEPT, {"sent": None, "draft": "d1"})
    assert (len(mails.sent.entries()), len(mails.drafts.entries())) == (0, 1)
    text = approved(outbox.send_draft, outbox.send_draft(call(draft="d1"))).text
    assert text == 'Sent to bruno@example.org, subject "Yes": Yes.'
    assert (len(mails.sent.entries()), len(mails.drafts.entries())) == (1, 0)


def test_without_a_grant_a_draft_stays_a_draft(outbox: Outbox, mails: MailStore) -> None:
    MailTools(mails).draft_mail(call(to="bruno", body="Yes.")).execute()
    assert outbox.send_draft(call(draft="d1")).execute().text == KEPT
    assert (len(mails.sent.entries()), len(mails.drafts.entries())) == (0, 1)


def test_an_outbox_that_no_service_started_sends_nothing_whatever_a_call_carries(mails: MailStore, delivery: Delivery, plan: Plan) -> None:
    alone = Outbox(mails, delivery)
    assert alone.send_mail(sealed_call("send_mail", plan.arguments, plan.host)).execute().text == KEPT
    assert mails.sent.entries() == {}


@pytest.mark.parametrize(
    ("flaw", "sentence"),
    [
        ({"key": SecretStr("00" * 32)}, grants.INVALID),
        ({"now": 1_000_000_000}, grants.EXPIRED),
        ({"now": time.time() + 2 * grants.LONGEST_S}, grants.INVALID),
        ({"sealed": {"to": "bruno@example.org", "body": "No.", "subject": "Yes"}}, grants.OTHER_CALL),
    ],
    ids=["forged", "expired", "longer than any service says", "for another call"],
)
def test_a_grant_that_does_not_count_is_refused_with_a_sentence(
    outbox: Outbox, mails: MailStore, plan: Plan, flaw: dict[str, Any], sentence: str
) -> None:
    assert refused(outbox.send_mail, sealed_call("send_mail", plan.arguments, plan.host, **flaw)) == sentence
    assert (mails.sent.entries(), mails.drafts.entries()) == ({}, {})


def test_a_grant_for_one_tool_or_id_is_none_for_another(outbox: Outbox, mails: MailStore, plan: Plan) -> None:
    other_tool = sealed_call("send_draft", plan.arguments, plan.host)
    other_id = sealed_call("send_mail", plan.arguments, {"uid": "another"})
    for sealed in (other_tool, other_id):
        made = Call(plan.arguments, NOW, plan.host, digest_of("send_mail", plan.arguments, plan.host), sealed.grant)
        assert refused(outbox.send_mail, made) == grants.OTHER_CALL
    assert mails.sent.entries() == {}


def test_a_grant_counts_once_even_for_the_same_call(outbox: Outbox, mails: MailStore, plan: Plan) -> None:
    made = sealed_call("send_mail", plan.arguments, plan.host, nonce="ab" * 16)
    outbox.send_mail(made).execute()
    assert refused(outbox.send_mail, made) == grants.USED
    assert refused(outbox.send_mail, sealed_call("send_mail", plan.arguments, {"uid": "another"}, nonce="ab" * 16)) == grants.USED
    assert len(mails.sent.entries()) == 1


def test_a_grant_stays_used_after_a_restart(outbox: Outbox, mails: MailStore, delivery: Delivery, plan: Plan, tmp_path: Path) -> None:
    made = sealed_call("send_mail", plan.arguments, plan.host, nonce="ab" * 16)
    outbox.send_mail(made).execute()
    delivery.close()
    again = Delivery(tmp_path / "mail", LocalCarrier(mails.sent))
    try:
        assert refused(Outbox(mails, again, key=KEY).send_mail, made) == grants.USED
    finally:
        again.close()


@given(
    given_=st.dictionaries(st.sampled_from(["digest", "nonce", "seal", "expires_at", "x"]), st.one_of(st.text(), st.integers(), st.none()))
)
def test_whatever_a_grant_looks_like_it_is_refused_unless_it_is_one(given_: dict[str, Any]) -> None:
    with pytest.raises(Refusal):
        grants.check_grant(given_, key="k", digest="0" * 64, now=0.0)


def test_the_key_is_out_of_the_environment_once_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "abc")
    key = take_key(os.environ)
    assert key is not None
    assert key.get_secret_value() == "abc"
    assert (KEY_VARIABLE in os.environ, take_key(os.environ), "abc" in repr(key)) == (False, None, False)


def test_a_ledger_of_the_first_form_keeps_what_it_knows(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "outbox.sqlite")
    old.executescript("""
        CREATE TABLE sends (
            uid TEXT PRIMARY KEY, digest TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('planned', 'in_flight', 'sent')),
            recipients TEXT NOT NULL, subject TEXT NOT NULL, body TEXT NOT NULL, planned_at TEXT NOT NULL);
        CREATE TABLE from_drafts (uid TEXT PRIMARY KEY, draft TEXT NOT NULL);
        INSERT INTO sends VALUES ('u', 'd', 'sent', '["a@example.org"]', 's', 'b', '2026-11-21');
    """)
    old.close()
    for _ in range(2):
        ledger = Ledger(tmp_path / "outbox.sqlite")
        entry = ledger.entry("u")
        assert entry is not None
        assert (entry.state, entry.letter.to) == ("sent", ("a@example.org",))
        ledger.mark("u", "unknown")
        ledger.mark("u", "sent")
        ledger.close()
