"""Where a list or a text is not told to its end, the result says so, in its text and among its fields: nothing stops silently."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from mcp_servers.calendars import server as calendar_server
from mcp_servers.calendars.backends.components import fields
from mcp_servers.calendars.server import Calendars
from mcp_servers.mail import conversations, drafting, drafts, files
from mcp_servers.mail import server as mail_server
from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox import maildir
from mcp_servers.mailbox.store import MailStore
from mcp_servers.protocol.calls import Outcome
from tests.mcp_servers.calling import call, refusal_of
from tests.mcp_servers.test_calendar_store import component, write
from tests.mcp_servers.test_mail_accounts import SlowAccount
from tests.mcp_servers.test_mail_more import deliver, mail


def outcome(done: Any) -> Outcome:
    assert isinstance(done, Outcome)
    return done


def test_a_period_with_more_events_than_are_told_says_how_many_are_left(week: Calendars, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = week.list_events(call(when="november"))
    assert (len(whole.structured["events"]), whole.structured["left"], "problems" in whole.structured) == (5, 0, False)
    monkeypatch.setattr(calendar_server, "MAX_LISTED", 3)
    cut = week.list_events(call(when="november"))
    said = "Not told one by one: 2 later events. Ask for a shorter period."
    assert (len(cut.structured["events"]), cut.structured["count"], cut.structured["left"]) == (3, 5, 2)
    assert (cut.text, cut.structured["problems"]) == (f"{whole.text}\n{said}", [said])


def test_a_description_that_is_not_shown_to_its_end_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields, "MAX_DESCRIPTION_CHARS", 10)
    times = ("DTSTART:20261124T080000Z", "DTEND:20261124T090000Z")
    store = write(tmp_path, component("long", *times, "DESCRIPTION:0123456789abc"), component("short", *times, "DESCRIPTION:0123456789"))
    tools = Calendars(store).handlers()
    shown = {name: outcome(tools["get_event"](call(event=name))) for name in ("long", "short")}
    assert "0123456789\n| [3 more characters]" in shown["long"].text
    assert {name: one.structured["event"]["description"] for name, one in shown.items()} == {
        "long": "0123456789\n[3 more characters]",
        "short": "0123456789",
    }


def test_a_search_with_more_mails_than_are_told_says_where_the_others_are(mails: MailStore, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = MailTools(mails)
    whole = tools.search_mail(call())
    assert whole.structured["left_out"] == []
    monkeypatch.setattr(mail_server, "MAX_LISTED", 2)
    cut = tools.search_mail(call())
    said = "Not told one by one: 1 more mail. find_mails shows all in pages."
    assert (len(cut.structured["mails"]), cut.structured["count"], cut.structured["left_out"]) == (2, 3, [said])
    assert cut.text == f"{whole.text}\n{said}"


def test_older_mails_that_were_not_searched_are_said_by_every_tool_that_looks_for_one(tmp_path: Path) -> None:
    store = MailStore(tmp_path / "mail", [SlowAccount()])
    tools = MailTools(store)
    said = "work: 7 older mails of Inbox are not searched."
    while "not read yet" in (text := tools.search_mail(call()).text):
        assert f"\n{said}\n" in text
    assert text.endswith(f"\n{said}")
    assert refusal_of(tools.read_mail, mail="zebra") == f'No mail matches "zebra". {said}'
    thread = outcome(tools.handlers()["read_thread"](call(mail="w3")))
    assert thread.text.endswith(f"\n{said}")
    assert (thread.structured["problems"], thread.structured["left_out"]) == ([], [said])
    store.close()


def test_a_mail_that_is_too_long_to_be_read_whole_is_not_passed_on_and_its_last_file_is_said_to_be_cut_off(
    mails: MailStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    mails.mails()
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "anna@example.org", "you@home.example", "Papers"
    letter["Date"] = "Sat, 21 Nov 2026 09:13:00 +0100"
    letter.set_content("Two files.")
    for name in ("first.txt", "last.txt"):
        letter.add_attachment((f"{name} " * 200).encode(), maintype="text", subtype="plain", filename=name)
    deliver(mails, "a", letter)
    deliver(mails, "b", mail(1))
    most = len(letter.as_bytes()) - 500
    for module in (maildir, files, drafting):
        monkeypatch.setattr(module, "MAX_MAIL_BYTES", most)
    tools = MailTools(mails).handlers()
    listed = outcome(tools["list_attachments"](call(mail="Papers")))
    assert [line.split()[1] for line in listed.text.splitlines()[1:3]] == ["first.txt", "last.txt"]
    assert listed.text.endswith(files.CUT)
    assert listed.structured["left_out"] == [files.CUT]
    cut = {name: outcome(tools["read_attachment"](call(mail="Papers", attachment=name))) for name in ("first.txt", "last.txt")}
    assert {name: one.text.endswith(files.CUT) for name, one in cut.items()} == {"first.txt": False, "last.txt": True}
    assert refusal_of(tools["draft_forward"], mail="Papers", to="bruno").endswith(
        "are too big to be passed on. Send it with a mail program."
    )
    assert mails.drafts.entries() == {}


def test_a_mail_with_hundreds_of_files_fills_no_answer(mails: MailStore) -> None:
    mails.mails()
    parts = "".join(
        f"--b\nContent-Type: text/plain\nContent-Disposition: attachment; filename=f{number}.txt\n\nx\n" for number in range(300)
    )
    deliver(mails, "a", mail(1).replace("\n\nx", '\nContent-Type: multipart/mixed; boundary="b"\n\n' + parts + "--b--"))
    tools = MailTools(mails).handlers()
    listed = outcome(tools["list_attachments"](call(mail="m4")))
    said = "Not told one by one: 200 more. read_attachment takes their numbers, too."
    assert (len(listed.structured["attachments"]), listed.structured["left_out"]) == (100, [said])
    assert listed.text.startswith("m4 has 300 attachments\n1. f0.txt")
    assert listed.text.endswith(said)
    assert outcome(tools["read_attachment"](call(mail="m4", attachment="299"))).text.startswith("Attachment 299 of m4, 1 bytes\n[")
    assert len(refusal_of(tools["read_attachment"], mail="m4", attachment="txt")) < 2000
    assert len(outcome(tools["read_mail"](call(mail="m4"))).structured["mail"]["attachments"]) == 100


def test_a_list_of_very_many_drafts_holds_the_newest_and_says_how_many_are_older(mails: MailStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "MAX_LISTED", 2)
    tools = MailTools(mails)
    for body in ("one", "two", "three"):
        outcome(tools.draft_mail(call(to="a@example.org", body=body)).execute())
    listed = outcome(tools.handlers()["list_drafts"](call()))
    assert [draft["id"] for draft in listed.structured["drafts"]] == ["d2", "d3"]
    said = "Not told one by one: 1 older draft. Discard some, or look into Drafts."
    assert listed.text.endswith(f"\n{said}") and listed.structured["left_out"] == [said]


def test_a_conversation_of_tiny_mails_is_told_in_parts(mails: MailStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "BUDGET_CHARS", 3 * conversations.LEAST_CHARS)
    for number in range(5):
        deliver(mails, f"tiny{number}", mail(number, answers="<n0@example.org>" if number else "", subject="Chat"))
    first = outcome(MailTools(mails).handlers()["read_thread"](call(mail="Chat")))
    assert (len(first.structured["mails"]), first.structured["left"]) == (3, 2)
