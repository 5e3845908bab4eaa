"""What was approved for a mail or a draft is done to that one as it was shown, and to no other that stands in its place by now."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_servers.errors import Refusal, Stale
from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.store import MailStore
from mcp_servers.protocol.calls import Call, Plan
from tests.mcp_servers.calling import NOW, call, carried_out, text_of

Tools = dict[str, Any]
ONE = [
    ("label_mail", {"mail": "m3", "add": ["flagged"]}), ("archive_mail", {"mail": "m3"}),
    ("trash_mail", {"mail": "m3"}), ("move_mail", {"mail": "m3", "folder": "Archive"}),
]  # fmt: skip
SEVERAL = [(name, {**{key: value for key, value in given.items() if key != "mail"}, "mails": ["m3", "m2"]}) for name, given in ONE]


@pytest.fixture
def tools(mails: MailStore) -> Tools:
    mails.mails()
    return MailTools(mails).handlers()


def planned(tools: Tools, name: str, arguments: dict[str, Any]) -> Plan:
    plan = tools[name](call(**arguments))
    assert isinstance(plan, Plan)
    return plan


def another_in_its_place(mails: MailStore) -> None:
    mail = next(one for one in mails.mails() if one.number == 3)
    assert mails.inbox.rewrite(
        mail.key, b"From: Eve <eve@example.org>\r\nSubject: Another\r\nDate: Sat, 21 Nov 2026 09:12:00 +0100\r\n\r\nx\r\n"
    )


@pytest.mark.parametrize(("name", "arguments"), [*ONE, *SEVERAL])
def test_a_mail_that_was_moved_since_is_left_as_it_is(tools: Tools, mails: MailStore, name: str, arguments: dict[str, Any]) -> None:
    plan = planned(tools, name, arguments)
    (mails.inbox.folder.parent / "Bills" / "cur").mkdir(parents=True)
    text_of(tools["move_mail"], mail="m3", folder="Bills")
    before = mails.mail(3)
    if "mail" in arguments:
        with pytest.raises(Stale, match="The mail has been moved since"):
            carried_out(tools[name], plan)
    else:
        outcome = carried_out(tools[name], plan)
        assert [(one["mail"], one["why"]) for one in outcome.structured["failed"]] == [("m3", "The mail has been moved since. Look again.")]
        assert [one["id"] for one in outcome.structured["mails"]] == ["m2"]
    assert mails.mail(3) == before
    assert "flagged" not in text_of(tools["list_labels"], mail="m3")


@pytest.mark.parametrize(("name", "arguments"), ONE)
def test_another_mail_in_its_place_is_left_as_it_is(tools: Tools, mails: MailStore, name: str, arguments: dict[str, Any]) -> None:
    plan = planned(tools, name, arguments)
    another_in_its_place(mails)
    with pytest.raises(Stale):
        carried_out(tools[name], plan)
    assert mails.mail(3) is not None
    assert "flagged" not in text_of(tools["list_labels"], mail="m3")


@pytest.mark.parametrize(("name", "arguments"), [*ONE, *SEVERAL])
def test_what_was_done_may_be_asked_again_and_reading_it_changes_nothing(
    tools: Tools, mails: MailStore, name: str, arguments: dict[str, Any]
) -> None:
    plan = planned(tools, name, arguments)
    mail = next(one for one in mails.mails() if one.number == 3)
    mails.inbox.mark(mail.key, added="S", removed="")
    assert len({carried_out(tools[name], plan).text for _ in range(2)}) == 1


def test_a_mail_goes_back_to_where_the_person_was_told(tools: Tools) -> None:
    text_of(tools["trash_mail"], mail="m3")
    plan = planned(tools, "restore_mail", {"mail": "m3"})
    text_of(tools["restore_mail"], mail="m3")
    text_of(tools["archive_mail"], mail="m3")
    text_of(tools["trash_mail"], mail="m3")
    with pytest.raises(Stale):
        carried_out(tools["restore_mail"], plan)


def test_words_name_no_mail_where_one_was_approved_and_an_odd_version_names_none(tools: Tools) -> None:
    plan = planned(tools, "label_mail", {"mail": "m3", "add": ["flagged"]})
    with pytest.raises(Refusal):
        tools["label_mail"](Call({**plan.arguments, "mail": "Budget"}, NOW, plan.host))
    for version in ("florp", "local/Inbox", " ", '{"m3": "x"}'):
        with pytest.raises(Stale):
            tools["label_mail"](Call(plan.arguments, NOW, {"version": version}))


def test_a_draft_that_says_something_else_by_now_is_not_thrown_away(tools: Tools, mails: MailStore) -> None:
    text_of(tools["draft_mail"], to="bruno@example.org", body="Yes.", subject="Dinner")
    plan = planned(tools, "discard_draft", {"draft": "d1"})
    [key] = mails.drafts.entries()
    content = mails.drafts.read(key) or b""
    mails.drafts.rewrite(key, b"X-Variet-Draft: r1\r\n" + content)
    assert tools["discard_draft"](Call(plan.arguments, NOW, plan.host)).summary == plan.summary
    mails.drafts.rewrite(key, content.replace(b"Yes.", b"No."))
    with pytest.raises(Stale, match="The draft has changed since"):
        carried_out(tools["discard_draft"], plan)
    assert len(mails.drafts.entries()) == 1
