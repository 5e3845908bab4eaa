"""Answers stay in their conversation also where the ids of its mails are longer than a line, as those of large houses are."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.message.letters import Letter
from mcp_servers.mailbox.message.mime import compose, parse, redated
from mcp_servers.mailbox.store import MailStore
from mcp_servers.outbox.server import Outbox
from tests.mcp_servers.calling import call, text_of
from tests.mcp_servers.granting import approved
from tests.mcp_servers.test_mail_more import deliver

NAMES = [f"<AM0PR04MB777{number}ABCDEF0123456789ABCDEF012345678@AM0PR04MB7777.eurprd04.prod.outlook.com>" for number in range(30)]
AT = datetime(2026, 11, 21, 9, 15, tzinfo=UTC)
FROM_A_LARGE_HOUSE = (
    f"From: Bruno <bruno@example.org>\nTo: you@home.example\nSubject: Plan\nMessage-ID: {NAMES[1]}\nIn-Reply-To: {NAMES[0]}\n"
    f"References: {NAMES[0]}\nDate: Sat, 21 Nov 2026 09:14:00 +0100\n\nShall we?\n"
)


def id_lines(content: bytes) -> dict[str, list[bytes]]:
    """The ids of each header as they stand in the mail: one on a line, and nothing else."""
    head = content.replace(b"\r\n", b"\n").partition(b"\n\n")[0].replace(b"\n ", b" ").split(b"\n")
    lines = dict(line.split(b": ", 1) for line in head)
    return {name: lines.get(name.encode(), b"").split() for name in ("In-Reply-To", "References")}


def in_conversation(*names: str) -> dict[str, list[bytes]]:
    return {"In-Reply-To": [names[-1].encode()], "References": [name.encode() for name in names]}


def test_an_answer_names_what_it_answers_as_that_is_named(mails: MailStore, outbox: Outbox) -> None:
    deliver(mails, "a", FROM_A_LARGE_HOUSE)
    text_of(MailTools(mails).draft_reply, mail="Plan", body="Yes.")
    [key] = mails.drafts.entries()
    assert id_lines(mails.drafts.read(key) or b"") == in_conversation(*NAMES[:2])
    approved(outbox.send_draft, outbox.send_draft(call(draft="last")))
    [sent] = mails.sent.entries()
    assert id_lines(mails.sent.read(sent) or b"") == in_conversation(*NAMES[:2])


@pytest.mark.parametrize("count", [1, 2, 30])
def test_however_long_the_exchange_is_every_line_is_one_that_a_mail_may_have(count: int) -> None:
    letter = Letter(("b@example.org",), "Re: x", "Yes.", NAMES[count - 1], tuple(NAMES[: count - 1]))
    content = redated(compose(letter, sender="a@example.org", message_id="<k@variet.invalid>", at=AT), AT)
    assert b"=?" not in content
    assert max(map(len, content.split(b"\r\n"))) < 998
    parsed = parse(content)
    assert (parsed.in_reply_to, parsed.references[-1], parsed.references[0]) == (NAMES[count - 1], NAMES[count - 1], NAMES[0])
