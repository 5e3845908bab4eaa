"""A Gmail account behind the mail tools: found by Gmail itself, paged, read, filed; every request is one that Google describes."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_servers.errors import Refusal
from mcp_servers.mailbox.gmail import account as gmail
from mcp_servers.mailbox.gmail.words import encoded, head_of
from mcp_servers.mailbox.message.mime import parse
from mcp_servers.protocol.calls import Handler, Plan
from tests.fakes.gmail import FakeGmail
from tests.mcp_servers.calling import call, refusal_of
from tests.mcp_servers.gmail_desk import GmailDesk

Tools = dict[str, Handler]


def text(tools: Tools, name: str, **arguments: Any) -> str:
    done = tools[name](call(**arguments))
    return (done.execute() if isinstance(done, Plan) else done).text


def test_the_inbox_is_listed_and_a_mail_is_read_without_a_trace(desk: GmailDesk, google: FakeGmail) -> None:
    desk.add(1, "INBOX", "UNREAD", subject="Lunch")
    desk.add(92, text="The budget")
    desk.add(3, "SPAM", subject="Win")
    tools = desk.tools()
    assert text(tools, "search_mail") == (
        "2 mails\nm2 Fri 20 Nov 2026 11:32 from Person 92: Plan\nm1 Fri 20 Nov 2026 10:01 from Person 1: Lunch (unread)"
    )
    assert "\n---\nThe budget\n---" in text(tools, "read_mail", mail="m2")
    assert "planted" not in text(tools, "read_thread", mail="m2")
    assert text(tools, "list_attachments", mail="m2") == "m2 has 1 attachment\n1. budget.txt (text/plain, 16 bytes)"
    assert "| the budget is 40" in text(tools, "read_attachment", mail="m2", attachment="1")
    assert {method for method in google.ids() if method.endswith(("modify", "trash", "send"))} == set()
    assert {scopes for scopes, _ in desk.tokens.asked} == {"mail-read"}


@pytest.mark.parametrize("blank", ["\r\n", "\u00a0\r\n", "&nbsp;"])
def test_of_a_mail_with_a_blank_beside_its_html_the_html_is_indexed(blank: str) -> None:
    texts = {"text/plain": blank, "text/html": "<p>300 EUR are due</p>"}
    parts = [{"mimeType": kind, "body": {"data": encoded(text.encode())}} for kind, text in texts.items()]
    assert parse(head_of({"payload": {"mimeType": "multipart/alternative", "parts": parts}})).text == "300 EUR are due"
    assert parse(head_of({"payload": {"mimeType": "multipart/alternative", "parts": parts[:1]}})).text == ""


def test_heads_come_in_batches_and_without_the_files(desk: GmailDesk, google: FakeGmail) -> None:
    for number in range(60):
        desk.add(number)
    tools = desk.tools()
    assert text(tools, "search_mail").startswith("60 mails")
    assert google.requests.count("/batch") == 2
    asked = [called for called in google.asked if called.method == "gmail.users.messages.get"]
    assert (len(asked), {called.query["format"] for called in asked}) == (60, {"full"})
    google.requests.clear()
    text(tools, "search_mail")
    assert google.requests == ["/gmail/v1/users/me/profile?fields=historyId&alt=json"]  # nothing has changed since


def test_what_changes_at_gmail_is_seen_at_the_next_look(desk: GmailDesk, google: FakeGmail) -> None:
    first = desk.add(1, "INBOX", "UNREAD")
    tools = desk.tools()
    assert "(unread)" in text(tools, "search_mail")
    first.labels -= {"UNREAD"}
    google.mailbox.history += 1
    desk.add(2, subject="New")
    assert (
        text(tools, "search_mail") == "2 mails\nm2 Fri 20 Nov 2026 10:02 from Person 2: New\nm1 Fri 20 Nov 2026 10:01 from Person 1: Plan"
    )


def test_gmail_itself_searches_further_back_than_anybody_lists(desk: GmailDesk, google: FakeGmail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gmail, "MAX_LISTED", 3)
    desk.add(91, subject="Old", text="about the dishwasher")
    for number in range(95, 101):
        desk.add(number)
    tools = desk.tools()
    page = tools["find_mails"](call())
    assert not isinstance(page, Plan)
    assert page.structured["left_out"] == ["work: 4 older mails of Inbox are not searched."]
    assert text(tools, "search_mail", query="dishwasher") == "1 mail\nm4 Fri 20 Nov 2026 11:31 from Person 91: Old"
    # A word that only Gmail sees, in an attached file.
    assert "from Person 91" in text(tools, "search_mail", query="budget", sender="Person 91")
    assert "about the dishwasher" in text(tools, "read_mail", mail="m4")
    assert "about the dishwasher" in text(tools, "read_thread", mail="m4")
    found = tools["list_threads"](call(query="dishwasher"))
    assert not isinstance(found, Plan)
    assert "Old" in found.text


def test_what_gmail_brings_where_no_word_was_asked_for_is_looked_through_for_the_signs(desk: GmailDesk) -> None:
    desk.add(1, subject="Party \U0001f382")
    desk.add(2, subject="Plan")
    tools = desk.tools()
    assert text(tools, "search_mail", query="\U0001f382").startswith("1 mail\n")
    assert text(tools, "search_mail", query="?") == "No mails found"
    assert text(tools, "search_mail", sender="\U0001f382") == "No mails found"


def test_words_of_a_search_are_words_and_no_operators(desk: GmailDesk, google: FakeGmail) -> None:
    desk.add(1, subject="Trash or treasure")
    desk.add(2, "TRASH", subject="Gone")
    tools = desk.tools()
    assert text(tools, "search_mail", query='in:trash OR is:unread "-x') == "No mails found"
    assert text(tools, "search_mail", query="-treasure").startswith("1 mail\n")
    asked = {called.query.get("q", "") for called in google.asked}
    assert {word for q in asked for word in q.split() if ":" in word} <= {"is:unread"}
    assert '"trash" "unread" "x"' in {q.removesuffix(" is:unread") for q in asked} or any('"trash"' in q for q in asked)


def test_a_period_and_unread_mails_are_asked_of_gmail_in_epoch_seconds(desk: GmailDesk, google: FakeGmail) -> None:
    desk.add(1, "INBOX", "UNREAD")
    desk.add(2)
    tools = desk.tools()
    assert text(tools, "search_mail", when="yesterday", unread=True).startswith("1 mail\n")
    assert text(tools, "search_mail", when="last month") == "No mails found"
    asked = [called.query["q"] for called in google.asked if "after:" in called.query.get("q", "")]
    assert all("before:" in q for q in asked)
    assert any("is:unread" in q for q in asked)


def test_lists_are_paged_and_every_mail_is_seen_once(desk: GmailDesk, google: FakeGmail) -> None:
    google.mailbox.page = 7
    for number in range(50):
        desk.add(number)
    tools = desk.tools()
    seen: list[str] = []
    cursor = ""
    for _ in range(3):
        page = tools["find_mails"](call(**({"cursor": cursor} if cursor else {})))
        assert not isinstance(page, Plan)
        seen += [one["id"] for one in page.structured["mails"]]
        cursor = page.structured["cursor"]
    assert (len(seen), len(set(seen)), cursor) == (50, 50, "")


def test_what_is_not_read_yet_is_said_and_comes_at_the_next_look(
    desk: GmailDesk, google: FakeGmail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gmail, "HEADS_AT_ONCE", 4)
    for number in range(6):
        desk.add(number)
    tools = desk.tools()
    first = tools["find_mails"](call())
    assert not isinstance(first, Plan)
    assert first.structured["left_out"] == ["work: 2 mails are not read yet. Ask again."]
    assert [one["from"]["name"] for one in first.structured["mails"]] == [f"Person {number}" for number in (5, 4, 3, 2)]
    assert text(tools, "find_mails").startswith("6 mails")


def test_a_conversation_is_read_over_its_folders(desk: GmailDesk) -> None:
    first = desk.add(1, "Label_7", text="one")
    desk.add(2, "SENT", thread=first.id, answers="<n1@example.org>", subject="Re: Plan", text="two")
    desk.add(3, "INBOX", thread=first.id, answers="<n2@example.org>", subject="Re: Plan", text="three")
    desk.add(4, "INBOX", subject="Other", text="four")
    tools = desk.tools()
    text(tools, "search_mail")
    read = text(tools, "read_thread", mail="Plan")
    assert [line for line in read.split("\n") if line.startswith("| ")] == ["| three", "| two", "| one"]
    assert text(tools, "list_threads").startswith("2 threads\n")


def test_mails_are_filed_by_labels_and_come_back_from_the_trash(desk: GmailDesk, google: FakeGmail) -> None:
    mail = desk.add(1, "INBOX", "UNREAD", "STARRED")
    tools = desk.tools()
    assert text(tools, "list_folders").split("\n")[1] == "work: Inbox, Drafts, Sent, Archive, Trash, Spam, Projects"
    assert text(tools, "archive_mail", mail="Plan") == "Moved m1 to Archive of work: Plan, from Person 1"
    assert mail.labels == {"UNREAD", "STARRED"}
    assert text(tools, "move_mail", mail="m1", folder="projects").startswith("Moved m1 to Projects of work")
    assert mail.labels == {"UNREAD", "STARRED", "Label_7"}
    with pytest.raises(Refusal, match="with trash_mail"):
        text(tools, "move_mail", mail="m1", folder="TRASH")
    assert text(tools, "trash_mail", mail="m1").startswith("Moved m1 to Trash of work")
    assert "TRASH" in mail.labels
    assert text(tools, "restore_mail", mail="m1").startswith("Moved m1 to Projects of work")
    assert mail.labels == {"UNREAD", "STARRED", "Label_7"}
    assert text(tools, "move_mail", mail="m1", folder="inbox").startswith("Moved m1 to Inbox of work")
    assert mail.labels == {"UNREAD", "STARRED", "INBOX"}
    assert {scopes for scopes, _ in desk.tokens.asked} == {"mail-read", "mail"}


def test_gmail_keeps_sent_mails_where_they_are(desk: GmailDesk) -> None:
    desk.add(1, "INBOX")
    sent = desk.add(2, "SENT", subject="Mine")
    store = desk.store()
    account = store.accounts[1]
    for key, target in ((sent.id, "Archive"), ("18c0000000000000", "Sent")):
        with pytest.raises(Refusal, match="Gmail keeps in Sent and Drafts"):
            account.move(key, target)
    assert account.move(sent.id, "Trash") == sent.id
    assert account.move(sent.id, "Sent") == sent.id
    assert sent.labels == {"SENT"}
    with pytest.raises(Refusal, match='no folder "Nowhere"'):
        account.move(sent.id, "Nowhere")
    with pytest.raises(Refusal, match="The mail is gone"):
        account.move("18cfff", "Trash")


def test_a_mail_that_is_gone_at_gmail_is_gone_here(desk: GmailDesk, google: FakeGmail) -> None:
    mail = desk.add(1)
    tools = desk.tools()
    text(tools, "search_mail")
    del google.mailbox.mails[mail.id]
    google.mailbox.history += 1
    assert refusal_of(tools["read_mail"], mail="m1") == 'No mail matches "m1".'
    store = desk.store()
    assert (store.accounts[1].read(mail.id), store.accounts[1].folder_of(mail.id)) == (None, None)


def test_a_reply_names_gmails_own_conversation(desk: GmailDesk) -> None:
    first = desk.add(1)
    tools = desk.tools()
    assert text(tools, "draft_reply", mail="Plan", body="Yes.") == 'Draft d1 to p1@example.org, subject "Re: Plan": Yes.'
    store = desk.store()
    draft = store.drafts.read(store.draft_numbers()[1]) or b""
    assert f"X-Variet-Thread: {first.thread}".encode() in draft
    assert b"In-Reply-To: <n1@example.org>" in draft
