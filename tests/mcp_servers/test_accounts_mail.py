"""A Google account from its login to the mail tools: each right is asked for when it is first needed, and serves from then on."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config.paths import HOME_VARIABLE, Home
from mcp_servers.accounts.google_api import GoogleApi
from mcp_servers.errors import Refusal
from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.gmail.account import GMAIL, GmailAccount
from mcp_servers.mailbox.store import MailStore
from mcp_servers.outbox.carriers import ByAddress
from mcp_servers.outbox.delivery import Delivery
from mcp_servers.outbox.gmail_carrier import COMPOSING, SENDING, GmailCarrier
from mcp_servers.outbox.server import Outbox
from mcp_servers.protocol.calls import Call, Outcome, Plan
from tests.fakes.gmail import FakeGmail, gmail_on_loopback
from tests.fakes.gmail_mailbox import ME
from tests.fakes.google_oauth import CLIENT_SECRET, fake_google_oauth
from tests.mcp_servers.accounts_desk import Desk, OAuthTokens, desk_of
from tests.mcp_servers.calling import call
from tests.mcp_servers.gmail_desk import GmailDesk
from tests.mcp_servers.granting import KEY, approved


@pytest.fixture
def desk(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv(HOME_VARIABLE, str(home.root))
    with fake_google_oauth() as google:
        yield desk_of(home, google)


@pytest.fixture
def gmail(desk: Desk) -> Iterator[FakeGmail]:
    with gmail_on_loopback() as running:
        running.tokens = OAuthTokens(desk.google)
        yield running


def said(tools: dict[str, Callable[[Call], Outcome | Plan]], name: str, **arguments: Any) -> str:
    """What the tool says, or the sentence with which it refuses."""
    try:
        result = tools[name](call(**arguments))
        return (result.execute() if isinstance(result, Plan) else result).text
    except Refusal as refusal:
        return str(refusal)


def test_one_right_is_asked_for_at_a_time_and_no_process_is_begun_anew_for_it(
    desk: Desk, gmail: FakeGmail, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    bearers = desk.bearers()
    account = GmailAccount(GoogleApi(GMAIL, "work", bearers, gmail.url, wait=lambda _: None))
    store = MailStore(tmp_path / "mail", [account], addresses={"work": ME})
    tools = MailTools(store).handlers()
    GmailDesk(gmail, tmp_path).add(1)
    heard: list[str] = []

    def hears(name: str, **arguments: Any) -> str:
        heard.append(said(tools, name, **arguments))
        return heard[-1]

    # Nobody logged in: the local mail is there, and the account is named with what brings it.
    assert hears("search_mail") == "No mails found\nNo answer from: work"
    assert gmail.requests == []

    desk.has_allowed("work", "mail-read")
    assert "Plan" in hears("search_mail")
    requests = len(gmail.requests)
    for name, arguments in (("archive_mail", {"mail": "m1"}), ("label_mail", {"mail": "m1", "add": ["flagged"]})):
        refused = hears(name, **arguments)
        assert "does not allow Variet to read, file and draft mail. Run `variet login google --account work --scope mail`." in refused
    assert "Draft d1 to p1@example.org" in hears("draft_reply", mail="m1", body="Yes.")  # kept here, where it can be sent from
    assert not [one for one in gmail.requests[requests:] if "modify" in one or "drafts" in one]

    desk.has_allowed("work", "mail")
    assert hears("archive_mail", mail="m1").startswith("Moved m1 to Archive")

    apis = (GoogleApi(service, "work", bearers, gmail.url, wait=lambda _: None) for service in (SENDING, COMPOSING))
    outbox = Outbox(store, Delivery(tmp_path / "mail", ByAddress({ME: GmailCarrier(*apis, wait=lambda _: None)})), key=KEY)
    plan = outbox.send_mail(call(to="bo@example.org", body="Yes."))
    with pytest.raises(Refusal) as refused:
        approved(outbox.send_mail, plan)
    heard.append(str(refused.value))
    assert "--account work --scope send`. Nothing was sent." in heard[-1]
    assert gmail.mailbox.sent() == []
    desk.has_allowed("work", "send")
    heard.append(approved(outbox.send_mail, outbox.send_mail(call(to="bo@example.org", body="Yes."))).text)
    assert len(gmail.mailbox.sent()) == 1

    secrets = [*desk.google.given_out, CLIENT_SECRET]
    assert len(secrets) > 5
    shown = "\n".join([*heard, caplog.text, json.dumps(store.problems), repr(bearers), repr(vars(bearers))])
    assert [secret for secret in secrets if secret in shown] == []
    store.close()
