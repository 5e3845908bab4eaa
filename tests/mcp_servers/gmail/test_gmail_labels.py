"""Mails of a Gmail account have Gmail's labels, and several are filed and labelled in one request that is looked at afterwards."""

from __future__ import annotations

from typing import Any

from mcp_servers.mailbox.gmail.words import why_not_moved
from mcp_servers.protocol.calls import Outcome, Plan
from tests.fakes.gmail import FakeGmail
from tests.fakes.google_api import Silence, refusal
from tests.mcp_servers.calling import call, carried_out, refusal_of, text_of
from tests.mcp_servers.gmail_desk import GmailDesk
from tests.mcp_servers.google_desk import at

MODIFY, BATCH = "gmail.users.messages.modify", "gmail.users.messages.batchModify"
Tools = dict[str, Any]


def planned(tools: Tools, name: str, **arguments: Any) -> Plan:
    plan = tools[name](call(**arguments))
    assert isinstance(plan, Plan)
    return plan


def done(tools: Tools, name: str, plan: Plan) -> Outcome:
    return carried_out(tools[name], plan)


def labelled(tools: Tools, **arguments: Any) -> Outcome:
    return done(tools, "label_mail", planned(tools, "label_mail", **arguments))


def test_mails_at_gmail_have_gmails_labels(desk: GmailDesk, google: FakeGmail) -> None:
    mail = desk.add(1, "INBOX", "UNREAD")
    tools: Tools = {**desk.tools()}
    assert text_of(tools["list_labels"], account="work") == "work: flagged, unread, important, Projects"
    done = labelled(tools, mail="Plan", add=["projects", "flagged"], remove=["unread"])
    assert (done.structured["mail"]["labels"], done.structured["mail"]["folder"]) == (["flagged", "Projects"], "Inbox")
    assert mail.labels == {"INBOX", "STARRED", "Label_7"}
    assert "There is no label" in refusal_of(tools["label_mail"], mail="m1", add=["Later"])
    assert labelled(tools, mail="m1", add=["Later"], new=True).structured["mail"]["labels"] == ["flagged", "Later", "Projects"]
    assert text_of(tools["list_folders"], account="work").endswith("Spam, Later, Projects")
    labelled(tools, mail="m1", remove=["projects", "flagged", "later"])
    assert mail.labels == {"INBOX"}


def test_a_label_whose_answer_was_lost_is_looked_up(desk: GmailDesk, google: FakeGmail) -> None:
    mail = desk.add(1)
    tools: Tools = {**desk.tools()}
    google.after = at(MODIFY, Silence(), 1)
    assert labelled(tools, mail="Plan", add=["flagged"]).structured["mail"]["labels"] == ["flagged"]
    google.after = lambda _: None
    google.before = at(MODIFY, refusal(500))
    assert "The mail was not labelled" in refusal_of(tools["label_mail"], mail="m1", add=["important"])
    assert mail.labels == {"INBOX", "STARRED"}


def test_gmail_is_asked_once_for_all_of_them_and_looked_at_afterwards(desk: GmailDesk, google: FakeGmail) -> None:
    mails = [desk.add(number) for number in range(1, 4)]
    project = desk.add(4, "Label_7", subject="Roof")
    tools = desk.tools()
    text_of(tools["search_mail"])
    text_of(tools["find_mails"], folder="Projects")
    google.asked.clear()
    told = text_of(tools["trash_mail"], mails=["m1", "m2", "m3", "m4"])
    assert told.startswith("4 mails moved\nMoved m1 to Trash of work: Plan, from Person 1")
    assert google.ids().count("messages.batchModify") == 1
    assert [mail.labels for mail in (*mails, project)] == [{"TRASH"}] * 3 + [{"TRASH", "Label_7"}]
    text_of(tools["restore_mail"], mails=["m1", "m2", "m3", "m4"])
    assert [mail.labels for mail in (*mails, project)] == [{"INBOX"}] * 3 + [{"Label_7"}]
    told = text_of(tools["label_mail"], mails=["m1", "m4"], add=["flagged", "Later"], remove=["projects"], new=True)
    assert told.startswith("2 mails labelled\nLabels of m1 (Plan, from Person 1): put on flagged, Later and take off Projects")
    assert (mails[0].labels, project.labels) == ({"INBOX", "STARRED", "Label_21"}, {"STARRED", "Label_21"})
    assert google.ids().count("messages.batchModify") == 3  # and the one that goes elsewhere by itself


def test_what_gmail_left_out_or_did_not_answer_is_told_of_each(desk: GmailDesk, google: FakeGmail) -> None:
    first, second, sent = desk.add(1), desk.add(2), desk.add(3, "SENT", "INBOX")
    tools = desk.tools()
    text_of(tools["search_mail"])
    plan = planned(tools, "archive_mail", mails=["m1", "m2", "m3"])
    del google.mailbox.mails[second.id]
    google.after = at(BATCH, Silence(), 1)  # the answer is lost, and it was done
    outcome = done(tools, "archive_mail", plan)
    failed = {one["mail"]: one["why"] for one in outcome.structured["failed"]}
    assert outcome.text.startswith("1 of 3 mails moved\nMoved m1 to Archive of work")
    assert failed == {
        "m2": "The mail is gone. Look again.",
        "m3": why_not_moved(["SENT", "INBOX"], "Archive"),
    }  # fmt: skip
    assert (first.labels, sent.labels, google.ids().count("messages.batchModify")) == (set(), {"SENT", "INBOX"}, 1)
    other = desk.add(5, subject="Other")
    text_of(tools["search_mail"])
    google.before = at(BATCH, refusal(500))
    assert "The mail was not moved." in refusal_of(tools["trash_mail"], mails=["Other", "m3"])
    google.before = at(BATCH, refusal(403, "insufficientPermissions"))
    assert "variet login google --account work --scope mail" in refusal_of(tools["trash_mail"], mails=["Other", "m3"])
    assert other.labels == {"INBOX"}
